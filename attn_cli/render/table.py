"""Draw a table of weights in the terminal: a row for each target word, colored by weight.

Knows values and Rich only. One renderable serves the screen, a live panel, HTML and Rich's SVG: it
asks the console it is drawn on for its width, its colours and its character set.

Three ideas carry the design:
* Rows of cells touch, so weight is a shape before it is a number. Cells of almost nothing have no
  background at all, which is why the table suits light and dark terminals without asking which.
* Heat is hue and saturation more than lightness, slate to violet to coral: a strong cell stands out
  on black and on white. The text on it is black or white, whichever contrasts more.
* A sentence too long for the width folds between columns into panels of about equal width, each
  repeating the target words. No cell is ever broken.
"""

import math
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from typing import Literal

from rich.cells import cell_len
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table
from rich.text import Text

from attn_cli.types import SoftAlignment

#: Below this a weight would print as 0.00: it is shown as a dot.
ZERO_BELOW = 0.005
#: Below this a number is faint.
DIM_BELOW = 0.1
#: From here on a cell has a background.
COLORED_FROM = 0.2
#: A column for the unaligned share is shown when some target word leaves at least this much.
UNALIGNED_MATTERS = 0.05

Colour = tuple[int, int, int]

#: (weight, colour) stops of the heat, linear between.
COLORMAP: tuple[tuple[float, Colour], ...] = (
    (COLORED_FROM, (100, 112, 156)),
    (0.45, (132, 92, 184)),
    (0.70, (214, 80, 132)),
    (1.00, (255, 132, 76)),
)
#: The same for terminals of 16 colours, whose exact shades are the user's: (from weight, style).
COLORMAP_16 = ((0.7, "bold bright_white on red"), (0.35, "bright_white on magenta"))
COLORMAP_16_LOWEST = "bright_white on blue"
#: Without any colour the weight is shaded after its number: (from weight, shade).
SHADES = ((0.8, "█"), (0.6, "▓"), (0.4, "▒"), (COLORED_FROM, "░"))

_DIGITS = 4  # cells of "0.94"
_PAD = 1  # empty cells on each side of what a cell says
_GAP = 1  # between the target words and the first column
#: What is written on heat.
BLACK, WHITE = (0, 0, 0), (255, 255, 255)

