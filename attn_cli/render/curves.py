"""Draw small curves of braille dots, for a panel or a table of runs."""

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]

_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
_BLANK = 0x2800
#: The bit of each dot of a braille cell: four rows of two.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def sparkline(values: Sequence[float], *, width: int = 30, ascii_only: bool = False) -> str:
    """At most `width` bars between the least and the greatest value; more values are thinned."""
    if not values or width < 1:
        return ""
    shown = _thinned(values, width)
    low, high = min(shown), max(shown)
    bars = _ASCII_BARS if ascii_only else _BARS
    span = (high - low) or 1.0
    return "".join(bars[round((value - low) / span * (len(bars) - 1))] for value in shown)


def _thinned(values: Sequence[float], count: int) -> list[float]:
    """`count` of the values, or all, evenly spread with the last among them."""
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
    """The points, by rising x, joined by lines: `height` rows of `width` braille cells.

    `x` and `y` are what the axes reach from and to; left out, the extremes of the points.
    """
    grid = [[0] * width for _ in range(height)]
    left, right = x or (points[0][0], points[-1][0]) if points else (0.0, 1.0)
    heights = [value for _, value in points]
    low, high = y or (min(heights), max(heights)) if points else (0.0, 1.0)

    def place(point: Point) -> tuple[int, int]:
        across = (point[0] - left) / ((right - left) or 1.0)
        up = (point[1] - low) / ((high - low) or 1.0)
        return round(across * (2 * width - 1)), round((1.0 - up) * (4 * height - 1))

    def dot(column: int, row: int) -> None:
        if 0 <= column < 2 * width and 0 <= row < 4 * height:
            grid[row // 4][column // 2] |= _DOTS[row % 4][column % 2]

    places = [place(point) for point in points]
    if len(places) == 1:
        dot(*places[0])
    for (c, r), (d, s) in pairwise(places):
        steps = max(abs(d - c), abs(s - r), 1)
        for i in range(steps + 1):
            dot(round(c + (d - c) * i / steps), round(r + (s - r) * i / steps))
    return ["".join(chr(_BLANK + cell) for cell in row) for row in grid]
