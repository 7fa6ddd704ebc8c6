"""Format words and weights for the colors and characters of a terminal.

Control characters of texts are replaced.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Literal

from rich.cells import cell_len
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderableType
from rich.style import Style
from rich.text import Text

from attn_cli.render.heat import COLORED_FROM, DIM_BELOW, RGB, ZERO_BELOW, contrasting_color, heat

#: The color map of terminals of 16 colors: (from weight, style).
COLORMAP_16 = ((0.7, "bold bright_white on red"), (0.35, "bright_white on magenta"))
COLORMAP_16_LOWEST = "bright_white on blue"
#: Without colors, the shade after the number of a weight: (from weight, shade).
SHADES = ((0.8, "█"), (0.6, "▓"), (0.4, "▒"), (COLORED_FROM, "░"))

#: The mark after a target word of low probability.
UNSURE, UNSURE_STYLE = "?", "bold yellow"

#: Unicode bidirectional classes of the marks of direction.
_DIRECTIONS = frozenset({"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


@dataclass(frozen=True, slots=True)
class TerminalStyle:
    """The capabilities of a console: the number of colors, and the characters."""

    colors: Literal["none", "16", "many"]
    ascii_only: bool

    @classmethod
    def of(cls, console: Console, options: ConsoleOptions) -> "TerminalStyle":
        system = None if console.no_color else console.color_system
        colors: dict[str | None, Literal["none", "16", "many"]] = {
            None: "none",
            "standard": "16",
            "windows": "16",
        }
        return cls(colors.get(system, "many"), options.ascii_only)

    def sign(self, sign: str) -> str:
        """Return one of the signs `·…→—`, or its replacement in ASCII."""
        return {"·": ".", "…": "~", "→": "->", "—": "-"}[sign] if self.ascii_only else sign

    def cell(self, weight: float, width: int) -> str:
        """Return the weight in the middle of `width` cells, or a dot for almost 0.

        Without colors its shade is in the empty cell after it.
        """
        if weight < ZERO_BELOW:
            return center(f" {self.sign('·')}  ", width)
        number = f"{weight:.2f}"
        shade = "" if self.colors != "none" or self.ascii_only else step(weight, SHADES, "")
        return center(number, width).replace(f"{number} ", f"{number}{shade or ' '}", 1)

    def style(self, weight: float) -> Style:
        """Return the style of a cell: dim, plain or with a colored background."""
        if weight < COLORED_FROM or self.colors == "none":
            return Style(dim=True) if weight < DIM_BELOW else Style()
        if self.colors == "16":
            return Style.parse(step(weight, COLORMAP_16, COLORMAP_16_LOWEST))
        background = heat(weight)
        return Style(
            color=_rgb(contrasting_color(background)), bgcolor=_rgb(background), bold=weight >= 0.5
        )


#: Cells of a table in a file.
PLAIN_WIDTH = 100


def plain(table: RenderableType, *, width: int = PLAIN_WIDTH) -> str:
    """Return the table as text without colors, for a file."""
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def word_label(word: str, width: int, *, is_unsure: bool) -> Text:
    """Return a target word, right-aligned in `width` cells, then `UNSURE` or a space."""
    line = Text(" " * (width - cell_len(word)), no_wrap=True, overflow="crop")
    line.append(word, "bold")
    return line.append(UNSURE if is_unsure else " ", UNSURE_STYLE if is_unsure else "")


def center(text: str, width: int) -> str:
    """Return `text` in the middle of `width` cells."""
    free = width - cell_len(text)
    return " " * (free // 2) + text + " " * (free - free // 2)


def printable(text: str) -> str:
    """Return `text` with a definite width and without control characters.

    Control characters, line separators, lone surrogates and marks of direction become U+FFFD; a
    combining mark at the start gets a dotted circle as its base.
    """
    text = "".join("\ufffd" if _is_control(character) else character for character in text)
    text = text.rstrip("\u200d")  # a joiner at the end would join the next cell
    return f"◌{text}" if text and cell_len(text[0]) == 0 else text


def _is_control(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(character) in _DIRECTIONS
    )


def truncate(text: str, width: int, terminal: TerminalStyle) -> str:
    """Return `text`, or if it does not fit `width` cells, its beginning and an ellipsis."""
    if cell_len(text) <= width:
        return text
    beginning = ""
    for character in text:
        if cell_len(beginning + character) > width - 1:
            break
        beginning += character
    return beginning.rstrip("\u200d") + terminal.sign("…")


def step(weight: float, steps: Sequence[tuple[float, str]], lowest: str) -> str:
    """Return the name of the first step that the weight reaches, `lowest` if it reaches none."""
    return next((name for least, name in steps if weight >= least), lowest)


def _rgb(color: RGB) -> Color:
    return Color.from_rgb(*color)
