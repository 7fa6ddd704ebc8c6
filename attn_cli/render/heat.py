"""The color map of weights and its thresholds, for every drawing of a table.

The map varies hue and saturation more than lightness, from slate through violet to coral, so that
large weights are visible on black and on white. The text on a color is black or white, whichever
has more contrast.
"""

from itertools import pairwise

#: Smaller weights, which would print as 0.00, are drawn as a dot.
ZERO_BELOW = 0.005
#: Smaller weights are dim.
DIM_BELOW = 0.1
#: Smallest weight with a background.
COLORED_FROM = 0.2
#: Smallest unaligned share of a target word for which the table has a column of unaligned shares.
UNALIGNED_MATTERS = 0.05

#: Red, green and blue, 0 to 255.
RGB = tuple[int, int, int]

#: (weight, color) stops of the color map, linear in between.
COLORMAP: tuple[tuple[float, RGB], ...] = (
    (COLORED_FROM, (100, 112, 156)),
    (0.45, (132, 92, 184)),
    (0.70, (214, 80, 132)),
    (1.00, (255, 132, 76)),
)
#: The colors of text on a background.
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
    """Return black or white, whichever has the higher WCAG contrast on `color`."""
    luminance = _luminance(color)
    of_black = (luminance + 0.05) / (_luminance(BLACK) + 0.05)
    of_white = (_luminance(WHITE) + 0.05) / (luminance + 0.05)
    return BLACK if of_black > of_white else WHITE


def _luminance(color: RGB) -> float:
    """Return the relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
