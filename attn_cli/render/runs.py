"""Draw a table of trainings, and their curves side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from attn_cli.render.curves import Point, curve
from attn_cli.render.run_rows import HEADINGS, RunRow, cells
from attn_cli.render.terminal import printable

#: The colors of the runs, repeated for more runs.
COLORS = ("magenta", "cyan", "yellow", "green", "blue", "red")
_STATES = {"running": "bold cyan", "finished": "green", "interrupted": "yellow", "crashed": "red"}
_HEIGHT = 8
_LEAST_WIDTH = 50
_BLANK = "\u2800"


@dataclass(frozen=True)
class RunsTable:
    """A table of runs, and below it the curves of loss and BLEU of those with validations."""

    rows: Sequence[RunRow]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
        for number, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if 2 <= number <= 5 else "left")
        best = max((row.bleu for row in self.rows if row.bleu is not None), default=None)
        for number, row in enumerate(self.rows):
            name, state, updates, minutes, loss, bleu, differs = map(printable, cells(row))
            table.add_row(
                Text(name, COLORS[number % len(COLORS)]),
                Text(state, _STATES.get(state, "")),
                updates,
                minutes,
                loss,
                Text(bleu, "bold" if row.bleu is not None and row.bleu == best else ""),
                Text(differs, "dim"),
            )
        yield table
        if options.ascii_only or options.max_width < _LEAST_WIDTH:
            return
        width = (options.max_width - 3) // 2
        charts = [
            self._chart("loss", [row.losses for row in self.rows], width),
            self._chart("BLEU", [row.bleus for row in self.rows], width),
        ]
        if all(chart is not None for chart in charts):
            grid = Table.grid(padding=(0, 3, 0, 0))
            grid.add_row(*charts)
            yield Text()
            yield grid

    def _chart(
        self, title: str, lines: Sequence[Sequence[Point]], width: int
    ) -> RenderableType | None:
        """Draw the curves of all runs on the same axes, each in its color."""
        points = [point for line in lines for point in line]
        if not any(len(line) > 1 for line in lines):
            return None
        x = min(p[0] for p in points), max(p[0] for p in points)
        y = min(p[1] for p in points), max(p[1] for p in points)
        cell: list[list[tuple[str, str]]] = [[(_BLANK, "")] * width for _ in range(_HEIGHT)]
        for number, line in enumerate(lines):
            if not line:
                continue
            for row, text in enumerate(curve(line, width=width, height=_HEIGHT, x=x, y=y)):
                for column, sign in enumerate(text):
                    if sign != _BLANK:
                        cell[row][column] = sign, COLORS[number % len(COLORS)]
        chart = Text(no_wrap=True)
        chart.append(
            f"{title}  {y[0]:.1f} to {y[1]:.1f}, updates {x[0]:,.0f} to {x[1]:,.0f}", "dim"
        )
        for signs in cell:
            chart.append("\n")
            for sign, color in signs:
                chart.append(sign, color)
        return chart
