"""Pairs become tables of weights: what the network looks at when the target is given.

Knows no file, no terminal and no torch.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from attn_cli.align.merge import soft_alignment
from attn_cli.decode.beam import Search
from attn_cli.decode.forced import force
from attn_cli.engine.base import Stepper
from attn_cli.text.tokenizer import Tokenizer
from attn_cli.translator import by_length, padded, shortened, word_logp
from attn_cli.values import Encoded, Hypothesis, Level, SoftAlignment, Translation


@dataclass(frozen=True)
class Pair:
    """One pair to align: the line it came from, from 1, and its two sides."""

    line: int
    source: str
    target: str


class Aligner:
    """A network and its two vocabularies, forced along targets that are given.

    With `tokenized`, words are what spaces separate, and nothing is split further.
    """

    def __init__(
        self,
        stepper: Stepper,
        source: Tokenizer,
        target: Tokenizer,
        *,
        tokenized: bool = False,
        level: Level = "word",
    ) -> None:
        self.stepper, self.source, self.target = stepper, source, target
        self.tokenized, self.level = tokenized, level

    def stream(self, chunks: Iterable[Sequence[Pair]]) -> Iterator[Translation]:
        """The alignment of every pair, in order, chunk by chunk."""
        for chunk in chunks:
            yield from self.align(chunk)

    def align(self, pairs: Sequence[Pair]) -> list[Translation]:
        """Each pair as a translation whose text was given and whose alignment is `forced`.

        A pair with a blank side has empty words on that side, and no weights.
        """
        sides = [
            (self._encode(self.source, p.source), self._encode(self.target, p.target))
            for p in pairs
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
        return [found.get(place) or _blank(pair, *sides[place]) for place, pair in enumerate(pairs)]

    def _encode(self, tokenizer: Tokenizer, text: str) -> Encoded:
        line = tokenizer.encode_tokens(text.split()) if self.tokenized else tokenizer.encode(text)
        return shortened(line)

    def _aligned(
        self, pair: Pair, source: Encoded, target: Encoded, forced: Hypothesis
    ) -> Translation:
        assert forced.weights is not None
        return Translation(
            line=pair.line,
            source=pair.source,
            text=pair.target,
            source_words=_texts(source),
            target_words=_texts(target),
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
            word_logp=word_logp(forced, target.word_of, len(target.words)),
        )


def _blank(pair: Pair, source: Encoded, target: Encoded) -> Translation:
    words = _texts(source), _texts(target)
    nothing = np.zeros((len(words[1]), len(words[0])), np.float32)
    alignment = SoftAlignment(*words, nothing, np.ones(len(words[1]), np.float32), origin="forced")
    return Translation(
        pair.line, pair.source, pair.target, *words, alignment=alignment,
        word_logp=(0.0,) * len(words[1]),
    )  # fmt: skip


def _texts(line: Encoded) -> tuple[str, ...]:
    return tuple(word.text for word in line.words)
