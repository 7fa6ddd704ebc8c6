"""Pairs become tables of weights: what the network looks at when the target is given, or what
corresponds.

Knows no file, no terminal and no torch.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from attn_cli.alignment.merge import build_alignment, label_units
from attn_cli.choices import Level, MatrixKind
from attn_cli.data.literals import NumberedLiteral
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.engines.interface import AlignmentModel, IncrementalDecoder
from attn_cli.inference.forced_decoding import force_decode
from attn_cli.inference.neural_alignment import align_batch
from attn_cli.inference.translator import (
    OnProblem,
    length_batches,
    padded,
    sum_logp,
    truncate,
    weights_of,
)
from attn_cli.types import Hypothesis, InputLine, SoftAlignment, TokenizedLine, Translation

_SPACED = re.compile(r"[^ \t]+")


Sides = tuple[TokenizedLine, TokenizedLine]


class PairAligner:
    """A model and its two vocabularies, for targets that are given.

    With a `matcher` the tables are its word aligner's, and a `stepper` beside it scores the
    targets; without one they are the attention of the `stepper`, forced along each target.
    With `tokenized`, words are what spaces and TABs separate, and nothing is split further.
    `on_problem(line, problem)` hears of each line that was not read to its end.
    """

    def __init__(
        self,
        source: SubwordTokenizer,
        target: SubwordTokenizer,
        *,
        stepper: IncrementalDecoder | None = None,
        matcher: AlignmentModel | None = None,
        tokenized: bool = False,
        level: Level = "word",
        on_problem: OnProblem | None = None,
    ) -> None:
        assert stepper or matcher
        self.source, self.target = source, target
        self.stepper, self.matcher = stepper, matcher
        self.tokenized, self.level, self.on_problem = tokenized, level, on_problem

    def stream(self, chunks: Iterable[Sequence[InputLine]]) -> Iterator[Translation]:
        """The alignment of every pair, in order, chunk by chunk."""
        for chunk in chunks:
            yield from self.align(chunk)

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Each pair as a translation whose text was given and whose alignment is `forced`.

        A pair with a blank side has empty words on that side, and no weights. Without a stepper
        there are no hypotheses and no log-probabilities: nobody can say how good the target is.
        """
        sides = [self.sides(pair) for pair in pairs]
        found: dict[int, Translation] = {}
        lengths = {
            place: max(len(source.ids), len(target.ids))
            for place, (source, target) in enumerate(sides)
            if source.words and target.words
        }
        for places in length_batches(lengths, SearchConfig(beam=1)):
            batch = [sides[place] for place in places]
            forced = self._forced(batch)
            tables = self._tables(batch, forced)
            for row, place in enumerate(places):
                target = sides[place][1]
                found[place] = self._aligned(pairs[place], target, forced[row], tables[row])
        return [
            found.get(place) or self._blank(pair, *sides[place]) for place, pair in enumerate(pairs)
        ]

    def sides(self, pair: InputLine) -> Sides:
        """Both sides as the network reads them; the literals that both have are placeholders."""
        ours: Sequence[NumberedLiteral] = ()
        theirs: Sequence[NumberedLiteral] = ()
        if self.source.literals and not self.tokenized:
            ours, theirs = self.source.literals.match(pair.source, pair.target)
        return (
            self._encode(self.source, pair.source, pair.line, ours),
            self._encode(self.target, pair.target, pair.line, theirs),
        )

    def _encode(
        self,
        tokenizer: SubwordTokenizer,
        text: str,
        number: int,
        literals: Sequence[NumberedLiteral],
    ) -> TokenizedLine:
        if self.tokenized:  # str.split would part at U+00A0 too, which fast_align leaves in a word
            line = tokenizer.encode_tokens(_SPACED.findall(text))
        else:
            line = tokenizer.encode(text, literals=literals)
        return truncate(line, number, self.on_problem)

    def _forced(self, batch: Sequence[Sides]) -> Sequence[Hypothesis | None]:
        """What the network that translates makes of each target, where there is one."""
        if self.stepper is None:
            return [None] * len(batch)
        ids, lengths = padded([source.ids for source, _ in batch])
        return force_decode(self.stepper, ids, lengths, [target.ids for _, target in batch])

    def _tables(
        self, batch: Sequence[Sides], forced: Sequence[Hypothesis | None]
    ) -> Sequence[SoftAlignment]:
        if self.matcher is not None:
            sources, targets = zip(*batch, strict=True)
            return align_batch(self.matcher, sources, targets, mode="forced", level=self.level)
        return [
            build_alignment(
                weights_of(each),
                source,
                target,
                kind="attention",
                mode="forced",
                level=self.level,
            )
            for (source, target), each in zip(batch, forced, strict=True)
        ]

    def _aligned(
        self,
        pair: InputLine,
        target: TokenizedLine,
        forced: Hypothesis | None,
        table: SoftAlignment,
    ) -> Translation:
        return Translation(
            line=pair.line,
            source=pair.source,
            text=pair.target,
            source_words=table.source,
            target_words=table.target,
            hypotheses=(forced,) if forced else (),
            texts=(pair.target,) if forced else (),
            alignment=table,
            word_logp=sum_logp(forced, label_units(target, self.level)) if forced else (),
        )

    def _blank(self, pair: InputLine, source: TokenizedLine, target: TokenizedLine) -> Translation:
        names = label_units(source, self.level).labels, label_units(target, self.level).labels
        nothing = np.zeros((len(names[1]), len(names[0])), np.float32)
        unaligned = np.ones(len(names[1]), np.float32)
        kind: MatrixKind = "alignment" if self.matcher else "attention"
        alignment = SoftAlignment(*names, nothing, unaligned, kind, self.level, "forced")
        return Translation(
            pair.line, pair.source, pair.target, *names, alignment=alignment,
            word_logp=(0.0,) * len(names[1]),
        )  # fmt: skip
