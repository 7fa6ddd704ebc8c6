"""Draw small tables of several heads side by side in the terminal.

Imports values, Rich and the styles of `render.terminal`.

All tables are of one sentence, so the target words stand once, at the left of each band of tables,
and a weight is a number of two digits, in percent. The cells are as wide as they can be where that
costs no band more, up to the width of the longest word; a word that is wider than its cells loses
its end, since the whole sentence stands above. A sentence that is too long for even one table of
narrow cells is drawn as tables one below the other, which fold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.style import Style
from rich.text import Text

from attn_cli.render.captions import UNALIGNED_TITLE
from attn_cli.render.heat import UNALIGNED_MATTERS, ZERO_BELOW
from attn_cli.render.table import alignment_table, title_of
from attn_cli.render.terminal import SHADES, TerminalStyle, center, printable, step, truncate
from attn_cli.types import HeadAlignment

_NARROWEST, _WIDEST = 4, 9  # cells of a word: three letters and a gap, and what is wide enough
_LABEL = 12  # a target word that is longer is truncated
_GAP = 1  # between the target words and the first table
_BETWEEN = 3  # … and between two tables


@dataclass(frozen=True, slots=True)
class HeadGrid:
    """A renderable of the tables of several heads of one sentence.

    `source` and `target` are the raw lines of the heading.
    """

    heads: Sequence[HeadAlignment]
    source: str
    target: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        terminal, width = TerminalStyle.of(console, options), options.max_width
        yield from title_of(self.heads[0].alignment, self.source, self.target, width, terminal)
        layout = _Layout.of(self.heads, width, terminal)
        if layout is None:
            yield from _one_by_one(self.heads)
            return
        for band in _bands(self.heads, layout.across):
            yield Text()
            yield from _band(band, layout, terminal)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The words, the widths of their cells, and the number of tables side by side."""

    rows: Sequence[str]
    columns: Sequence[str]
    unaligned: str  # the title of the unaligned share's column, "" for none
    label: int
    cell: int
    across: int

    @classmethod
    def of(
        cls, heads: Sequence[HeadAlignment], width: int, terminal: TerminalStyle
    ) -> "_Layout | None":
        """None where not even one table fits."""
        table = heads[0].alignment
        rows = [truncate(printable(word), _LABEL, terminal) for word in table.target]
        columns = [printable(word) for word in table.source]
        matters = any((each.alignment.unaligned >= UNALIGNED_MATTERS).any() for each in heads)
        label = max(map(cell_len, rows), default=0)
        longest = max(map(cell_len, columns), default=0)
        count, titles = len(columns) + matters, max(cell_len(_title(each)) for each in heads)

        def across(cell: int) -> int:
            free = width - label - _GAP + _BETWEEN
            return min(free // (max(count * cell, titles) + _BETWEEN), len(heads))

        most = across(_NARROWEST)
        if most < 1:
            return None
        even = _evenly(len(heads), of_layer=_of_layer(heads), most=most)
        cells = range(_NARROWEST, min(_WIDEST, longest + 1) + 1)
        cell = max((each for each in cells if across(each) >= even), default=_NARROWEST)
        title = UNALIGNED_TITLE[table.kind] if matters else ""
        if cell_len(title) >= cell:
            title = title.strip("()")
        return cls(rows, columns, title, label, cell, even)

    @property
    def block(self) -> int:
        """The cells of a table's columns."""
        return self.cell * (len(self.columns) + bool(self.unaligned))


def _of_layer(heads: Sequence[HeadAlignment]) -> int:
    """The number of heads of a layer."""
    return sum(each.layer == heads[0].layer for each in heads)


def _evenly(count: int, *, of_layer: int, most: int) -> int:
    """How many tables stand side by side: whole layers, or else a layer in bands of about equal
    size."""
    if most >= of_layer:
        layers, fitting = count // of_layer, most // of_layer
        return of_layer * _parted(layers, fitting)
    return _parted(of_layer, most)


def _parted(count: int, most: int) -> int:
    """Return the size of the parts if `count` is split into the fewest parts of at most `most`."""
    parts = -(-count // most)
    return -(-count // parts)


def _bands(heads: Sequence[HeadAlignment], across: int) -> Iterator[Sequence[HeadAlignment]]:
    """The heads in bands of `across`, none of which begins in one layer and ends in the next,
    unless it holds whole layers."""
    group = max(across, _of_layer(heads))
    for start in range(0, len(heads), group):
        together = heads[start : start + group]
        yield from (together[at : at + across] for at in range(0, len(together), across))


def _title(each: HeadAlignment) -> str:
    return f"layer {each.layer} head {each.head}"


def _band(
    heads: Sequence[HeadAlignment], layout: _Layout, terminal: TerminalStyle
) -> Iterator[Text]:
    """A line of titles, one of source words, and one for each target word."""
    block = max(layout.block, max(cell_len(_title(each)) for each in heads))
    titles = [[Text(_title(each), "bold")] for each in heads]
    yield _line("", titles, block, layout)
    words = [Text(center(_clipped(word, layout.cell), layout.cell)) for word in layout.columns]
    if layout.unaligned:
        end = _clipped(layout.unaligned, layout.cell)
        words.append(Text(center(end, layout.cell), "italic dim"))
    yield _line("", [words] * len(heads), block, layout)
    for row, name in enumerate(layout.rows):
        cells = [list(_cells(each, row, layout, terminal)) for each in heads]
        yield _line(name, cells, block, layout)


def _line(name: str, blocks: Sequence[Sequence[Text]], block: int, layout: _Layout) -> Text:
    """One line through all tables of a band."""
    line = Text(no_wrap=True, overflow="crop")
    line.append(" " * (layout.label - cell_len(name)) + name + " " * _GAP, "bold")
    for number, parts in enumerate(blocks):
        for part in parts:
            line.append_text(part)
        if number + 1 < len(blocks):
            width = sum(part.cell_len for part in parts)
            line.append(" " * (block - width + _BETWEEN))
    return line


def _cells(
    each: HeadAlignment, row: int, layout: _Layout, terminal: TerminalStyle
) -> Iterator[Text]:
    for column, weight in enumerate(each.alignment.weights[row]):
        if each.alignment.is_masked(row, column):
            yield Text(" " * layout.cell)
            continue
        yield Text(_percent(float(weight), layout.cell, terminal), terminal.style(float(weight)))
    if layout.unaligned:
        mass = float(each.alignment.unaligned[row])
        yield Text(_percent(mass, layout.cell, terminal), Style(italic=True, dim=True))


def _percent(weight: float, width: int, terminal: TerminalStyle) -> str:
    """Return the weight in percent, or a dot for 0; without colors, also its shade."""
    if weight < ZERO_BELOW:
        return center(f"  {terminal.sign('·')} ", width)
    shade = "" if terminal.colors != "none" or terminal.ascii_only else step(weight, SHADES, "")
    return center(f"{100 * weight:3.0f}{shade or ' '}", width)


def _clipped(word: str, cell: int) -> str:
    """`word`, or as much of its beginning as leaves an empty cell."""
    return word if cell_len(word) < cell else set_cell_size(word, cell - 1)


def _one_by_one(heads: Sequence[HeadAlignment]) -> Iterator[RenderableType]:
    """Return the heads below each other."""
    for each in heads:
        yield Text()
        yield Text(_title(each), "bold")
        yield alignment_table(each.alignment, heading=False)
