"""Draw small curves of braille dots, for a panel or a table of runs."""

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]

_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
_BLANK = 0x2800
#: The bit of each dot of a braille cell: four rows of two.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def sparkline(values: Sequence[float], *, width: int = 30, ascii_only: bool = False) -> str:
    """Return at most `width` bars, from the minimum to the maximum; more values are subsampled."""
    if not values or width < 1:
        return ""
    sample = _subsample(values, width)
    low, high = min(sample), max(sample)
    bars = _ASCII_BARS if ascii_only else _BARS
    span = (high - low) or 1.0
    return "".join(bars[round((value - low) / span * (len(bars) - 1))] for value in sample)


def _subsample(values: Sequence[float], count: int) -> list[float]:
    """Return at most `count` of the values, evenly spaced, the last included."""
    if len(values) <= count:
        return list(values)
    if count == 1:
        return [values[-1]]
    return [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]


def curve(
    points: Sequence[Point],
    *,
    width: int,
    height: int,
    x: Point | None = None,
    y: Point | None = None,
) -> list[str]:
    """Draw points, by ascending x, and lines between them in `height` rows of `width` cells.

    `x` and `y` are the limits of the axes, by default the extremes of the points.
    """
    grid = [[0] * width for _ in range(height)]
    left, right = x or (points[0][0], points[-1][0]) if points else (0.0, 1.0)
    heights = [value for _, value in points]
    low, high = y or (min(heights), max(heights)) if points else (0.0, 1.0)

    def to_dot(point: Point) -> tuple[int, int]:
        across = (point[0] - left) / ((right - left) or 1.0)
        up = (point[1] - low) / ((high - low) or 1.0)
        return round(across * (2 * width - 1)), round((1.0 - up) * (4 * height - 1))

    def draw(column: int, row: int) -> None:
        if 0 <= column < 2 * width and 0 <= row < 4 * height:
            grid[row // 4][column // 2] |= _DOTS[row % 4][column % 2]

    dots = [to_dot(point) for point in points]
    if len(dots) == 1:
        draw(*dots[0])
    for (c, r), (d, s) in pairwise(dots):
        steps = max(abs(d - c), abs(s - r), 1)
        for i in range(steps + 1):
            draw(round(c + (d - c) * i / steps), round(r + (s - r) * i / steps))
    return ["".join(chr(_BLANK + cell) for cell in row) for row in grid]
