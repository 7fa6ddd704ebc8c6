"""Write sentence pairs, their weights and links as one self-contained HTML page.

`PageWriter` writes the page in parts, so that memory does not grow with the number of pairs. It
loads nothing: its content security policy allows only the style and the script of the page, by
their hashes. The data are JSON in elements that browsers do not run; `<` is escaped in them, so
that no text can end an element.

The pairs are in blocks, one element each. The script follows the first block, which has as many
pairs as the visible part of the list: a browser paints the first pair before it parses the others.

A pair is an object with short names: `n` line, `s` and `t` the words, each with the space after it
(`S` and `T` the texts, if words and spaces are not the whole text), `l` links in Pharaoh format,
`w` weights by view (`encoding`), and if known `p` score, `c` confidence, `u` unsure target words,
`b` log-probabilities of target words.
"""

import base64
import functools
import hashlib
import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from attn_cli.render.captions import UNALIGNED_TITLE
from attn_cli.render.heat import COLORMAP, UNALIGNED_MATTERS
from attn_cli.render.html.encoding import SYMBOLS, encode_weights
from attn_cli.types import GoldAlignment, SoftAlignment, TableKind, Translation, WordAlignment

_SCRIPTS = (
    "1-data.js",
    "2-links.js",
    "3-table.js",
    "4-list.js",
    "5-heads.js",
    "6-page.js",
    "7-input.js",
    "8-start.js",
)

#: Pairs of the first block, and of each other one.
FIRST_BLOCK, BLOCK = 32, 100


@dataclass(frozen=True, slots=True)
class Page:
    """The settings of a page, for all its pairs.

    `kind` are the weights that are shown first and that links are from. `minimum` is the least
    weight of a link, by kind of weights; `extraction` is how the links of each pair were extracted:
    with "threshold" the page extracts them again when the reader moves its slider, else it
    filters them. `languages` are codes such as "en", or "".
    """

    model: str = ""
    kind: TableKind = "attention"
    languages: tuple[str, str] = ("", "")
    extraction: str = "threshold"
    minimum: dict[TableKind, float] = field(default_factory=dict)
    has_gold: bool = False

    def info(self) -> dict[str, Any]:
        """Return the settings for the script of the page."""
        return {
            "model": self.model,
            "view": self.kind,
            "languages": dict(zip(("source", "target"), self.languages, strict=True)),
            "extraction": self.extraction,
            "minimum": {kind: round(1000 * least) for kind, least in self.minimum.items()},
            "symbols": SYMBOLS,
            "colors": COLORMAP,
            "unaligned": UNALIGNED_TITLE,
            "unalignedFrom": round(1000 * UNALIGNED_MATTERS),
            "hasGold": self.has_gold,
        }


@dataclass
class PageWriter:
    """Returns the parts of a page: `begin` once, `pair` for each, `end` once."""

    page: Page
    count: int = 0

    def begin(self) -> str:
        """Return the page up to the first pair."""
        title = _encodable(escape(self.page.model or "attn"))
        return _fill(_parts()[0], title=title, info=_json(self.page.info()))

    def pair(self, translation: Translation, links: WordAlignment) -> str:
        """Return one pair, with the tables of `alignment`, `others` and `heads`."""
        index = self.count
        self.count += 1
        if index == FIRST_BLOCK:
            separator = _parts()[1] + _OPEN_BLOCK
        elif index > FIRST_BLOCK and (index - FIRST_BLOCK) % BLOCK == 0:
            separator = _CLOSE_BLOCK + _OPEN_BLOCK
        else:
            separator = ",\n" if index else "\n"
        return separator + _json(_record(translation, links))

    def end(self, gold: Sequence[GoldAlignment] | None = None) -> str:
        """Return the page after the last pair; `gold` has the links of each pair."""
        links = None if gold is None else [[_links(g.sure), _links(g.possible)] for g in gold]
        end_of_pairs = _CLOSE_BLOCK if self.count > FIRST_BLOCK else _parts()[1]
        return end_of_pairs + _fill(_parts()[2], gold=_json(links))


_OPEN_BLOCK = '<script class="pairs" type="application/json">[\n'
_CLOSE_BLOCK = "]</script>\n"


def _record(translation: Translation, links: WordAlignment) -> dict[str, Any]:
    tables: dict[str, str] = {table.kind: _encode(table) for table in translation.others}
    alignment = translation.alignment
    if alignment is not None:
        tables[alignment.kind] = _encode(alignment)
    for each in translation.heads:
        tables[f"{each.layer}.{each.head}"] = _encode(each.alignment)
    source = _segments(translation.source, translation.source_words)
    target = _segments(translation.text, translation.target_words)
    best = translation.hypotheses[:1]
    record: dict[str, Any] = {
        "n": translation.line,
        "s": translation.source_words if source is None else source,
        "t": translation.target_words if target is None else target,
        "l": _links(links.links),
        "w": tables,
        "S": translation.source if source is None else None,
        "T": translation.text if target is None else None,
        "p": _round(best[0].mean_logp, 4) if best else None,
        "c": None if translation.confidence is None else _round(translation.confidence, 4),
        "u": translation.unsure or None,
        "b": [_round(logp, 3) for logp in translation.word_logp] or None,
    }
    return {name: value for name, value in record.items() if value is not None}


def _encode(table: SoftAlignment) -> str:
    """Encode the link probabilities, else the weights (T, S) and the unaligned shares (T,)."""
    if table.link_probs is not None or table.kind == "alignment":
        return encode_weights(table.link_scores)
    return encode_weights(np.column_stack([table.weights, table.unaligned]))


def _segments(text: str, words: Sequence[str]) -> list[str] | None:
    """Return the words, each with the space after it; None if the text has other characters."""
    segments: list[str] = []
    end = 0
    for word in words:
        start = text.find(word, end)
        gap = text[end:start]
        if start < 0 or gap.strip():
            return None
        if segments and gap:
            segments[-1] += " "
        segments.append(word)
        end = start + len(word)
    return None if text[end:].strip() else segments


def _links(links: Collection[tuple[int, int]]) -> str:
    return " ".join(f"{s}-{t}" for s, t in sorted(links))


def _round(value: float, digits: int) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def _json(value: Any) -> str:
    """Return JSON in one line, with `<` escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _encodable(text.replace("<", "\\u003c"))


def _encodable(text: str) -> str:
    """Replace each lone surrogate, which UTF-8 cannot encode, by `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _fill(template: str, **values: str) -> str:
    """Replace each `{{name}}` of the template; names within values are not replaced."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


@functools.cache
def _parts() -> tuple[str, str, str]:
    """Return the template before the first block of pairs, before the other blocks, and after.

    Style, script and policy are filled in.
    """
    style, script = _read("page.css"), "".join(_read(name) for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    before, rest = _read("page.html").split("{{pairs}}")
    between, after = rest.split("{{blocks}}")
    values = {"style": style, "script": script, "policy": policy}
    values |= {name: f"{{{{{name}}}}}" for name in ("title", "info", "gold")}  # filled per page
    return _fill(before, **values), _fill(between, **values), _fill(after, **values)


def _hash(text: str) -> str:
    """Return the source expression of a content security policy that allows this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _read(name: str) -> str:
    return files("attn_cli.render.html").joinpath(name).read_text(encoding="utf-8")
