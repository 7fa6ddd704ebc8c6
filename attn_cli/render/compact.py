"""Draw a table of weights in the terminal as a heat map with one or two cells per source word.

Source words are slanted above their columns, one letter per line, so that 60 words fit 120 cells.
If columns of one cell do not fit, the table folds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import RenderResult
from rich.style import Style
from rich.text import Text

from attn_cli.render.captions import UNALIGNED_TITLE, is_square
from attn_cli.render.heat import COLORED_FROM, UNALIGNED_MATTERS
from attn_cli.render.table_heading import HeadedTable
from attn_cli.render.terminal import SHADES, TerminalStyle, printable, step, truncate, word_label
from attn_cli.types import SoftAlignment

_LABEL = 16  # cells of the longest target word
_HEADING = 14  # letters of the longest source word
_GAP = 2  # between a target word and its row
#: Smallest weight that is drawn, as a dot if it has no background.
_DOT_FROM = 0.05


@dataclass(frozen=True, slots=True)
class CompactTable(HeadedTable):
    """A heat map without numbers."""

    def body(self, width: int, terminal: TerminalStyle) -> RenderResult:
        """Yield the panels that fit `width` cells."""
        layout = _Layout.of(self.alignment, width, terminal)
        for columns in layout.panels:
            yield Text()
            yield from _headings(layout, columns)
            for row, label in enumerate(layout.labels):
                yield _row(
                    self.alignment, layout, row, label, columns, terminal, row in self.unsure
                )

    def fits(self, width: int) -> bool:
        """Return whether it fits `width` cells without folding."""
        plain = TerminalStyle("none", ascii_only=False)
        return len(_Layout.of(self.alignment, width, plain).panels) == 1


@dataclass(frozen=True, slots=True)
class _Layout:
    """Texts and widths. A column is a source word or, last, the unaligned share."""

    labels: Sequence[str]
    headings: Sequence[Sequence[str]]  # the letters of each column's word
    label: int
    cell: int
    panels: Sequence[range]

    @classmethod
    def of(cls, alignment: SoftAlignment, width: int, terminal: TerminalStyle) -> "_Layout":
        labels = [truncate(printable(word), _LABEL, terminal) for word in alignment.target]
        letters = max(min(_HEADING, width // 3), 1)
        words = [truncate(printable(word), letters, terminal) for word in alignment.source]
        has_unaligned = not is_square(alignment) and bool(
            (alignment.unaligned >= UNALIGNED_MATTERS).any()
        )
        if has_unaligned:
            words.append(UNALIGNED_TITLE[alignment.kind].strip("()"))
        headings = [_letters(word) for word in words]
        label = max(map(cell_len, labels), default=0)
        room = max(width - label - _GAP, 1)
        widest = max((cell_len(letter) for letters in headings for letter in letters), default=1)
        for cell in (2, 1):
            if _width(headings, cell) <= room and (cell >= widest or cell == 1):
                return cls(labels, headings, label, cell, [range(len(headings))])
        cell = min(widest, 2)
        count = max((room - max(map(len, headings), default=0)) // cell, 1)
        panels = [
            range(first, min(first + count, len(headings)))
            for first in range(0, len(headings), count)
        ]
        return cls(labels, headings, label, cell, panels)


def _letters(word: str) -> list[str]:
    """Return the letters of a word, each with its combining marks."""
    letters: list[str] = []
    for sign in word:
        if letters and cell_len(sign) == 0:
            letters[-1] += sign
        else:
            letters.append(sign)
    return letters


def _width(headings: Sequence[Sequence[str]], cell: int) -> int:
    """Return the width in cells of the columns with their slanted words."""
    return max((cell * n + max(len(h), cell) for n, h in enumerate(headings)), default=0)


def _headings(layout: _Layout, columns: range) -> Iterator[Text]:
    """Yield the lines of the slanted source words: letter k is k lines up and k cells right."""
    words = [layout.headings[column] for column in columns]
    for height in range(max(map(len, words), default=0) - 1, -1, -1):
        line = Text(" " * (layout.label + _GAP), no_wrap=True, overflow="crop")
        end = 0  # the first empty cell
        for number, letters in enumerate(words):
            start = layout.cell * number + height
            if height < len(letters) and start >= end:
                line.append(" " * (start - end))
                line.append(letters[height], "bold" if layout.cell == 2 or number % 2 == 0 else "")
                end = start + cell_len(letters[height])
        yield line


def _row(
    alignment: SoftAlignment,
    layout: _Layout,
    row: int,
    label: str,
    columns: range,
    terminal: TerminalStyle,
    is_unsure: bool,
) -> Text:
    line = word_label(label, layout.label, is_unsure=is_unsure)
    line.append(" " * (_GAP - 1))
    for column in columns:
        if column < len(alignment.source):
            line.append_text(_cell(float(alignment.weights[row, column]), layout.cell, terminal))
        else:
            line.append_text(_cell(float(alignment.unaligned[row]), layout.cell, terminal))
    if terminal.colors == "none":  # else the background of spaces is visible
        line.rstrip()
    return line


def _cell(weight: float, width: int, terminal: TerminalStyle) -> Text:
    if weight < COLORED_FROM:
        sign = terminal.sign("·") if weight >= _DOT_FROM else " "
        return Text(sign.ljust(width), Style(dim=True))
    if terminal.colors == "none":
        sign = step(weight, _ASCII_SHADES if terminal.ascii_only else SHADES, " ")
        return Text(sign * width)
    return Text(" " * width, terminal.style(weight))


_ASCII_SHADES = ((0.8, "#"), (0.6, "+"), (0.4, "="), (COLORED_FROM, "-"))
