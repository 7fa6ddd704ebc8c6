"""Reads word links from text: Pharaoh (`0-0 2-1:0.93`) and gold (`1-1 2p3 4?4`), in either base.

Lines come from anywhere; `name` is their origin in errors. `render.text_formats` writes links.

Nothing in these formats says whether their first word is 0 or 1, and a wrong guess gives a score
that is wrong in silence. `detect_base` decides from a whole file at once, by this rule:

1. An index 0 can only be base 0. (Where sentence lengths are known: an index that equals the length
   can only be base 1.)
2. A file of at least `MIN_LINES` sentences with links in which 0 never occurs, while most of those
   sentences link a first word (an index 1), is base 1. In base 0 some word 0 is linked in 83 to 98
   sentences of 100 (GIZA++ on Romanian-English; 83 is the sparse intersection), so ten sentences
   that all avoid it are one in fifty million; were it only every other sentence, one in a thousand.
3. Anything else is refused: a handful of lines such as `1-1 2-2` is good Pharaoh in both bases.
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

#: Sentences with links, and never a 0, that make a file base 1.
MIN_LINES = 10

_SCORE = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LINK = re.compile(r"(-?[0-9]{1,9})([-p?])(-?[0-9]{1,9})(?::(\S+))?")


@dataclass(frozen=True, slots=True)
class LinkLine:
    """The links of one line as written: indices still in the file's own base."""

    sure: tuple[tuple[int, int], ...] = ()
    possible: tuple[tuple[int, int], ...] = ()
    weights: dict[tuple[int, int], float] = field(default_factory=dict)

    def indices(self) -> set[int]:
        return {index for pair in self.sure + self.possible for index in pair}


def read_links(
    lines: Iterable[str], *, name: str, base: IndexBase = 0, lengths: Lengths | None = None
) -> tuple[list[WordAlignment], int]:
    """The links of each line of a Pharaoh file, 0-based, and the base the file was in.

    An empty line is a sentence without links. `lengths`, (source, target) words of each sentence,
    bounds the indices; without it a sentence is taken to end at its last linked word.

    Raises DataError naming the file and line of a link that is malformed, marked as possible, or
    outside its sentence; and when `base` is "auto" and the file does not tell.
    """
    sentences = _parsed(lines, name)
    for number, sentence in enumerate(sentences, start=1):
        _refuse_possible(sentence, f"{name} line {number}")
    shift = detect_base(sentences, name=name, base=base, lengths=lengths)
    return [
        _rebased_links(sentence, shift, lengths[n] if lengths else None)
        for n, sentence in enumerate(sentences)
    ], shift


def parse_links(line: str, *, where: str) -> WordAlignment:
    """The links of one line of Pharaoh, numbered as it numbers them.

    The sentence is taken to end at its last linked word. Raises DataError, saying `where`, for a
    link that is malformed or marked as possible.
    """
    sentence = _sentence(line, where)
    _refuse_possible(sentence, where)
    return _rebased_links(sentence, 0, None)


def read_gold(
    lines: Iterable[str], *, name: str, base: IndexBase = "auto", lengths: Lengths | None = None
) -> tuple[list[GoldAlignment], int]:
    """The gold links of each line, 0-based, and the base the file was in.

    `S-T` is a sure link, `SpT` or `S?T` a possible one. Errors as in `read_links`.
    """
    sentences = _parsed(lines, name)
    shift = detect_base(sentences, name=name, base=base, lengths=lengths)
    return [
        GoldAlignment.from_links(_shifted(sentence.sure, shift), _shifted(sentence.possible, shift))
        for sentence in sentences
    ], shift


def detect_base(
    sentences: Sequence[LinkLine],
    *,
    name: str,
    base: IndexBase = "auto",
    lengths: Lengths | None = None,
) -> int:
    """The base of a file's indices: the one given, checked against them, or the one they show.

    A file without links is in any base; it is called 0. Raises DataError as `read_links` does.
    """
    if lengths is not None:
        _check_count(sentences, lengths, name)
    first_zero = next((n for n, s in enumerate(sentences, 1) if 0 in s.indices()), None)
    first_end = _first_end(sentences, lengths) if lengths is not None else None

    if base == "auto":
        base = _shown_base(sentences, name, first_zero, first_end)
    if base == 1 and first_zero is not None:
        raise DataError(
            f"{name} line {first_zero} has the index 0, which base 1 does not know",
            "Pass --index-base 0, or leave it to auto.",
        )
    if lengths is not None:
        _check_bounds(sentences, lengths, name, base)
    return base


