"""Draw a table of weights as a standalone SVG, in the colors of the terminal's table.

The picture is text and rectangles: words can be selected and searched, each cell has a tooltip, and
title and description are for screen readers. It has its own background and follows the viewer's
preference of light or dark. Widths of words are estimated, and rather too large, since the font is
not known.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from attn_cli.render.captions import UNALIGNED_TITLE, caption_of, is_square
from attn_cli.render.heat import (
    COLORED_FROM,
    DIM_BELOW,
    RGB,
    UNALIGNED_MATTERS,
    WHITE,
    ZERO_BELOW,
    contrasting_color,
    heat,
)
from attn_cli.types import HeadAlignment, SoftAlignment

FONTS = (
    "Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans', 'DejaVu Sans', "
    "'Hiragino Sans', 'Noto Sans CJK JP', 'Apple Color Emoji', 'Noto Color Emoji', sans-serif"
)

_MARGIN = 28
_WORD, _SMALL = 16, 13  # font sizes of words, and of numbers and the caption
_ROW = 38  # height of a cell
_CELL = 58  # least width of a cell
_WIDEST = 112  # if a source word is wider than this, or all together than …
_WIDE = 900  # … this, the words are slanted above cells of the least width
_GUTTER = 14  # between words and cells
_SLANT = 0.7072  # cos 45° = sin 45°

# Every rule starts with .attn, since a page may contain this picture inline.
_STYLE = f"""
.attn text {{ font-family: {FONTS}; font-size: {_WORD}px; fill: #1f2328; }}
.attn .card {{ fill: #ffffff; stroke: #d8dee4; }}
.attn .cold {{ fill: #eff2f5; }}
.attn .small {{ font-size: {_SMALL}px; }}
.attn .number {{ text-anchor: middle; font-variant-numeric: tabular-nums; }}
.attn .column {{ text-anchor: middle; font-weight: 600; }}
.attn .aslant {{ text-anchor: start; font-weight: 600; }}
.attn .row {{ text-anchor: end; font-weight: 600; }}
.attn .faint {{ fill: #6e7781; }}
@media (prefers-color-scheme: dark) {{
.attn text {{ fill: #e6edf3; }}
.attn .card {{ fill: #0d1117; stroke: #30363d; }}
.attn .cold {{ fill: #161b22; }}
.attn .faint {{ fill: #8b949e; }}
}}
.attn .on-dark {{ fill: #ffffff; }}
.attn .on-light {{ fill: #000000; }}
"""


def svg(alignment: SoftAlignment, *, source: str | None = None, target: str | None = None) -> str:
    """Return the table as an SVG document, a row for each target word.

    `source` and `target` are the raw lines named in its title; the words joined if None.
    """
    layout = _Layout(alignment, _caption(alignment))
    source_text = " ".join(alignment.source) if source is None else source
    target_text = " ".join(alignment.target) if target is None else target
    title = source_text if is_square(alignment) else f"{source_text} → {target_text}"
    parts = _document(title, _description(alignment), layout.width, layout.height)
    return "\n".join([*parts, *_card(layout), "</svg>"]) + "\n"


def svg_of_heads(heads: Sequence[HeadAlignment], *, source: str, target: str) -> str:
    """Return the tables of several heads as one SVG document, a row for each layer.

    `source` and `target` are the raw lines named in its title.
    """
    layouts = [_Layout(each.alignment, f"layer {each.layer}, head {each.head}") for each in heads]
    width = max(layout.width for layout in layouts)
    height = max(layout.height for layout in layouts)
    layers = sorted({each.layer for each in heads})
    numbers = sorted({each.head for each in heads})
    across, down = (width + _GUTTER) * len(numbers), (height + _GUTTER) * len(layers)
    caption = f"{_caption(heads[0].alignment)}; {len(heads)} heads"
    parts = _document(f"{source} → {target}", caption, across - _GUTTER, down - _GUTTER)
    for each, layout in zip(heads, layouts, strict=True):
        x = (width + _GUTTER) * numbers.index(each.head)
        y = (height + _GUTTER) * layers.index(each.layer)
        parts += [f'<g transform="translate({x} {y})">', *_card(layout), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _document(title: str, description: str, width: int, height: int) -> list[str]:
    """Return the start of a document: size, title and description for screen readers, styles."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="attn" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{_xml(title)}</title>",
        f"<desc>{_xml(description)}</desc>",
        f"<style>{_STYLE}</style>",
    ]


def _card(layout: "_Layout") -> Iterator[str]:
    """Yield a table on its background, with its caption below."""
    yield (
        f'<rect class="card" x="0.5" y="0.5" width="{layout.width - 1}" '
        f'height="{layout.height - 1}" rx="10"/>'
    )
    yield from _column_words(layout)
    yield from _rows(layout)
    yield (
        f'<text class="small faint" x="{_MARGIN}" y="{layout.height - _MARGIN + 6}">'
        f"{_xml(layout.caption)}</text>"
    )


class _Layout:
    """Positions and sizes, in pixels."""

    def __init__(self, alignment: SoftAlignment, caption: str) -> None:
        self.alignment, self.caption = alignment, caption
        self.has_unaligned = bool((alignment.unaligned >= UNALIGNED_MATTERS).any())
        columns = len(alignment.source)
        label = max(map(_text_width, alignment.target), default=0) + _GUTTER
        longest = max(map(_text_width, alignment.source), default=0)
        self.slanted = longest > _WIDEST or longest * columns > _WIDE
        self.cell = _CELL if self.slanted else max(_CELL, round(longest + 18))

        table = label + self.cell * columns + (_GUTTER + _CELL if self.has_unaligned else 0)
        if self.slanted:  # the last words may cross the right edge
            table += max(0, longest * _SLANT - self.cell / 2)
        inner = max(table, _text_width(caption) * _SMALL / _WORD)
        header = longest * _SLANT + _WORD if self.slanted else _WORD

        self.left = round(_MARGIN + (inner - table) / 2 + label)  # of the first cell
        self.top = round(_MARGIN + header + _GUTTER)
        self.width = round(inner + 2 * _MARGIN)
        self.height = self.top + _ROW * len(alignment.target) + _GUTTER + 22 + _MARGIN

    def column_x(self, column: int) -> int:
        """Return the left edge of a source word's cells."""
        return self.left + column * self.cell

    @property
    def unaligned_x(self) -> int:
        return self.column_x(len(self.alignment.source)) + _GUTTER


def _column_words(layout: _Layout) -> Iterator[str]:
    y = layout.top - _GUTTER + 4
    for column, word in enumerate(layout.alignment.source):
        x = layout.column_x(column) + layout.cell / 2
        if layout.slanted:
            attributes = f'class="aslant" transform="translate({x:g} {y}) rotate(-45)"'
        else:
            attributes = f'class="column" x="{x:g}" y="{y}"'
        yield f"<text {attributes}>{_xml(word)}</text>"
    if layout.has_unaligned:
        x = layout.unaligned_x + _CELL / 2
        title = UNALIGNED_TITLE[layout.alignment.kind]
        yield f'<text class="small number faint" x="{x:g}" y="{y}">{title}</text>'


def _rows(layout: _Layout) -> Iterator[str]:
    alignment = layout.alignment
    for row, word in enumerate(alignment.target):
        y = layout.top + row * _ROW
        base = y + _ROW / 2 + 5.5
        x = layout.left - _GUTTER
        yield f'<text class="row" x="{x}" y="{base:g}">{_xml(word)}</text>'
        for column, other in enumerate(alignment.source):
            if alignment.is_masked(row, column):
                continue
            weight = float(alignment.weights[row, column])
            x = layout.column_x(column)
            yield _cell(x, y, layout.cell, weight, f"{other} → {word}: {weight:.2f}")
        if layout.has_unaligned:
            share = float(alignment.unaligned[row])
            x = layout.unaligned_x + _CELL // 2
            yield f'<text class="small number faint" x="{x}" y="{base:g}">{_number(share)}</text>'


def _cell(x: int, y: int, width: int, weight: float, tooltip: str) -> str:
    """Return a rectangle and its number; below `COLORED_FROM` its color is partly transparent."""
    box = f'x="{x + 1}" y="{y + 1}" width="{width - 2}" height="{_ROW - 2}" rx="4"'
    cell = f'<rect class="cold" {box}/>'
    color = heat(max(weight, COLORED_FROM))
    if weight >= ZERO_BELOW:
        opacity = min(weight / COLORED_FROM, 1.0)
        fill_opacity = "" if opacity == 1 else f' fill-opacity="{opacity * 0.5:.2f}"'
        cell += f'<rect fill="{_hex(color)}"{fill_opacity} {box}/>'
    shade = " faint" if weight < DIM_BELOW else ""
    if weight >= COLORED_FROM:
        shade = " on-dark" if contrasting_color(color) == WHITE else " on-light"
    center, base = x + width / 2, y + _ROW / 2 + 4.5
    number = (
        f'<text class="small number{shade}" x="{center:g}" y="{base:g}">{_number(weight)}</text>'
    )
    return f"<g><title>{_xml(tooltip)}</title>{cell}{number}</g>"


def _number(weight: float) -> str:
    return "·" if weight < ZERO_BELOW else f"{weight:.2f}"


def _caption(alignment: SoftAlignment) -> str:
    return " — ".join(caption_of(alignment))


def _description(alignment: SoftAlignment) -> str:
    """Describe the table: each target word and the source word of its largest weight."""
    if not alignment.source:
        return _caption(alignment)
    best = alignment.weights.argmax(axis=1)
    pairs = ", ".join(
        f"{word} ← {alignment.source[column]} {alignment.weights[row, column]:.2f}"
        for row, (word, column) in enumerate(zip(alignment.target, best, strict=True))
    )
    return f"{_caption(alignment)}. Heaviest for each word: {pairs}."


def _hex(color: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


_UNFIT = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)


def _xml(text: str) -> str:
    """Escape `text` for XML; characters invalid in XML and marks of direction become U+FFFD."""
    return escape(_UNFIT.sub("\ufffd", text), {'"': "&quot;"})


#: Characters without a width of their own: joined emoji, skin tones.
_NO_WIDTH = re.compile("\u200d.|[\ufe0f\U0001f3fb-\U0001f3ff]")


def _text_width(text: str) -> float:
    """Estimate the width of `text` in pixels at the size of words."""
    return _WORD * sum(_em(character) for character in _NO_WIDTH.sub("", text))


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return 0.9 if character in "mwMW@%—" else 0.74 if character.isupper() else 0.6
