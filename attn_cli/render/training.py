"""The live panel of a training: progress, history, and one table in which attention takes form.

Knows values and Rich only: it is told plain numbers and drawn on whatever console it is given.
"""

from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from attn_cli.render.terminal import alignment_table
from attn_cli.values import SoftAlignment

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN = 6  # validations listed at most; fewer where they would push the table off the screen
_FRAME = 6  # lines around them: the panel's edges, the bar, the figures, a blank one, their heading


@dataclass(frozen=True)
class Tried:
    """One validation, as it is listed."""

    step: int
    loss: float
    bleu: float
    chrf: float
    best: bool


@dataclass(frozen=True)
class Stage:
    """What is done before the network's updates, or in their place: its name, the share that is
    done, a sentence on what goes on, and how long it will take if that is known."""

    name: str
    done: float
    sentence: str
    seconds_left: float | None = None


@dataclass
class TrainingPanel:
    """What the panel shows now. Set its fields and draw it again.

    With a `stage` the bar is its own, else that of the network's updates. `stopping` is what to
    say once somebody wants it to end.
    """

    title: str
    stage: Stage | None = Stage("text", 0.0, "reading the text")
    step: int = 0
    max_steps: int = 1
    epoch: int = 0
    loss: float | None = None
    guided: float | None = None  # of the attention, beside that of the translation
    learning_rate: float = 0.0
    tokens_per_second: float = 0.0
    seconds: float = 0.0
    seconds_left: float | None = None
    history: list[Tried] = field(default_factory=list)
    sample: SoftAlignment | None = None
    stopping: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = alignment_table(self.sample) if self.sample is not None else None
        parts: list[RenderableType] = [self._bar(), self._figures()]
        if self.history:
            taken = _FRAME + (len(console.render_lines(table, options)) if table else 0)
            room = max(1, min(_SHOWN, options.max_height - taken))
            parts += [Text(), self._validations(room)]
        body = Group(*parts)
        yield Panel(body, title=self.title, title_align="left", border_style="dim", padding=(0, 1))
        if table is not None:
            yield table

    def _bar(self) -> RenderableType:
        row = Table.grid(expand=True, padding=(0, 2, 0, 0))
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True, justify="right")
        now = self.stage or self._updates()
        left = "" if now.seconds_left is None else f" · {clock(now.seconds_left)} left"
        row.add_row(
            now.name,
            ProgressBar(total=1, completed=now.done, complete_style="magenta"),
            f"{100 * now.done:.0f} %{left}",
        )
        return row

    def _updates(self) -> Stage:
        """The network's updates, as a stage like those before them."""
        return Stage(
            f"update {self.step:,} of {self.max_steps:,}",
            self.step / max(1, self.max_steps),
            "first updates",
            self.seconds_left,
        )

    def _figures(self) -> Text:
        if self.stopping:
            return Text(self.stopping, style="bold")
        if self.stage is not None or self.loss is None:
            return Text(f"{(self.stage or self._updates()).sentence} …", style="dim")
        figures = [
            f"loss {self.loss:.3f}",
            *([] if self.guided is None else [f"attention {self.guided:.2f}"]),
            f"epoch {self.epoch + 1}",
            f"{self.tokens_per_second:,.0f} pieces/s",
            f"rate {self.learning_rate:.1e}",
            clock(self.seconds),
        ]
        return Text("  ".join(figures), style="dim")

    def _validations(self, room: int) -> RenderableType:
        table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
        for name in ("validated at", "loss", "BLEU", "chrF"):
            table.add_column(name, justify="right")
        table.add_column(Text(sparkline([t.bleu for t in self.history]), style="magenta"))
        for tried in self.history[-room:]:
            table.add_row(
                f"{tried.step:,}",
                f"{tried.loss:.3f}",
                Text(f"{tried.bleu:.1f}", style="bold" if tried.best else ""),
                f"{tried.chrf:.1f}",
                "best so far" if tried.best else "",
            )
        return table


def sparkline(values: list[float], *, width: int = 30) -> str:
    """The last `width` values as bars between 0 and their highest."""
    shown = values[-width:]
    top = max(shown, default=0.0) or 1.0
    return "".join(_BARS[round(max(0.0, v) / top * (len(_BARS) - 1))] for v in shown)


def clock(seconds: float) -> str:
    """`0:42`, `12:05`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
