"""Parse word links: Pharaoh (`0-0 2-1:0.93`) and gold (`1-1 2p3 4?4`), from 0 or from 1.

Lines come from anywhere; `name` is their origin in errors. `render.text_formats` writes links.

These formats do not state whether the first word is 0 or 1, and a wrong base gives a wrong score
without an error. `detect_base` reads a whole file and applies these rules:

1. A file with an index 0 is base 0; with sentence lengths, one with an index equal to the length is
   base 1.
2. A file of at least `MIN_LINES` sentences with links in which 0 never occurs, while most of those
   sentences link a first word (an index 1), is base 1. In base 0, 83 to 98 of 100 sentences have a
   link of a word 0 (GIZA++ on Romanian-English; 83 with the intersection), so that ten sentences
   without one have a probability of 2e-8.
3. Any other file is an error: a few lines such as `1-1 2-2` are valid in both bases.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from attn_cli.choices import IndexBase
from attn_cli.errors import DataError
from attn_cli.types import GoldAlignment, WordAlignment

Lengths = Sequence[tuple[int, int]]

#: Minimum sentences with links, none of them with an index 0, of a file of base 1.
MIN_LINES = 10

_SCORE = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LINK = re.compile(r"(-?[0-9]{1,9})([-p?])(-?[0-9]{1,9})(?::(\S+))?")


@dataclass(frozen=True, slots=True)
class LinkLine:
    """The links of one line, with indices in the base of the file."""

    sure: tuple[tuple[int, int], ...] = ()
    possible: tuple[tuple[int, int], ...] = ()
    weights: dict[tuple[int, int], float] = field(default_factory=dict)

    def indices(self) -> set[int]:
        return {index for pair in self.sure + self.possible for index in pair}


def read_links(
    lines: Iterable[str], *, name: str, base: IndexBase = 0, lengths: Lengths | None = None
) -> tuple[list[WordAlignment], int]:
    """Return the links of each line of a Pharaoh file, 0-based, and the base of the file.

    An empty line is a sentence without links. `lengths`, the (source, target) words of each
    sentence, bounds the indices; without it a sentence ends at its last linked word.

    Raises DataError naming the file and line of a link that is malformed, marked as possible, or
    outside its sentence; and if `base` is "auto" and cannot be detected.
    """
    sentences = _parse_lines(lines, name)
    for number, sentence in enumerate(sentences, start=1):
        _refuse_possible(sentence, f"{name} line {number}")
    shift = detect_base(sentences, name=name, base=base, lengths=lengths)
    return [
        _to_alignment(sentence, shift, lengths[n] if lengths else None)
        for n, sentence in enumerate(sentences)
    ], shift


def parse_links(line: str, *, where: str) -> WordAlignment:
    """Return the links of one line of Pharaoh, in its base.

    The sentence ends at its last linked word. Raises DataError, naming `where`, for a link that is
    malformed or marked as possible.
    """
    sentence = _parse_line(line, where)
    _refuse_possible(sentence, where)
    return _to_alignment(sentence, 0, None)


def read_gold(
    lines: Iterable[str], *, name: str, base: IndexBase = "auto", lengths: Lengths | None = None
) -> tuple[list[GoldAlignment], int]:
    """Return the gold links of each line, 0-based, and the base of the file.

    `S-T` is a sure link, `SpT` or `S?T` a possible one. Errors as in `read_links`.
    """
    sentences = _parse_lines(lines, name)
    shift = detect_base(sentences, name=name, base=base, lengths=lengths)
    return [
        GoldAlignment.from_links(_shift(sentence.sure, shift), _shift(sentence.possible, shift))
        for sentence in sentences
    ], shift


def detect_base(
    sentences: Sequence[LinkLine],
    *,
    name: str,
    base: IndexBase = "auto",
    lengths: Lengths | None = None,
) -> int:
    """Return the base of a file's indices: `base` after a check, or with "auto" the detected one.

    The base of a file without links is 0. Raises DataError as `read_links`.
    """
    if lengths is not None:
        _check_count(sentences, lengths, name)
    first_zero = next((n for n, s in enumerate(sentences, 1) if 0 in s.indices()), None)
    first_end = _first_end(sentences, lengths) if lengths is not None else None

    if base == "auto":
        base = _detect_base(sentences, name, first_zero, first_end)
    if base == 1 and first_zero is not None:
        raise DataError(
            f"{name} line {first_zero} has the index 0, which does not exist in base 1",
            "Pass --index-base 0, or leave it to auto.",
        )
    if lengths is not None:
        _check_bounds(sentences, lengths, name, base)
    return base


def transpose(links: WordAlignment) -> WordAlignment:
    """Exchange source and target, for files with target-source links."""
    return WordAlignment(
        frozenset((t, s) for s, t in links.links),
        links.n_target,
        links.n_source,
        {(t, s): weight for (s, t), weight in links.scores.items()},
    )


def check_same_length(
    gold: Sequence[object], links: Sequence[object], names: tuple[str, str]
) -> None:
    """Raise DataError with both counts unless gold and links have as many lines."""
    if len(gold) != len(links):
        raise DataError(
            f"{names[0]} has {len(gold)} lines but {names[1]} has {len(links)}",
            "Give one line of links for each line of gold; an empty line means no links.",
        )


def _detect_base(
    sentences: Sequence[LinkLine], name: str, first_zero: int | None, first_end: int | None
) -> Literal[0, 1]:
    linked = [indices for sentence in sentences if (indices := sentence.indices())]
    if first_zero is not None and first_end is not None:
        raise DataError(
            f"{name} counts words neither from 0 nor from 1: line {first_zero} has the index 0 "
            f"and line {first_end} an index equal to the length of its sentence",
            "Check that the links belong to these sentences.",
        )
    if first_zero is not None or not linked:
        return 0
    if first_end is not None:
        return 1
    from_one = sum(1 in indices for indices in linked)
    if len(linked) < MIN_LINES:
        lines = "1 line" if len(linked) == 1 else f"{len(linked)} lines"
        reason = f"no index is 0, and {lines} with links are too few to conclude from that"
    elif 2 * from_one < len(linked):
        reason = f"no index is 0, yet only {from_one} of {len(linked)} lines have an index 1"
    else:
        return 1
    raise DataError(
        f"cannot tell whether {name} counts words from 0 or from 1: {reason}",
        "Give --index-base 0 or --index-base 1.",
    )


def _first_end(sentences: Sequence[LinkLine], lengths: Lengths) -> int | None:
    """Return the number of the first line with an index equal to its side's length or larger."""
    for number, (sentence, (n_source, n_target)) in enumerate(
        zip(sentences, lengths, strict=True), start=1
    ):
        if any(s >= n_source or t >= n_target for s, t in sentence.sure + sentence.possible):
            return number
    return None


