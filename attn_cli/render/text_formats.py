"""The stable text formats: text, Pharaoh, JSONL, TSV. Each function returns one record.

Knows values only; links are extracted elsewhere and passed in. A record is returned without its
final newline. A record is one line (n-best and TSV: whole lines), whatever the text holds, and a
blank input line gives a blank line, in JSONL a record with empty fields.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from attn_cli.types import Diagnostics, SoftAlignment, Translation, WordAlignment

#: What would break a record, and the space it becomes.
_LINE_BREAKS = str.maketrans("\r\n", "  ")
#: Not line ends to us, but to some readers of JSONL; as escapes they are nobody's.
_ODD_BREAKS = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"})

#: Stand around words of low probability.
_OPEN, _CLOSE = "\u27e6", "\u27e7"


#: The fields of a line of `tsv`.
TSV_HEADER = "line\ttarget_index\ttarget\tsource_index\tsource\tweight"

#: The fields of a line of `tsv` with diagnostics, one for each sentence.
DIAGNOSTICS_HEADER = (
    "line\tconfidence\tcoverage_deviation\ttarget_entropy\tsource_entropy\tunlinked_source"
    "\trepeated_target\tdisagreement\tsource\ttarget"
)


def text(translation: Translation) -> str:
    """Return the translation."""
    return translation.text.translate(_LINE_BREAKS)


def scored_text(translation: Translation) -> str:
    """`translation ||| 0.8312`: its confidence follows. A blank line stays blank."""
    if not translation.text:
        return ""
    return f"{text(translation)} ||| {translation.confidence:.4f}"


def mark_unsure(translation: Translation) -> Translation:
    """Put the unsure words of the text between ⟦ and ⟧, neighboring words together.

    Where the text has one of these signs itself, it is doubled.
    """
    spans: list[list[int]] = []  # [first, last + 1] of words, then of characters
    for word in translation.unsure:
        if spans and spans[-1][1] == word:
            spans[-1][1] = word + 1
        else:
            spans.append([word, word + 1])
    places = _places(translation.text, translation.target_words)
    marked, end = "", 0
    for first, behind in spans:
        start, stop = places[first][0], places[behind - 1][1]
        marked += _doubled(translation.text[end:start]) + _OPEN
        marked += _doubled(translation.text[start:stop]) + _CLOSE
        end = stop
    return replace(translation, text=marked + _doubled(translation.text[end:]))


def _places(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Where in a text its words are: in order, with nothing but white space between them."""
    places, end = [], 0
    for word in words:
        start = text.index(word, end)
        end = start + len(word)
        places.append((start, end))
    return places


def _doubled(text: str) -> str:
    return text.replace(_OPEN, 2 * _OPEN).replace(_CLOSE, 2 * _CLOSE)


def nbest(translation: Translation, count: int) -> str:
    """At most `count` lines `line ||| text ||| score`, best first, as Moses writes them.

    The score is that of `jsonl`, the log-probability per piece. The order is that of the search,
    whose length and coverage penalties may prefer another one to a higher score. A blank line has
    one candidate: the empty text, at 0.
    """
    ranked = zip(translation.texts, translation.hypotheses, strict=True)
    scored = [(candidate, hypothesis.mean_logp) for candidate, hypothesis in ranked][:count]
    return "\n".join(
        f"{translation.line} ||| {candidate.translate(_LINE_BREAKS)} ||| {score:.4f}"
        for candidate, score in scored or [("", 0.0)]
    )


def pharaoh(links: WordAlignment, *, scores: bool = False) -> str:
    """Return the links, `0-0 2-1 1-2`: source-target, 0-based, by target word.

    With `scores` each link of known weight carries it, `0-0:0.94`.
    """
    return " ".join(_link(links, pair, scores) for pair in links.sorted_links())


def translated_pharaoh(
    translation: Translation, links: WordAlignment, *, scores: bool = False
) -> str:
    """`translation ||| 0-0 2-1 1-2`. Split it from the right: the text may hold ` ||| ` itself."""
    if not translation.text:
        return ""
    return f"{text(translation)} ||| {pharaoh(links, scores=scores)}"


def tsv(translation: Translation) -> str:
    """Return a line for each cell, with the fields of `TSV_HEADER`.

    A word with a quotation mark or a TAB stands between quotation marks, its own doubled, as csv
    and spreadsheets read it.
    """
    alignment = translation.alignment
    if alignment is None:
        return ""
    return "\n".join(
        f"{translation.line}\t{t}\t{tsv_cell(target)}\t{s}\t{tsv_cell(source)}"
        f"\t{alignment.weights[t, s]:.4f}"
        for t, target in enumerate(alignment.target)
        for s, source in enumerate(alignment.source)
    )