#: Unicode classes of the marks that turn the direction of writing.
_DIRECTIONS = frozenset({"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})

#: What the weights of a table say, by its kind and origin.
MEANING = {
    ("attention", "decoded"): "attention weights of each decoded word",
    ("attention", "forced"): "attention weights of each given word",
    ("alignment", "decoded"): "which words correspond",
    ("alignment", "forced"): "which words correspond",
    ("encoder self-attention", "forced"): "attention weights of each source word",
    ("decoder self-attention", "forced"): "attention weights of each word on the words up to it",
}
#: Stands behind a target word of low probability.
UNSURE, UNSURE_STYLE = "?", "bold yellow"

UNALIGNED_TITLE = {
    "attention": "(end)",
    "alignment": "(none)",
    "encoder self-attention": "(end)",
    "decoder self-attention": "(start)",
}


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
    The target words of the indices `unsure` are marked; the heading says that their probability is
    below `unsure_below`.
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


#: Cells of a table in a file.
PLAIN_WIDTH = 100


def plain(table: RenderableType, *, width: int = PLAIN_WIDTH) -> str:
    """Return the table as text without colors, for a file."""
    paper = Console(file=StringIO(), width=width, color_system=None, force_terminal=False)
    with paper.capture() as captured:
        paper.print(table)
    return captured.get()


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
        ink = TerminalStyle.of(console, options)
        if self.heading:
            yield from title_of(self.alignment, self.source, self.target, width, ink)
            if self.unsure:
                yield Text.assemble(
                    (UNSURE, UNSURE_STYLE),
                    (f" a word with a probability below {self.unsure_below:g}", "dim"),
                    overflow="fold",
                )
        for number, panel in enumerate(_panels(self.alignment, width, ink, self.unsure)):
            if number or self.heading:
                yield Text()
            yield panel

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self._width(options), self._width(options))

    def fits(self, width: int) -> bool:
        """Whether it is no wider than `width` cells without folding."""
        plain = TerminalStyle("none", ascii_only=False)
        return len(_panels(self.alignment, width, plain, self.unsure)) <= 1

    def _width(self, options: ConsoleOptions) -> int:
        return min(self.width or options.max_width, options.max_width)


@dataclass(frozen=True, slots=True)
class TerminalStyle:
    """The capabilities of a console: the number of colors, and the characters."""

    colours: Literal["none", "16", "many"]
    ascii_only: bool

    @classmethod
    def of(cls, console: Console, options: ConsoleOptions) -> "TerminalStyle":
        system = None if console.no_color else console.color_system
        colours: dict[str | None, Literal["none", "16", "many"]] = {
            None: "none",
            "standard": "16",
            "windows": "16",
        }
        return cls(colours.get(system, "many"), options.ascii_only)

    def sign(self, sign: str) -> str:
        return {"·": ".", "…": "~", "→": "->", "—": "-"}[sign] if self.ascii_only else sign

    def cell(self, weight: float, width: int) -> str:
        """The weight in the middle of `width` cells, or a dot for nothing.

        Where there are no colours its shade follows, in the empty cell after it.
        """
        if weight < ZERO_BELOW:
            return center(f" {self.sign('·')}  ", width)
        number = f"{weight:.2f}"
        shade = "" if self.colours != "none" or self.ascii_only else step(weight, SHADES, "")
        return center(number, width).replace(f"{number} ", f"{number}{shade or ' '}", 1)

    def style(self, weight: float) -> Style:
        """Return the style of a cell: dim, plain or with a colored background."""
        if weight < COLORED_FROM or self.colours == "none":
            return Style(dim=True) if weight < DIM_BELOW else Style()
        if self.colours == "16":
            return Style.parse(step(weight, COLORMAP_16, COLORMAP_16_LOWEST))
        behind = heat(weight)
        return Style(
            color=_rgb(contrasting_color(behind)), bgcolor=_rgb(behind), bold=weight >= 0.5
        )


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    weights: tuple[float, ...]  # (T,)
    width: int
    is_word: bool = True


def is_square(alignment: SoftAlignment) -> bool:
    """Whether it is a sentence's self-attention: its rows are its columns."""
    return alignment.kind not in ("attention", "alignment")


def caption_of(alignment: SoftAlignment) -> tuple[str, str]:
    """Return the name of the kind of table, and what its weights are."""
    origin = "" if is_square(alignment) else f", {alignment.mode}"
    return f"{alignment.kind}{origin}", MEANING[alignment.kind, alignment.mode]


def title_of(
    alignment: SoftAlignment, source: str, target: str, width: int, ink: TerminalStyle
) -> list[Text]:
    """What kind of table it is; the source; the target, on the same line where both fit.

    The sentence of a square table once.
    """
    name, meaning = caption_of(alignment)
    kind = Text.assemble((name, "bold"), (f" {ink.sign('—')} {meaning}", "dim"), overflow="fold")
    source, target = printable(source), printable(target)
    if is_square(alignment):
        return [kind, Text(source, overflow="fold")]
    arrow = f"{ink.sign('→')} "
    separator = " " if cell_len(f"{source} {arrow}{target}") <= width else "\n"
    sentences = Text.assemble(source, separator, (arrow, "dim"), (target, "bold"), overflow="fold")
    return [kind, sentences]


def _panels(
    alignment: SoftAlignment, width: int, ink: TerminalStyle, unsure: frozenset[int]
) -> list[Table]:
    if not alignment.target:
        return []
    words = [printable(word) for word in alignment.target]
    narrowest = _DIGITS + 2 * _PAD
    longest = max(map(cell_len, words))
    gap = _GAP + 2 * bool(unsure)
    label = min(longest, max(width // 3, 4), max(width - narrowest - gap, 1))
    room = max(width - label - gap, narrowest)
    labels = [
        _label(truncate(word, label, ink), label, gap, is_unsure=row in unsure)
        for row, word in enumerate(words)
    ]
    columns = _columns(alignment, room, ink)
    return [_panel(labels, label + gap, panel, ink) for panel in _folded(columns, room)]


def _label(word: str, width: int, gap: int, *, is_unsure: bool) -> Text:
    """Return a target word, right-aligned in `width` cells, and the mark of an unsure one."""
    text = Text(" " * (width - cell_len(word)) + word, "bold")
    if is_unsure:
        return text.append(" ").append(UNSURE, UNSURE_STYLE).append(" " * (gap - 2))
    return text.append(" " * gap)


def _columns(alignment: SoftAlignment, room: int, ink: TerminalStyle) -> list[_Column]:
    """Return a column for each source word, and one for the unaligned share if it is large."""
    columns = []
    for index, word in enumerate(alignment.source):
        title = truncate(printable(word), room - 2 * _PAD, ink)
        weights = tuple(
            math.nan if alignment.is_masked(row, index) else float(weight)
            for row, weight in enumerate(alignment.weights[:, index])
        )
        columns.append(_Column(title, weights, max(_DIGITS, cell_len(title)) + 2 * _PAD))
    unaligned = tuple(float(weight) for weight in alignment.unaligned)
    if not columns or max(unaligned, default=0) >= UNALIGNED_MATTERS:
        title = UNALIGNED_TITLE[alignment.kind]
        title = truncate(title, room - 2 * _PAD, ink)
        columns.append(_Column(title, unaligned, len(title) + 2 * _PAD, is_word=False))
    return columns


def _folded(columns: Sequence[_Column], room: int) -> list[list[_Column]]:
    """Split the columns into the fewest panels that fit `room`, of about equal width."""
    fewest = len(_filled(columns, room))
    widest = max((column.width for column in columns), default=0)
    return next(
        panels
        for limit in range(min(widest, room), room + 1)
        if len(panels := _filled(columns, limit)) == fewest
    )


def _filled(columns: Sequence[_Column], limit: int) -> list[list[_Column]]:
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
    labels: Sequence[Text], width: int, columns: Sequence[_Column], ink: TerminalStyle
) -> Table:
    table = Table(box=None, padding=0, pad_edge=False, show_edge=False)
    table.add_column("", width=width, no_wrap=True)
    for column in columns:
        title = Text(center(column.title, column.width), "" if column.is_word else "italic dim")
        table.add_column(title, width=column.width, no_wrap=True)
    for row, label in enumerate(labels):
        cells = [_cell(column, column.weights[row], ink) for column in columns]
        table.add_row(label, *cells)
    return table


def _cell(column: _Column, weight: float, ink: TerminalStyle) -> Text:
    if math.isnan(weight):  # masked
        return Text(" " * column.width)
    style = ink.style(weight) if column.is_word else Style(italic=True, dim=True)
    return Text(ink.cell(weight, column.width), style)


def center(text: str, width: int) -> str:
    """`text` in the middle of `width` cells."""
    free = width - cell_len(text)
    return " " * (free // 2) + text + " " * (free - free // 2)


def printable(text: str) -> str:
    """`text` with a width the terminal agrees on, and nothing that could steer it.

    Control characters, line separators, lone surrogates and marks of writing direction become
    U+FFFD; a combining mark with nothing before it gets a dotted circle to sit on.
    """
    shown = "".join("\ufffd" if _steers(character) else character for character in text)
    shown = shown.rstrip("\u200d")  # a joiner with nothing to join would swallow the next cell
    return f"◌{shown}" if shown and cell_len(shown[0]) == 0 else shown


def _steers(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(character) in _DIRECTIONS
    )


def truncate(text: str, width: int, ink: TerminalStyle) -> str:
    """`text` if it fits `width` cells, else as much of its beginning as fits before an ellipsis."""
    if cell_len(text) <= width:
        return text
    kept = ""
    for character in text:
        if cell_len(kept + character) > width - 1:
            break
        kept += character
    return kept.rstrip("\u200d") + ink.sign("…")


def step(weight: float, steps: Sequence[tuple[float, str]], lowest: str) -> str:
    """The name of the first step that the weight reaches."""
    return next((name for least, name in steps if weight >= least), lowest)


def heat(weight: float) -> Colour:
    """Return the color of a weight from WARM on, interpolated between the stops of RAMP."""
    for (low, cool), (high, hot) in pairwise(COLORMAP):
        if weight <= high:
            share = (weight - low) / (high - low)
            red, green, blue = (round(a + (b - a) * share) for a, b in zip(cool, hot, strict=True))
            return red, green, blue
    return COLORMAP[-1][1]


def contrasting_color(colour: Colour) -> Colour:
    """Black or white, whichever has the higher WCAG contrast on `colour`."""
    light = _luminance(colour)
    on_black = (light + 0.05) / (_luminance(BLACK) + 0.05)
    on_white = (_luminance(WHITE) + 0.05) / (light + 0.05)
    return BLACK if on_black > on_white else WHITE


def _luminance(colour: Colour) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: Colour) -> Color:
    return Color.from_rgb(*colour)