def _check_count(sentences: Sequence[LinkLine], lengths: Lengths, name: str) -> None:
    if len(sentences) != len(lengths):
        raise DataError(
            f"{name} has {len(sentences)} lines for {len(lengths)} sentence pairs",
            "Give one line of links for each pair; an empty line means no links.",
        )


def _check_bounds(sentences: Sequence[LinkLine], lengths: Lengths, name: str, base: int) -> None:
    rows = zip(sentences, lengths, strict=True)
    for number, (sentence, (n_source, n_target)) in enumerate(rows, start=1):
        for s, t in sentence.sure + sentence.possible:
            if s - base >= n_source or t - base >= n_target:
                raise DataError(
                    f"{name} line {number} links words {s}-{t} (base {base}) of a pair "
                    f"with {n_source} source and {n_target} target words",
                    "Check --index-base, and that the links belong to these sentences.",
                )


def _parse_lines(lines: Iterable[str], name: str) -> list[LinkLine]:
    return [_parse_line(line, f"{name} line {n}") for n, line in enumerate(lines, start=1)]


def _parse_line(line: str, where: str) -> LinkLine:
    sure: list[tuple[int, int]] = []
    possible: list[tuple[int, int]] = []
    weights: dict[tuple[int, int], float] = {}
    for text in line.split():
        match = _LINK.fullmatch(text)
        if not match:
            raise DataError(
                f"{where} has {_truncate(text)!r}, which is not a link",
                "Links are SOURCE-TARGET with an optional :SCORE, as in 0-0 2-1:0.93; "
                "gold may also mark possible ones, as in 2p1 or 2?1.",
            )
        source, mark, target, score = match.groups()
        pair = int(source), int(target)
        if min(pair) < 0:
            raise DataError(
                f"{where} has the negative index {min(pair)} in {text!r}",
                "Words count from 0 or from 1; omit words without a partner.",
            )
        (sure if mark == "-" else possible).append(pair)
        if score is not None:
            weights[pair] = _parse_score(score, text, where)
    return LinkLine(tuple(sure), tuple(possible), weights)


def _parse_score(score: str, text: str, where: str) -> float:
    value = float(score) if _SCORE.fullmatch(score) else math.nan  # float() also parses 1_0
    if not math.isfinite(value):
        raise DataError(
            f"{where} has {_truncate(text)!r}, whose score is not a number",
            "Write scores as in 0-0:0.93.",
        )
    return value


def _refuse_possible(sentence: LinkLine, where: str) -> None:
    if sentence.possible:
        raise DataError(
            f"{where} marks a link as possible, which is allowed in gold links only",
            "Write links as 0-0 2-1; pass gold alignments with --gold.",
        )


def _truncate(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _shift(pairs: Iterable[tuple[int, int]], base: int) -> frozenset[tuple[int, int]]:
    return frozenset((s - base, t - base) for s, t in pairs)


def _to_alignment(sentence: LinkLine, base: int, length: tuple[int, int] | None) -> WordAlignment:
    pairs = _shift(sentence.sure, base)
    n_source, n_target = length or (
        1 + max((s for s, _ in pairs), default=-1),
        1 + max((t for _, t in pairs), default=-1),
    )
    weights = {(s - base, t - base): weight for (s, t), weight in sentence.weights.items()}
    return WordAlignment(pairs, n_source, n_target, weights)
