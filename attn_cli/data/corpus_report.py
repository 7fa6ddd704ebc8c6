"""Report the pairs of a corpus that were left out, and why."""

from dataclasses import dataclass

from attn_cli.errors import DataError

#: Line numbers listed for each reason.
MAX_LISTED_LINES = 10


@dataclass(frozen=True, slots=True)
class SkipReason:
    """The number of pairs left out for one reason, and the lines of the first ten."""

    reason: str
    count: int
    lines: tuple[int, ...]

    def __str__(self) -> str:
        pairs = "pair" if self.count == 1 else "pairs"
        return f"{self.count} {pairs} left out: {self.reason} ({self.places})"

    @property
    def places(self) -> str:
        """The lines, such as `lines 1, 2 and 7 more`."""
        lines = "line" if self.count == 1 else "lines"
        numbers = ", ".join(map(str, self.lines))
        more = f" and {self.count - len(self.lines)} more" if self.count > len(self.lines) else ""
        return f"{lines} {numbers}{more}"


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """The pairs of the text `name`: `n_used` of `n_read`, and why others were skipped."""

    name: str
    n_read: int
    n_used: int
    skipped: tuple[SkipReason, ...] = ()
    notes: tuple[str, ...] = ()  # of lines that were read

    def messages(self) -> list[str]:
        """Return a line for each reason and note."""
        return [f"{self.name}: {each}" for each in (*self.skipped, *self.notes)]

    def require_pairs(self) -> None:
        """Raise DataError if no pair is left."""
        if self.n_used:
            return
        if not self.n_read:
            raise DataError(f"{self.name} contains no line", "Give text to train on.")
        raise DataError(
            f"no pair of {self.name} can be used: {'; '.join(map(str, self.skipped))}",
            "Correct those lines, or the limits data.max_length and data.max_ratio.",
        )


class SkipCounter:
    """Counts the lines left out for each reason, with the numbers of the first ten."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lines: dict[str, list[int]] = {}

    def add(self, reason: str, number: int) -> None:
        count = self._counts.get(reason, 0)
        self._counts[reason] = count + 1
        if count < MAX_LISTED_LINES:
            self._lines.setdefault(reason, []).append(number)

    def skipped(self) -> tuple[SkipReason, ...]:
        return tuple(
            SkipReason(reason, count, tuple(self._lines[reason]))
            for reason, count in self._counts.items()
        )
