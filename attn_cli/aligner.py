"""Pairs become tables of weights: what the network looks at when the target is given.

Knows no file, no terminal and no torch.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from attn_cli.align.merge import soft_alignment
from attn_cli.decode.beam import Search
from attn_cli.decode.forced import force
from attn_cli.engine.base import Stepper
from attn_cli.text.tokenizer import Tokenizer
from attn_cli.translator import (
    OnProblem,
    by_length,
    labelled,
    padded,
    shortened,
    summed_logp,
)
from attn_cli.values import Encoded, Hypothesis, Level, SoftAlignment, Translation

_SPACED = re.compile(r"[^ \t]+")


@dataclass(frozen=True)
class Pair:
    """One pair to align: the line it came from, from 1, and its two sides."""

    line: int
    source: str
    target: str


class Aligner:
    """A network and its two vocabularies, forced along targets that are given.

    With `tokenized`, words are what spaces and TABs separate, and nothing is split further.
    `on_problem(line, problem)` hears of each line that was not read to its end.
    """

    def __init__(
        self,
        stepper: Stepper,
        source: Tokenizer,
        target: Tokenizer,
        *,
        tokenized: bool = False,
        level: Level = "word",
        on_problem: OnProblem | None = None,
    ) -> None:
        self.stepper, self.source, self.target = stepper, source, target
        self.tokenized, self.level, self.on_problem = tokenized, level, on_problem

    def stream(self, chunks: Iterable[Sequence[Pair]]) -> Iterator[Translation]:
        """The alignment of every pair, in order, chunk by chunk."""
        for chunk in chunks:
            yield from self.align(chunk)

    def align(self, pairs: Sequence[Pair]) -> list[Translation]:
        """Each pair as a translation whose text was given and whose alignment is `forced`.

        A pair with a blank side has empty words on that side, and no weights.
        """
        sides = [
            (
                self._encode(self.source, pair.source, pair.line),
                self._encode(self.target, pair.target, pair.line),
            )
            for pair in pairs
        ]
        found: dict[int, Translation] = {}
        lengths = {
            place: max(len(source.ids), len(target.ids))
            for place, (source, target) in enumerate(sides)
            if source.words and target.words
        }
        for places in by_length(lengths, Search(beam=1)):
            ids, source_lengths = padded([sides[place][0].ids for place in places])
            targets = [sides[place][1].ids for place in places]
            for place, forced in zip(
                places, force(self.stepper, ids, source_lengths, targets), strict=True
            ):
                found[place] = self._aligned(pairs[place], *sides[place], forced)
        return [
            found.get(place) or self._blank(pair, *sides[place]) for place, pair in enumerate(pairs)
        ]

    def _encode(self, tokenizer: Tokenizer, text: str, number: int) -> Encoded:
        if self.tokenized:  # str.split would part at U+00A0 too, which fast_align leaves in a word
            line = tokenizer.encode_tokens(_SPACED.findall(text))
        else:
            line = tokenizer.encode(text)
        return shortened(line, number, self.on_problem)

    def _aligned(
        self, pair: Pair, source: Encoded, target: Encoded, forced: Hypothesis
    ) -> Translation:
        assert forced.weights is not None
        columns, rows = labelled(source, self.level), labelled(target, self.level)
        return Translation(
            line=pair.line,
            source=pair.source,
            text=pair.target,
            source_words=columns.words,
            target_words=rows.words,
            hypotheses=(forced,),
            texts=(pair.target,),
            alignment=soft_alignment(
                forced.weights,
                source,
                target,
                kind="attention",
                origin="forced",
                level=self.level,
            ),
            word_logp=summed_logp(forced, rows),
        )

    def _blank(self, pair: Pair, source: Encoded, target: Encoded) -> Translation:
        names = labelled(source, self.level).words, labelled(target, self.level).words
        nothing = np.zeros((len(names[1]), len(names[0])), np.float32)
        leftover = np.ones(len(names[1]), np.float32)
        alignment = SoftAlignment(*names, nothing, leftover, level=self.level, origin="forced")
        return Translation(
            pair.line, pair.source, pair.target, *names, alignment=alignment,
            word_logp=(0.0,) * len(names[1]),
        )  # fmt: skip
