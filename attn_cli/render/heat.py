"""The colors of weights, for every form of a table, and the weights from which they apply.

Heat is hue and saturation more than lightness, slate to violet to coral: a strong cell stands out
on black and on white. The text on it is black or white, whichever contrasts more.
"""

from itertools import pairwise

#: Below this a weight would print as 0.00: it is shown as a dot.
ZERO_BELOW = 0.005
#: Below this a number is faint.
DIM_BELOW = 0.1
#: From here on a cell has a background.
COLORED_FROM = 0.2
#: A column for the unaligned share is shown when some target word leaves at least this much.
UNALIGNED_MATTERS = 0.05

#: Red, green and blue, 0 to 255.
RGB = tuple[int, int, int]

#: (weight, color) stops of the heat, linear between.
COLORMAP: tuple[tuple[float, RGB], ...] = (
    (COLORED_FROM, (100, 112, 156)),
    (0.45, (132, 92, 184)),
    (0.70, (214, 80, 132)),
    (1.00, (255, 132, 76)),
)
#: The colors of text on heat.
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def heat(weight: float) -> RGB:
    """Return the color of a weight from `COLORED_FROM` on, interpolated in `COLORMAP`."""
    for (low, cool), (high, hot) in pairwise(COLORMAP):
        if weight <= high:
            share = (weight - low) / (high - low)
            red, green, blue = (round(a + (b - a) * share) for a, b in zip(cool, hot, strict=True))
            return red, green, blue
    return COLORMAP[-1][1]


def contrasting_color(color: RGB) -> RGB:
    """Black or white, whichever has the higher WCAG contrast on `color`."""
    light = _luminance(color)
    on_black = (light + 0.05) / (_luminance(BLACK) + 0.05)
    on_white = (_luminance(WHITE) + 0.05) / (light + 0.05)
    return BLACK if on_black > on_white else WHITE


def _luminance(color: RGB) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
