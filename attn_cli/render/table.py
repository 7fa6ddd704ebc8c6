"""Draw a table of weights in the terminal: a row for each target word, colored by weight.

The renderable uses the width, the colors and the character set of its console: a screen, a live
panel, HTML or Rich's SVG. Rows of cells touch, so that large weights form shapes; cells of small
weights have no background, for light and dark terminals. A table that is too wide folds between
columns into panels of about equal width, each with the target words; cells are never split.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table
from rich.text import Text

from attn_cli.render.captions import UNALIGNED_TITLE
from attn_cli.render.heat import UNALIGNED_MATTERS
from attn_cli.render.table_heading import table_heading
from attn_cli.render.terminal import (
    UNSURE,
    UNSURE_STYLE,
    TerminalStyle,
    center,
    printable,
    truncate,
)
from attn_cli.types import SoftAlignment

_DIGITS = 4  # cells of "0.94"
_PAD = 1  # empty cells on each side of a cell's text
_GAP = 1  # between the target words and the first column


def alignment_table(
    alignment: SoftAlignment,
    *,
    width: int | None = None,
    source: str | None = None,
    target: str | None = None,
    heading: bool = True,
    unsure: Collection[int] = (),
    unsure_below: float = 0.0,
) -> "AlignmentTable":
    """Return a renderable of `alignment`, at most `width` cells wide (None: the console's width).

    `source` and `target` are the raw lines of the heading; their words joined by spaces if None.
    The target words of the indices `unsure` are marked; the heading explains the mark as a
    probability below `unsure_below`.
    """
    return AlignmentTable(
        alignment,
        width,
        " ".join(alignment.source) if source is None else source,
        " ".join(alignment.target) if target is None else target,
        heading,
        frozenset(unsure),
        unsure_below,
    )


@dataclass(frozen=True, slots=True)
class AlignmentTable:
    """The renderable that `alignment_table` returns."""

    alignment: SoftAlignment
    width: int | None
    source: str
    target: str
    heading: bool
    unsure: frozenset[int] = frozenset()
    unsure_below: float = 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = self._width(options)
        terminal = TerminalStyle.of(console, options)
        if self.heading:
            yield from table_heading(self.alignment, self.source, self.target, width, terminal)
            if self.unsure:
                yield Text.assemble(
                    (UNSURE, UNSURE_STYLE),
                    (f" a word with a probability below {self.unsure_below:g}", "dim"),
                    overflow="fold",
                )
        for number, panel in enumerate(_panels(self.alignment, width, terminal, self.unsure)):
            if number or self.heading:
                yield Text()
            yield panel

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self._width(options), self._width(options))

    def fits(self, width: int) -> bool:
        """Return whether it fits `width` cells without folding."""
        plain = TerminalStyle("none", ascii_only=False)
        return len(_panels(self.alignment, width, plain, self.unsure)) <= 1

    def _width(self, options: ConsoleOptions) -> int:
        return min(self.width or options.max_width, options.max_width)


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    weights: tuple[float, ...]  # (T,)
    width: int
    is_word: bool = True


def _panels(
    alignment: SoftAlignment, width: int, terminal: TerminalStyle, unsure: frozenset[int]
) -> list[Table]:
    if not alignment.target:
        return []
    words = [printable(word) for word in alignment.target]
    narrowest = _DIGITS + 2 * _PAD
    longest = max(map(cell_len, words))
    gap = _GAP + 2 * bool(unsure)
    label = min(longest, max(width // 3, 4), max(width - narrowest - gap, 1))
    free = max(width - label - gap, narrowest)
    labels = [
        _label(truncate(word, label, terminal), label, gap, is_unsure=row in unsure)
        for row, word in enumerate(words)
    ]
    columns = _columns(alignment, free, terminal)
    return [_panel(labels, label + gap, panel, terminal) for panel in _fold(columns, free)]


def _label(word: str, width: int, gap: int, *, is_unsure: bool) -> Text:
    """Return a target word, right-aligned in `width` cells, and the mark of an unsure one."""
    text = Text(" " * (width - cell_len(word)) + word, "bold")
    if is_unsure:
        return text.append(" ").append(UNSURE, UNSURE_STYLE).append(" " * (gap - 2))
    return text.append(" " * gap)


def _columns(alignment: SoftAlignment, width: int, terminal: TerminalStyle) -> list[_Column]:
    """Return a column for each source word, and one for the unaligned share if it is large."""
    columns = []
    for index, word in enumerate(alignment.source):
        title = truncate(printable(word), width - 2 * _PAD, terminal)
        weights = tuple(
            math.nan if alignment.is_masked(row, index) else float(weight)
            for row, weight in enumerate(alignment.weights[:, index])
        )
        columns.append(_Column(title, weights, max(_DIGITS, cell_len(title)) + 2 * _PAD))
    unaligned = tuple(float(weight) for weight in alignment.unaligned)
    if not columns or max(unaligned, default=0) >= UNALIGNED_MATTERS:
        title = UNALIGNED_TITLE[alignment.kind]
        title = truncate(title, width - 2 * _PAD, terminal)
        columns.append(_Column(title, unaligned, len(title) + 2 * _PAD, is_word=False))
    return columns


def _fold(columns: Sequence[_Column], width: int) -> list[list[_Column]]:
    """Split the columns into the fewest panels that fit `width` cells, of about equal width."""
    fewest = len(_fill(columns, width))
    widest = max((column.width for column in columns), default=0)
    return next(
        panels
        for limit in range(min(widest, width), width + 1)
        if len(panels := _fill(columns, limit)) == fewest
    )


def _fill(columns: Sequence[_Column], limit: int) -> list[list[_Column]]:
    """Split the columns into panels of at most `limit` cells, each filled in turn."""
    panels: list[list[_Column]] = []
    free = 0
    for column in columns:
        if not panels or column.width > free:
            panels.append([])
            free = limit
        panels[-1].append(column)
        free -= column.width
    return panels


def _panel(
    labels: Sequence[Text], width: int, columns: Sequence[_Column], terminal: TerminalStyle
) -> Table:
    table = Table(box=None, padding=0, pad_edge=False, show_edge=False)
    table.add_column("", width=width, no_wrap=True)
    for column in columns:
        title = Text(center(column.title, column.width), "" if column.is_word else "italic dim")
        table.add_column(title, width=column.width, no_wrap=True)
    for row, label in enumerate(labels):
        cells = [_cell(column, column.weights[row], terminal) for column in columns]
        table.add_row(label, *cells)
    return table


def _cell(column: _Column, weight: float, terminal: TerminalStyle) -> Text:
    if math.isnan(weight):  # masked
        return Text(" " * column.width)
    style = terminal.style(weight) if column.is_word else Style(italic=True, dim=True)
    return Text(terminal.cell(weight, column.width), style)
