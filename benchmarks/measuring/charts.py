"""Draw the pictures of the study as standalone SVG: curves, and tables of weights side by side.

Text is text, each mark has a tooltip, and the background follows light or dark preference.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from xml.sax.saxutils import escape

from attn_cli.render.heat import heat

#: Colors that most people can tell apart on light and dark backgrounds (Okabe & Ito 2008).
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31")

_STYLE = """
.study text { font-family: Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans', sans-serif;
 font-size: 13px; fill: #1f2328; }
.study .ground { fill: #ffffff; stroke: #d8dee4; }
.study .grid { stroke: #d8dee4; stroke-width: 1; }
.study .faint { fill: #6e7781; }
.study .small { font-size: 10px; }
.study .title { font-weight: 600; }
.study .cold { fill: #eff2f5; }
@media (prefers-color-scheme: dark) {
.study text { fill: #e6edf3; }
.study .ground { fill: #0d1117; stroke: #30363d; }
.study .grid { stroke: #30363d; }
.study .faint { fill: #8b949e; }
.study .cold { fill: #161b22; }
}
"""

_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 60, 150, 52

Points = Sequence[tuple[float, float]]


def curves(
    title: str,
    series: Mapping[str, Points],
    *,
    x: str,
    y: str,
    ticks: Mapping[float, str] | None = None,
    size: tuple[int, int] = (640, 380),
) -> str:
    """Draw lines through points, with a name at the right end; `ticks` are labels of the x axis."""
    points = [point for row in series.values() for point in row]
    low_x, high_x = (f(p[0] for p in points) for f in (min, max))
    low_y, high_y = _rounded(min(p[1] for p in points), max(p[1] for p in points))
    width, height = size[0] - _LEFT - _RIGHT, size[1] - _TOP - _BOTTOM

    def at(point: tuple[float, float]) -> tuple[float, float]:
        across = (point[0] - low_x) / ((high_x - low_x) or 1)
        up = (point[1] - low_y) / ((high_y - low_y) or 1)
        return round(_LEFT + across * width, 1), round(_TOP + (1 - up) * height, 1)

    parts = _opened(title, size)
    for value in _steps(low_y, high_y):
        _, line = at((low_x, value))
        parts += [
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + width}" y1="{line}" y2="{line}"/>',
            f'<text class="faint" x="{_LEFT - 8}" y="{line + 4}" text-anchor="end">'
            f"{value:g}</text>",
        ]
    tick_labels = ticks or {value: f"{value:g}" for value in _steps(*_rounded(low_x, high_x))}
    for value, name in tick_labels.items():
        if low_x <= value <= high_x:
            column, _ = at((value, low_y))
            parts.append(
                f'<text class="faint" x="{column}" y="{_TOP + height + 20}" '
                f'text-anchor="middle">{escape(name)}</text>'
            )
    parts.append(
        f'<text class="faint" x="{_LEFT + width / 2}" y="{size[1] - 12}" '
        f'text-anchor="middle">{escape(x)}</text>'
    )
    parts.append(f'<text class="faint" x="{_LEFT - 40}" y="{_TOP - 10}">{escape(y)}</text>')
    taken: list[float] = []
    ends = sorted(series.items(), key=lambda row: -row[1][-1][1])
    colors = dict(zip(series, cycle(COLORS), strict=False))
    for name, row in ends:
        color = colors[name]
        path = " ".join(f"{a},{b}" for a, b in map(at, row))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        for point in row:
            a, b = at(point)
            says = f"{name}: {point[1]:.1f} at {tick_labels.get(point[0], f'{point[0]:g}')}"
            parts.append(
                f'<circle cx="{a}" cy="{b}" r="3" fill="{color}"><title>{escape(says)}</title>'
                "</circle>"
            )
        a, b = at(row[-1])
        b = max([b, *(other + 14 for other in taken[-1:])])
        taken.append(b)
        parts.append(
            f'<text x="{_LEFT + width + 10}" y="{b + 4}" style="fill: {color}">{escape(name)}'
            "</text>"
        )
    return _closed(parts)


_CELL, _GAP, _WORDS = 17, 22, 88


def tables(title: str, systems: Mapping[str, Mapping[str, Sequence]], *, across: int = 3) -> str:
    """Draw the weights of each system: {source, target, weights (T, S), unaligned (T,)}.

    The last column, at a distance, is the weight of the end of the sentence.
    """
    first = next(iter(systems.values()))
    columns, rows = len(first["source"]), len(first["target"])
    wide = _WORDS + _CELL * columns + 8 + _CELL + _GAP
    high = 74 + 24 + _CELL * rows + _GAP
    down = -(-len(systems) // across)
    across = min(across, len(systems))
    parts = _opened(title, (wide * across + _GAP, high * down + 40))
    for place, (name, table) in enumerate(systems.items()):
        x, y = _GAP + wide * (place % across), 36 + high * (place // across)
        parts.append(f'<g transform="translate({x} {y})">')
        parts.append(f'<text class="title" x="0" y="14">{escape(name)}</text>')
        for column, word in enumerate([*table["source"], "end"]):
            left = _WORDS + _CELL * column + (8 if column == columns else 0) + _CELL / 2 + 4
            parts.append(
                f'<text class="small" transform="translate({left} 92) rotate(-60)">'
                f"{escape(word)}</text>"
            )
        for row, word in enumerate(table["target"]):
            top = 98 + _CELL * row
            parts.append(
                f'<text class="small" x="{_WORDS - 6}" y="{top + 12}" text-anchor="end">'
                f"{escape(word)}</text>"
            )
            weights = [*table["weights"][row], table["unaligned"][row]]
            for column, weight in enumerate(weights):
                left = _WORDS + _CELL * column + (8 if column == columns else 0)
                source_word = [*table["source"], "end"][column]
                parts.append(_cell(left, top, weight, f"{word} ← {source_word}: {weight:.2f}"))
        parts.append("</g>")
    return _closed(parts)


def _cell(x: float, y: float, weight: float, says: str) -> str:
    color = "#{:02x}{:02x}{:02x}".format(*heat(weight)) if weight >= 0.005 else ""
    fill = f'style="fill: {color}"' if color else 'class="cold"'
    return (
        f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" rx="2" {fill}>'
        f"<title>{escape(says)}</title></rect>"
    )


def _opened(title: str, size: tuple[int, int]) -> list[str]:
    width, height = size
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="study" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="title" x="16" y="24">{escape(title)}</text>',
    ]


def _closed(parts: list[str]) -> str:
    return "\n".join([*parts, "</svg>"]) + "\n"


def _step(low: float, high: float) -> float:
    """Return a round distance for about five grid lines."""
    rough = max(high - low, 1e-9) / 5
    power = 10.0 ** (len(str(int(rough))) - 1) if rough >= 1 else 0.1
    return next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= rough)


def _rounded(low: float, high: float) -> tuple[float, float]:
    step = _step(low, high)
    return step * (low // step), step * -(-high // step)


def _steps(low: float, high: float) -> list[float]:
    step = _step(low, high)
    count = round((high - low) / step)
    return [round(low + step * number, 6) for number in range(count + 1)]
