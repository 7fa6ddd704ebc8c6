"""Draw small tables of several heads side by side in the terminal.

All tables are of one sentence, so the target words are written once, at the left of each band of
tables, and a weight is a number of two digits, in percent. Cells are as wide as possible without
another band, up to the width of the longest word; a word that is wider than its cells is truncated,
since the heading has the whole sentence. If not even one table of narrow cells fits, the tables are
drawn below each other, and fold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.style import Style
from rich.text import Text

from attn_cli.render.captions import UNALIGNED_TITLE
from attn_cli.render.heat import UNALIGNED_MATTERS, ZERO_BELOW
from attn_cli.render.table import alignment_table
from attn_cli.render.table_heading import table_heading
from attn_cli.render.terminal import SHADES, TerminalStyle, center, printable, step, truncate
from attn_cli.types import HeadAlignment

_NARROWEST, _WIDEST = 4, 9  # cells of a column: at least three letters and a gap
_LABEL = 12  # cells of the longest target word
_GAP = 1  # cells between the target words and the first table
_BETWEEN = 3  # cells between two tables


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
        yield from table_heading(self.heads[0].alignment, self.source, self.target, width, terminal)
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
        """Return the layout, None if not even one table fits."""
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
        even = _tables_per_band(len(heads), per_layer=_heads_per_layer(heads), most=most)
        cells = range(_NARROWEST, min(_WIDEST, longest + 1) + 1)
        cell = max((each for each in cells if across(each) >= even), default=_NARROWEST)
        title = UNALIGNED_TITLE[table.kind] if matters else ""
        if cell_len(title) >= cell:
            title = title.strip("()")
        return cls(rows, columns, title, label, cell, even)

    @property
    def block(self) -> int:
        """The width in cells of a table's columns."""
        return self.cell * (len(self.columns) + bool(self.unaligned))


def _heads_per_layer(heads: Sequence[HeadAlignment]) -> int:
    return sum(each.layer == heads[0].layer for each in heads)


def _tables_per_band(count: int, *, per_layer: int, most: int) -> int:
    """Return the number of tables side by side: whole layers, else equal parts of a layer."""
    if most >= per_layer:
        return per_layer * _part_size(count // per_layer, most // per_layer)
    return _part_size(per_layer, most)


def _part_size(count: int, most: int) -> int:
    """Return the size of the parts if `count` is split into the fewest parts of at most `most`."""
    parts = -(-count // most)
    return -(-count // parts)


def _bands(heads: Sequence[HeadAlignment], across: int) -> Iterator[Sequence[HeadAlignment]]:
    """Yield bands of at most `across` heads, each within a layer or of whole layers."""
    size = max(across, _heads_per_layer(heads))
    for start in range(0, len(heads), size):
        group = heads[start : start + size]
        yield from (group[first : first + across] for first in range(0, len(group), across))


def _title(each: HeadAlignment) -> str:
    return f"layer {each.layer} head {each.head}"


def _band(
    heads: Sequence[HeadAlignment], layout: _Layout, terminal: TerminalStyle
) -> Iterator[Text]:
    """Yield a line of titles, one of source words, and one for each target word."""
    block = max(layout.block, max(cell_len(_title(each)) for each in heads))
    titles = [[Text(_title(each), "bold")] for each in heads]
    yield _line("", titles, block, layout)
    words = [Text(center(_clip(word, layout.cell), layout.cell)) for word in layout.columns]
    if layout.unaligned:
        title = _clip(layout.unaligned, layout.cell)
        words.append(Text(center(title, layout.cell), "italic dim"))
    yield _line("", [words] * len(heads), block, layout)
    for row, name in enumerate(layout.rows):
        cells = [list(_cells(each, row, layout, terminal)) for each in heads]
        yield _line(name, cells, block, layout)


def _line(name: str, blocks: Sequence[Sequence[Text]], block: int, layout: _Layout) -> Text:
    """Return a line across all tables of a band."""
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
        share = float(each.alignment.unaligned[row])
        yield Text(_percent(share, layout.cell, terminal), Style(italic=True, dim=True))


def _percent(weight: float, width: int, terminal: TerminalStyle) -> str:
    """Return the weight in percent, or a dot for 0; without colors, also its shade."""
    if weight < ZERO_BELOW:
        return center(f"  {terminal.sign('·')} ", width)
    shade = "" if terminal.colors != "none" or terminal.ascii_only else step(weight, SHADES, "")
    return center(f"{100 * weight:3.0f}{shade or ' '}", width)


def _clip(word: str, cell: int) -> str:
    """Return `word`, or as much of its beginning as leaves an empty cell."""
    return word if cell_len(word) < cell else set_cell_size(word, cell - 1)


def _one_by_one(heads: Sequence[HeadAlignment]) -> Iterator[RenderableType]:
    """Yield the tables below each other."""
    for each in heads:
        yield Text()
        yield Text(_title(each), "bold")
        yield alignment_table(each.alignment, heading=False)
