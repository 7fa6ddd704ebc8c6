"""Draw a table of weights or text as HTML for a notebook: inline styles, no scripts, no links.

A cell has the color of the terminal's table, its number, and a tooltip with its two words.
"""

from collections.abc import Collection
from html import escape
from io import StringIO

from rich.console import Console, RenderableType

from attn_cli.render.captions import UNALIGNED_TITLE, caption_of
from attn_cli.render.heat import (
    COLORED_FROM,
    DIM_BELOW,
    UNALIGNED_MATTERS,
    ZERO_BELOW,
    contrasting_color,
    heat,
)
from attn_cli.render.terminal import UNSURE, printable
from attn_cli.types import SoftAlignment

_TABLE = "border-collapse:separate;border-spacing:2px;width:auto;margin:0"
_CAPTION = "text-align:start;caption-side:top;padding:0 0 .4em;white-space:normal;color:inherit"
_COLUMN = "text-align:center;font-weight:600;padding:.2em .6em;background:none;border:0"
_ROW = "text-align:end;font-weight:600;padding:.2em .6em;background:none;border:0"
_CELL = (
    "text-align:center;font-variant-numeric:tabular-nums;padding:.2em .6em;border:0;"
    "border-radius:3px;min-width:2.6em"
)
_EMPTY = '<td style="border:0;background:none"></td>'


def html_table(
    alignment: SoftAlignment,
    *,
    source: str | None = None,
    target: str | None = None,
    unsure: Collection[int] = (),
) -> str:
    """Return the table of `alignment` as one `<table>`: target words down, source words across.

    `source` and `target` are the raw lines of the caption; the words joined by spaces if None.
    The target words of the indices `unsure` are followed by a question mark.
    """
    lines = (
        " ".join(words) if line is None else line
        for words, line in ((alignment.source, source), (alignment.target, target))
    )
    source_text, target_text = (_text(line) for line in lines)
    name, meaning = caption_of(alignment)
    caption = (
        f'<caption style="{_CAPTION}"><bdi>{source_text}</bdi> → '
        f"<b><bdi>{target_text}</bdi></b><br>"
        f'<small style="opacity:.7">{name} — {meaning}</small>'
        "</caption>"
    )
    has_unaligned = _has_unaligned(alignment)
    headers = [_header(_text(word), "col", _COLUMN) for word in alignment.source]
    if has_unaligned:
        title = f'<i style="opacity:.6;font-weight:400">{UNALIGNED_TITLE[alignment.kind]}</i>'
        headers.append(_header(title, "col", _COLUMN))
    rows = [
        "<tr>"
        + _header(_text(word) + f" {UNSURE}" * (row in unsure), "row", _ROW)
        + "".join(
            _EMPTY
            if alignment.is_masked(row, column)
            else _cell(float(weight), alignment.source[column], word)
            for column, weight in enumerate(alignment.weights[row])
        )
        + (_unaligned_cell(float(alignment.unaligned[row])) if has_unaligned else "")
        + "</tr>"
        for row, word in enumerate(alignment.target)
    ]
    return (
        f'<table class="attn-alignment" style="{_TABLE}">{caption}'
        f"<thead><tr>{_EMPTY}{''.join(headers)}</tr></thead>\n"
        f"<tbody>{chr(10).join(rows)}</tbody></table>"
    )


def html_text(renderable: RenderableType, *, width: int = 100) -> str:
    """Return the output on a terminal of `width` cells, with its colors, as one `<pre>`."""
    console = Console(
        file=StringIO(), width=width, record=True, force_terminal=True, color_system="truecolor"
    )
    console.print(renderable)
    font = "font-family:Menlo,'DejaVu Sans Mono',Consolas,monospace;line-height:1.25"
    text = console.export_html(inline_styles=True, code_format="{code}")
    return f'<pre style="{font};white-space:pre;overflow-x:auto">{text}</pre>'


def _has_unaligned(alignment: SoftAlignment) -> bool:
    return not alignment.source or max(alignment.unaligned, default=0.0) >= UNALIGNED_MATTERS


def _text(text: str) -> str:
    return escape(printable(text))


def _header(content: str, scope: str, style: str) -> str:
    return f'<th scope="{scope}" style="{style}"><bdi>{content}</bdi></th>'


def _cell(weight: float, source: str, target: str) -> str:
    tooltip = f"{_text(target)} ← {_text(source)}: {weight:.4f}"
    return f'<td style="{_CELL};{_color(weight)}" title="{tooltip}">{_number(weight)}</td>'


def _unaligned_cell(weight: float) -> str:
    return f'<td style="{_CELL};opacity:.6;background:none"><i>{_number(weight)}</i></td>'


def _number(weight: float) -> str:
    return "·" if weight < ZERO_BELOW else f"{weight:.2f}"


def _color(weight: float) -> str:
    if weight < COLORED_FROM:
        return "background:none" + (";opacity:.5" if weight < DIM_BELOW else "")
    color = heat(weight)
    return f"background:rgb{color};color:rgb{contrasting_color(color)}".replace(" ", "")
