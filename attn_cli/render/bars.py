"""Draw numbers, vectors and bars as text for the terminal."""

from collections.abc import Sequence

from rich.text import Text

from attn_cli.render.heat import RGB, heat
from attn_cli.render.terminal import TerminalStyle

#: Cells of a component of a vector: a sign, digits and three decimals.
COMPONENT = 7

#: Colors of the components of a vector, at the largest value: negative and positive.
NEGATIVE, POSITIVE = (96, 150, 226), (236, 128, 84)
_NEUTRAL = (128, 128, 136)

_EIGHTHS = " ▏▎▍▌▋▊▉"


def fixed(value: float, decimals: int = 3) -> str:
    """Return a number with so many decimals, a minus sign (U+2212), and no negative zero."""
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def components(vector: Sequence[float], count: int, style: TerminalStyle) -> Text:
    """Draw the first `count` components, each `COMPONENT` cells wide, and … if there are more."""
    text = Text()
    largest = max((abs(value) for value in vector), default=0.0) or 1.0
    for value in vector[:count]:
        color = _diverging(value / largest)
        text.append(f"{fixed(value):>{COMPONENT}}", _rgb(color) if _many(style) else "")
    return text.append(f" {style.sign('…')}" if len(vector) > count else "  ", "dim")


def strip(vector: Sequence[float], width: int, style: TerminalStyle) -> Text | None:
    """Draw two components per cell in at most `width` cells, by color; None without colors."""
    if not _many(style):
        return None
    largest = max((abs(value) for value in vector), default=0.0) or 1.0
    colors = [_diverging(value / largest) for value in vector[: 2 * width]]
    if len(colors) % 2:
        colors.append((0, 0, 0))
    text = Text()
    for left, right in zip(colors[::2], colors[1::2], strict=True):
        text.append("▌", f"{_rgb(left)} on {_rgb(right)}")
    return text


def bar(value: float, largest: float, width: int, style: TerminalStyle, color: str = "") -> Text:
    """Draw a bar of value / largest, from 0 to 1, of `width` cells."""
    fraction = min(max(value / largest, 0.0), 1.0) if largest > 0 else 0.0
    if style.ascii_only:
        text = "#" * round(fraction * width)
    else:
        eighths = round(fraction * width * 8)
        text = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8].strip() if eighths % 8 else "")
    return Text(text.ljust(width), color)


def diverging_bar(value: float, low: float, high: float, width: int, style: TerminalStyle) -> Text:
    """Draw a bar from zero to `value` on an axis of `width` cells from `low` ≤ 0 to `high` ≥ 0."""
    span = (high - low) or 1.0
    zero = round(-low / span * width)
    sign = "#" if style.ascii_only else "█"
    if value < 0:
        length = min(round(-value / span * width), zero)
        color = _rgb(NEGATIVE) if _many(style) else ""
        return Text(" " * (zero - length)).append(sign * length, color)
    color = _rgb(POSITIVE) if _many(style) else ""
    return Text(" " * zero).append_text(
        bar(value, high, max(width - zero, 0), style, color) if high > 0 else Text()
    )


def weight_bar(weight: float, width: int, style: TerminalStyle) -> Text:
    """Draw a bar of a weight from 0 to 1 in the table's color."""
    return bar(weight, 1.0, width, style, _rgb(heat(weight)) if _many(style) else "")


def on_heat(text: str, weight: float, style: TerminalStyle) -> Text:
    """Return text with the table's background for this weight."""
    return Text(text, style.style(weight))


def _many(style: TerminalStyle) -> bool:
    return style.colors == "many"


def _diverging(value: float) -> RGB:
    """Return the color of a component from -1 to 1."""
    end, strength = (NEGATIVE, -value) if value < 0 else (POSITIVE, value)
    red, green, blue = (
        round(a + (b - a) * min(strength, 1.0)) for a, b in zip(_NEUTRAL, end, strict=True)
    )
    return red, green, blue


def _rgb(color: RGB) -> str:
    return "rgb({},{},{})".format(*color)
