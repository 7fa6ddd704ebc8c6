"""Write translations and links in the stable text formats: text, Pharaoh, JSONL, TSV.

Each function returns one record, without its final newline. A record is one line, or several of
n-best and TSV; line ends within texts become spaces. The record of a blank line of input is a blank
line, in JSONL a record with empty fields.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from attn_cli.types import Diagnostics, SoftAlignment, Translation, WordAlignment

#: Replaces line ends within a record by spaces.
_LINE_BREAKS = str.maketrans("\r\n", "  ")
#: Escapes further characters that some readers of JSONL treat as line ends.
_UNICODE_BREAKS = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"})

#: Brackets around words of low probability.
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
    """Return `translation ||| 0.8312`, with its confidence; "" for a blank line."""
    if not translation.text:
        return ""
    return f"{text(translation)} ||| {translation.confidence:.4f}"


def mark_unsure(translation: Translation) -> Translation:
    """Put the unsure words of the text between ⟦ and ⟧, adjacent words together.

    These signs are doubled if the text contains them.
    """
    spans: list[list[int]] = []  # [first, last + 1] of words
    for word in translation.unsure:
        if spans and spans[-1][1] == word:
            spans[-1][1] = word + 1
        else:
            spans.append([word, word + 1])
    word_spans = _word_spans(translation.text, translation.target_words)
    marked, end = "", 0
    for first, after_last in spans:
        start, stop = word_spans[first][0], word_spans[after_last - 1][1]
        marked += _double_brackets(translation.text[end:start]) + _OPEN
        marked += _double_brackets(translation.text[start:stop]) + _CLOSE
        end = stop
    return replace(translation, text=marked + _double_brackets(translation.text[end:]))


def _word_spans(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Return the spans of words, which are in order and separated by white space."""
    spans, end = [], 0
    for word in words:
        start = text.index(word, end)
        end = start + len(word)
        spans.append((start, end))
    return spans


def _double_brackets(text: str) -> str:
    return text.replace(_OPEN, 2 * _OPEN).replace(_CLOSE, 2 * _CLOSE)


def nbest(translation: Translation, count: int) -> str:
    """Return at most `count` lines `line ||| text ||| score`, best first, as in Moses.

    The score is that of `jsonl`, the log-probability per piece. The order is that of the search,
    which by its length and coverage penalties may differ from that of the scores. A blank line has
    one candidate: the empty text with score 0.
    """
    ranked = zip(translation.texts, translation.hypotheses, strict=True)
    scored = [(candidate, hypothesis.mean_logp) for candidate, hypothesis in ranked][:count]
    return "\n".join(
        f"{translation.line} ||| {candidate.translate(_LINE_BREAKS)} ||| {score:.4f}"
        for candidate, score in scored or [("", 0.0)]
    )


def pharaoh(links: WordAlignment, *, scores: bool = False) -> str:
    """Return the links, `0-0 2-1 1-2`: source-target, 0-based, by target word.

    With `scores` each link has its score, if known: `0-0:0.94`.
    """
    return " ".join(_link(links, pair, scores) for pair in links.sorted_links())


def translated_pharaoh(
    translation: Translation, links: WordAlignment, *, scores: bool = False
) -> str:
    """Return `translation ||| 0-0 2-1 1-2`; the text may contain ` ||| `, so split at the last."""
    if not translation.text:
        return ""
    return f"{text(translation)} ||| {pharaoh(links, scores=scores)}"


def tsv(translation: Translation) -> str:
    """Return a line for each cell, with the fields of `TSV_HEADER`.

    Words are quoted as in csv.
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

    Numbers are rounded to four decimals; numbers that are not finite, which JSON lacks, are null.
    The score is null without a decoder, and 0 for a pair with a blank side. The confidence is null
    if the model is not calibrated, and for a known target.
    `extra` are the fields of the input record: they are last, without those of the same name (as
    `source`). The tables of single heads are one more field.
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
        "unaligned": [_number(share) for share in alignment.unaligned] if alignment else [],
        "links": [_scored_link(links, pair) for pair in links.sorted_links()],
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
                "unaligned": [_number(share) for share in each.alignment.unaligned],
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
    except UnicodeEncodeError:  # a lone surrogate: valid as an escape in JSON, not in UTF-8
        return json.dumps(record)
    return line.translate(_UNICODE_BREAKS)


def _rows(table: SoftAlignment) -> list[list[float | None]]:
    return [[_number(weight) for weight in row] for row in table.weights]


def _number(value: float) -> float | None:
    return round(float(value), 4) + 0.0 if math.isfinite(value) else None


def _link(links: WordAlignment, pair: tuple[int, int], scores: bool) -> str:
    s, t = pair
    has_score = scores and pair in links.scores
    return f"{s}-{t}:{links.scores[pair]:.2f}" if has_score else f"{s}-{t}"


def _scored_link(links: WordAlignment, pair: tuple[int, int]) -> tuple[int, int, float | None]:
    """Return (source, target, score); an unknown score is None."""
    return *pair, _number(links.scores.get(pair, math.nan))


def tsv_cell(word: str) -> str:
    """Quote a word, as in csv, if it contains a quotation mark or a TAB."""
    word = word.translate(_LINE_BREAKS)
    return '"' + word.replace('"', '""') + '"' if '"' in word or "\t" in word else word