def jsonl(
    translation: Translation,
    links: WordAlignment,
    *,
    model: str,
    n_best: int = 1,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """Return the record of `translate` and `align`, with fixed fields in a fixed order.

    Numbers are rounded to four decimals; one that is not finite, which JSON cannot write, is null.
    So is the score of two sides that nobody scored; a blank one has the score 0. The confidence is
    null where a model is not calibrated, or the target was given.
    `extra` holds the fields of the input record: they follow ours, and where a name is the same
    (`source` always is) ours stands. Where heads are wanted one by one, they are a field more.
    """
    alignment = translation.alignment
    best = translation.hypotheses[:1]
    both = translation.source_words and translation.target_words
    ranked = list(zip(translation.texts, translation.hypotheses, strict=True))[:n_best]
    record: dict[str, Any] = {
        "line": translation.line,
        "source": translation.source if translation.source.strip() else "",
        "target": translation.text,
        "score": _number(best[0].mean_logp if best else math.nan if both else 0.0),
        "confidence": None if translation.confidence is None else _number(translation.confidence),
        "source_words": translation.source_words,
        "target_words": translation.target_words,
        "weights": _rows(alignment) if alignment else [],
        "unaligned": [_number(mass) for mass in alignment.unaligned] if alignment else [],
        "links": [_weighted(links, pair) for pair in links.sorted_links()],
        "logprobs": [_number(logp) for logp in translation.word_logp],
        "unsure": translation.unsure,
        "model": model,
        "nbest": [
            {"target": candidate, "score": _number(hypothesis.mean_logp)}
            for candidate, hypothesis in ranked
        ],
    }
    if translation.heads:
        record["heads"] = [
            {
                "layer": each.layer,
                "head": each.head,
                "weights": _rows(each.alignment),
                "unaligned": [_number(mass) for mass in each.alignment.unaligned],
            }
            for each in translation.heads
        ]
    if translation.diagnostics is not None:
        record["diagnostics"] = _diagnostics(translation.diagnostics)
    if translation.is_flagged is not None:
        record["flagged"] = translation.is_flagged
    record |= {name: value for name, value in (extra or {}).items() if name not in record}
    return _json(record)


def _diagnostics(diagnostics: Diagnostics) -> dict[str, Any]:
    distance = diagnostics.disagreement
    return {
        "coverage_deviation": _number(diagnostics.coverage_deviation),
        "target_entropy": _number(diagnostics.target_entropy),
        "source_entropy": _number(diagnostics.source_entropy),
        "unlinked_source": list(diagnostics.unlinked_source),
        "repeated_target": list(diagnostics.repeated_target),
        "disagreement": None if distance is None else _number(distance),
    }


def diagnostics_tsv(translation: Translation) -> str:
    """Return a line with the fields of `DIAGNOSTICS_HEADER`; unknown fields are empty."""
    diagnostics = translation.diagnostics
    values: tuple[float | None, ...] = (None,) * 6
    if diagnostics is not None:
        values = (
            diagnostics.coverage_deviation,
            diagnostics.target_entropy,
            diagnostics.source_entropy,
            len(diagnostics.unlinked_source),
            len(diagnostics.repeated_target),
            diagnostics.disagreement,
        )
    cells = [
        "" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}"
        for value in (translation.line, translation.confidence, *values)
    ]
    return "\t".join([*cells, tsv_cell(translation.source), tsv_cell(translation.text)])


def _json(record: dict[str, Any]) -> str:
    line = json.dumps(record, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can escape and UTF-8 cannot hold
        return json.dumps(record)
    return line.translate(_ODD_BREAKS)


def _rows(table: SoftAlignment) -> list[list[float | None]]:
    return [[_number(weight) for weight in row] for row in table.weights]


def _number(value: float) -> float | None:
    return round(float(value), 4) + 0.0 if math.isfinite(value) else None


def _link(links: WordAlignment, pair: tuple[int, int], scores: bool) -> str:
    s, t = pair
    known = scores and pair in links.scores
    return f"{s}-{t}:{links.scores[pair]:.2f}" if known else f"{s}-{t}"


def _weighted(links: WordAlignment, pair: tuple[int, int]) -> tuple[int, int, float | None]:
    """[source, target, weight]; a weight that is not known is null."""
    return *pair, _number(links.scores.get(pair, math.nan))


def tsv_cell(word: str) -> str:
    """Quote a word for csv if it contains a quotation mark or a TAB."""
    word = word.translate(_LINE_BREAKS)
    return '"' + word.replace('"', '""') + '"' if '"' in word or "\t" in word else word
