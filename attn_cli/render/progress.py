"""Draw the progress of a long job: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines of plain progress.
_INTERVAL = 30.0


@dataclass
class Progress:
    """The progress of a job: bytes of its input, and records.

    `known` bytes were done by an earlier run and do not count for the speed. `show` is called after
    each step.
    """

    total: int
    show: Callable[["Progress"], None]
    read: int = 0
    known: int = 0
    records: int = 0
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def add(self, *, read: int, known: int, records: int) -> None:
        """Count one step."""
        self.read += read
        self.known += known
        self.records += records
        self.show(self)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / max(self.seconds, 1e-9)

    @property
    def left(self) -> float | None:
        """Seconds until the end at the speed so far; None if that is unknown."""
        new = self.read - self.known
        return (self.total - self.read) * self.seconds / new if new > 0 else None

    def line(self) -> str:
        """Return the state in words."""
        percent = 100 * self.read // max(1, self.total)
        left = "" if self.left is None else f", {duration(self.left)} left"
        return f"{percent}%, {self.records:,} records, {self.rate:,.0f} a second{left}"


def duration(seconds: float) -> str:
    """Format a duration: `40 s`, `12 min`, `3 h 05 min`, `12 days 3 h`."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{hours // 24} days {hours % 24} h"


def plain(write: Callable[[str], None], *, every: float = _INTERVAL) -> Callable[[Progress], None]:
    """Return a function that writes the state as a line, at most every so many seconds."""
    last = 0.0

    def show(progress: Progress) -> None:
        nonlocal last
        if progress.seconds - last >= every:
            last = progress.seconds
            write(progress.line())

    return show


@contextmanager
def bar(console: "Console") -> Iterator[Callable[[Progress], None]]:
    """Yield a function that draws the state as a bar; the bar is removed at the end."""
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=console, transient=True) as live:
        task = live.add_task("starting", total=None)
        yield lambda progress: live.update(
            task, total=progress.total, completed=progress.read, description=progress.line()
        )