def transpose(links: WordAlignment) -> WordAlignment:
    """The same links with the sides exchanged, for files that hold target-source."""
    return WordAlignment(
        frozenset((t, s) for s, t in links.links),
        links.n_target,
        links.n_source,
        {(t, s): weight for (s, t), weight in links.scores.items()},
    )


def check_same_length(
    gold: Sequence[object], links: Sequence[object], names: tuple[str, str]
) -> None:
    """Raises DataError naming both counts unless gold and links have as many lines."""
    if len(gold) != len(links):
        raise DataError(
            f"{names[0]} has {len(gold)} lines but {names[1]} has {len(links)}",
            "Give one line of links for each line of gold; an empty line means no links.",
        )


def _shown_base(
    sentences: Sequence[LinkLine], name: str, first_zero: int | None, first_end: int | None
) -> Literal[0, 1]:
    linked = [indices for sentence in sentences if (indices := sentence.indices())]
    if first_zero is not None and first_end is not None:
        raise DataError(
            f"{name} is in no base: line {first_zero} has the index 0 "
            f"and line {first_end} an index as large as its sentence is long",
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
        "Say it yourself with --index-base 0 or --index-base 1.",
    )


def _first_end(sentences: Sequence[LinkLine], lengths: Lengths) -> int | None:
    """The first line with an index as large as its side is long."""
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


def _parsed(lines: Iterable[str], name: str) -> list[LinkLine]:
    return [_sentence(line, f"{name} line {n}") for n, line in enumerate(lines, start=1)]


def _sentence(line: str, where: str) -> LinkLine:
    sure: list[tuple[int, int]] = []
    possible: list[tuple[int, int]] = []
    weights: dict[tuple[int, int], float] = {}
    for text in line.split():
        found = _LINK.fullmatch(text)
        if not found:
            raise DataError(
                f"{where} has {_shortened(text)!r}, which is not a link",
                "Links are SOURCE-TARGET with an optional :SCORE, as in 0-0 2-1:0.93; "
                "gold may also mark possible ones, as in 2p1 or 2?1.",
            )
        source, mark, target, score = found.groups()
        pair = int(source), int(target)
        if min(pair) < 0:
            raise DataError(
                f"{where} has the negative index {min(pair)} in {text!r}",
                "Words count from 0 or from 1; leave words without a partner out.",
            )
        (sure if mark == "-" else possible).append(pair)
        if score is not None:
            weights[pair] = _score(score, text, where)
    return LinkLine(tuple(sure), tuple(possible), weights)


def _score(score: str, text: str, where: str) -> float:
    value = float(score) if _SCORE.fullmatch(score) else math.nan  # which reads 1_0 too
    if not math.isfinite(value):
        raise DataError(
            f"{where} has {_shortened(text)!r}, whose score is not a number",
            "Write scores as in 0-0:0.93.",
        )
    return value


def _refuse_possible(sentence: LinkLine, where: str) -> None:
    if sentence.possible:
        raise DataError(
            f"{where} marks a link as possible, which only a gold alignment does",
            "Write links as 0-0 2-1; pass gold alignments with --gold.",
        )


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _shifted(pairs: Iterable[tuple[int, int]], base: int) -> frozenset[tuple[int, int]]:
    return frozenset((s - base, t - base) for s, t in pairs)


def _rebased_links(sentence: LinkLine, base: int, length: tuple[int, int] | None) -> WordAlignment:
    pairs = _shifted(sentence.sure, base)
    n_source, n_target = length or (
        1 + max((s for s, _ in pairs), default=-1),
        1 + max((t for _, t in pairs), default=-1),
    )
    weights = {(s - base, t - base): weight for (s, t), weight in sentence.weights.items()}
    return WordAlignment(pairs, n_source, n_target, weights)
