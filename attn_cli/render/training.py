"""Draw the panel of a training: phases, remaining time, two curves, and a table of attention."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from attn_cli.render.curves import Point, curve, sparkline
from attn_cli.render.table import alignment_table
from attn_cli.render.terminal import printable
from attn_cli.types import SoftAlignment

_FRAME = 5  # lines of the panel without curves: edges, phases, bar, figures
_CURVES = range(5, 1, -1)  # possible heights of the curves in lines, largest first
_NARROW = 56  # cells of a narrower panel, whose curves have one line each

LOSS, BLEU, ACCENT = "cyan", "magenta", "magenta"


@dataclass(frozen=True)
class ValidationRow:
    """One validation."""

    step: int
    loss: float
    bleu: float
    best: bool


@dataclass(frozen=True)
class ProgressStage:
    """A stage other than the network's updates.

    `done` is the completed fraction, `seconds_left` the estimated time; None if unknown. `sentence`
    describes the stage.
    """

    name: str
    done: float | None
    sentence: str
    seconds_left: float | None = None


@dataclass
class TrainingPanel:
    """The content of the panel. Set its fields and draw it again.

    `phases` are the names of the phases, `phase` the number of the current one, from 1, and
    `left_out` the numbers of skipped ones. The bar is that of the `stage`, or if None that of the
    network's updates. `elapsed` returns the seconds since the start of the command, `max_seconds`
    limits them. `stopping` is the text after a request to stop, "" before. `result` is the text on
    the end of the updates and whether they succeeded; `ended` and `succeeded` are those of the
    whole training, "" before its end.
    """

    title: str
    stage: ProgressStage | None = ProgressStage("starting", None, "loading")
    phases: tuple[str, ...] = ()
    phase: int = 0
    left_out: set[int] = field(default_factory=set)
    step: int = 0
    max_steps: int = 1
    epoch: int = 0
    loss: float | None = None
    guided: float | None = None  # loss of guided attention
    learning_rate: float = 0.0
    tokens_per_second: float = 0.0
    losses: list[Point] = field(default_factory=list)
    history: list[ValidationRow] = field(default_factory=list)
    sample: SoftAlignment | None = None
    sentence: tuple[str, str] | None = None  # source and target, of a network without attention
    notes: list[str] = field(default_factory=list)
    stopping: str = ""
    result: tuple[str, bool] | None = None
    ended: str = ""
    succeeded: bool = True
    elapsed: Callable[[], float] = field(default_factory=lambda: _stopwatch())
    max_seconds: float | None = None
    _left_at: tuple[float, float] | None = None  # elapsed seconds, and those left then

    def set_seconds_left(self, seconds: float) -> None:
        """Set the estimated seconds until the end of the command."""
        self._left_at = self.elapsed(), seconds

    def end(self, message: str, succeeded: bool) -> None:
        """End the training: the panel no longer changes."""
        now = self.elapsed()
        if self.losses or self.history:
            self.stage = None
        self.elapsed, self.ended, self.succeeded = (lambda: now), message, succeeded

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = self._table()
        used = _FRAME + (len(console.render_lines(table, options)) if table else 0)
        free = options.max_height - used - bool(self.notes)
        parts: list[RenderableType] = [self._phases(options), self._bar(options), self._figures()]
        parts += self._curves(options.max_width - 4, free, ascii_only=options.ascii_only)
        if self.notes and not self.ended:
            note = Text(printable(self.notes[-1]), "yellow", no_wrap=True, overflow="ellipsis")
            parts.append(note)
        edge = "dim" if not self.ended else "green" if self.succeeded else "yellow"
        yield Panel(
            Group(*parts),
            title=Text(printable(self.title), "bold"),
            title_align="left",
            border_style=edge,
            padding=(0, 1),
        )
        if table is not None:
            yield table

    def _table(self) -> RenderableType | None:
        if self.sample is not None:
            return alignment_table(self.sample)
        if self.sentence is not None:
            source, target = map(printable, self.sentence)
            return Text.assemble(source, (" → ", "dim"), (target, "bold"))
        return None

    def _phases(self, options: ConsoleOptions) -> RenderableType:
        """Return a line of the phases and the times: elapsed and left."""
        done, now, later, skipped = tuple("x>.-" if options.ascii_only else "✓●○–")
        names = Text(no_wrap=True, overflow="ellipsis")
        for number, name in enumerate(self.phases, 1):
            names.append("  " if number > 1 else "")
            if number in self.left_out:
                names.append(f"{skipped} {name}", "dim")
            elif number < self.phase or (self.ended and self.succeeded):
                names.append(f"{done} {name}", "green")
            elif number == self.phase:
                names.append(f"{now} {name} {number}/{len(self.phases)}", f"bold {ACCENT}")
            else:
                names.append(f"{later} {name}", "dim")
        row = Table.grid(expand=True, padding=(0, 2, 0, 0))
        row.add_column(ratio=1, no_wrap=True)
        row.add_column(no_wrap=True, justify="right")
        row.add_row(names, self._times())
        return row

    def _times(self) -> Text:
        elapsed = self.elapsed()
        if self.ended:
            return Text(clock(elapsed), "bold")
        left = None
        if self.max_seconds is not None:
            left = self.max_seconds - elapsed
        elif self._left_at is not None:
            since, seconds = self._left_at
            left = seconds - (elapsed - since)
        if left is None:
            return Text(clock(elapsed), "bold")
        return Text.assemble(
            (clock(elapsed), "bold"), (" · ", "dim"), (f"{clock(max(0.0, left))} left", ACCENT)
        )

    def _bar(self, options: ConsoleOptions) -> RenderableType:
        row = Table.grid(expand=True, padding=(0, 2, 0, 0))
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True, justify="right")
        now = self.stage or self._updates()
        finished = bool(self.ended) and self.succeeded
        done = 1.0 if finished else now.done
        left = "" if now.seconds_left is None else f" · {clock(now.seconds_left)} left"
        bar = ProgressBar(
            total=1,
            completed=done or 0.0,
            pulse=done is None and not self.ended,
            complete_style=ACCENT,
            finished_style="green" if self.ended else ACCENT,
            animation_time=self.elapsed(),
        )
        row.add_row(now.name, bar, "" if done is None else f"{100 * done:.0f} %{left}")
        return row

    def _updates(self) -> ProgressStage:
        """Return the network's updates as a stage."""
        done = min(1.0, self.step / max(1, self.max_steps))
        return ProgressStage(f"update {self.step:,} of {self.max_steps:,}", done, "first updates")

    def _figures(self) -> Text:
        if self.ended:
            return Text(self.ended, style="bold green" if self.succeeded else "bold yellow")
        if self.stopping:
            return Text(self.stopping, style="bold yellow")
        if self.stage is not None or self.loss is None:
            return Text(f"{(self.stage or self._updates()).sentence} …", style="dim")
        figures = [
            f"loss {self.loss:.3f}",
            *([] if self.guided is None else [f"attention {self.guided:.2f}"]),
            f"epoch {self.epoch + 1}",
            f"{self.tokens_per_second:,.0f} pieces/s",
            f"rate {self.learning_rate:.1e}",
        ]
        return Text("  ".join(figures), style="dim", no_wrap=True, overflow="ellipsis")

    def _curves(self, width: int, free: int, *, ascii_only: bool) -> list[RenderableType]:
        """Draw loss and BLEU in `free` lines: side by side if they fit, else a line each."""
        curves = [each for each in self._series("->" if ascii_only else "→") if each[1]]
        if not curves or free < 1:
            return []
        column = (width - 3) // 2
        height = next((lines for lines in _CURVES if lines + 2 <= free), 0)
        if width < _NARROW or not height or ascii_only:
            return [
                Text.assemble(heading, " ", (bars, style))
                for heading, points, style in curves[:free]
                if (
                    bars := sparkline(
                        [value for _, value in points],
                        width=width - len(heading) - 1,
                        ascii_only=ascii_only,
                    )
                )
            ]
        grid = Table.grid(padding=(0, 3, 0, 0))
        for _ in curves:
            grid.add_column(width=column, no_wrap=True)
        grid.add_row(*(heading for heading, _, _ in curves))
        grid.add_row(
            *(
                Text("\n".join(curve(points, width=column, height=height)), style)
                for _, points, style in curves
            )
        )
        return [Text(), grid]

    def _series(self, to: str) -> list[tuple[Text, list[Point], str]]:
        loss = Text.assemble(("loss", LOSS), no_wrap=True, overflow="ellipsis")
        if self.losses:
            loss.append(f"  {self.losses[0][1]:.2f} {to} {self.losses[-1][1]:.2f}", "dim")
        bleu = Text.assemble(("BLEU", BLEU), no_wrap=True, overflow="ellipsis")
        if self.history:
            last, best = self.history[-1], max(self.history, key=lambda each: each.bleu)
            bleu.append(f"  {last.bleu:.1f}", "bold")
            bleu.append(f" at {last.step:,}", "dim")
            if best.bleu > last.bleu:
                bleu.append(f"  best {best.bleu:.1f}", "dim")
        scores = [(float(each.step), each.bleu) for each in self.history]
        if len(scores) == 1:
            scores.insert(0, (0.0, 0.0))  # a line needs two points
        return [(loss, self.losses, LOSS), (bleu, scores, BLEU)]


def _stopwatch() -> Callable[[], float]:
    """Return a function that returns the seconds since this call."""
    start = time.monotonic()
    return lambda: time.monotonic() - start


def clock(seconds: float) -> str:
    """Format seconds: `0:42`, `12:05`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
