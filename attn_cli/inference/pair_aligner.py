"""Align pairs of lines: the attention forced along the target, or the word aligner's weights."""

import re
from collections.abc import Iterable, Iterator, Sequence

from attn_cli.alignment.merge import label_units
from attn_cli.choices import Level, MatrixKind
from attn_cli.data.literals import NumberedLiteral
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.inference.engines.interface import AlignmentModel, IncrementalDecoder
from attn_cli.inference.forced_decoding import force_decode
from attn_cli.inference.hypothesis_tables import build_tables, sum_logp
from attn_cli.inference.line_batches import OnProblem, length_batches, pad_rows, truncate
from attn_cli.types import Hypothesis, InputLine, SoftAlignment, TokenizedLine, Translation

_SPACED = re.compile(r"[^ \t]+")


Sides = tuple[TokenizedLine, TokenizedLine]


class PairAligner:
    """A model and its two vocabularies, for lines with known targets.

    With a `matcher` the tables have its weights, and the `stepper`, if there is one, scores the
    targets; without a `matcher` they have the attention of the `stepper`, forced along each target.
    With `tokenized`, words are what spaces and TABs separate, and nothing is split further.
    `on_problem(line, problem)` is called for each line that is not read to its end.
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
        """Yield the alignment of every pair, in order; each chunk before the next one is read."""
        for chunk in chunks:
            yield from self.align(chunk)

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Return each pair as a translation whose text is the target and whose mode is `forced`.

        A pair with a blank side has no words on that side, and no weights. Without a stepper
        there are no hypotheses and no log-probabilities.
        """
        sides = [self.sides(pair) for pair in pairs]
        aligned: dict[int, Translation] = {}
        lengths = {
            index: max(len(source.ids), len(target.ids))
            for index, (source, target) in enumerate(sides)
            if source.words and target.words
        }
        for indices in length_batches(lengths, beam=1):
            batch = [sides[index] for index in indices]
            forced = self._forced(batch)
            tables = build_tables(
                [source for source, _ in batch],
                [target for _, target in batch],
                forced,
                matcher=self.matcher,
                mode="forced",
                level=self.level,
            )
            for row, index in enumerate(indices):
                target = sides[index][1]
                aligned[index] = self._aligned(pairs[index], target, forced[row], tables[row])
        return [
            aligned.get(index) or self._blank(pair, *sides[index])
            for index, pair in enumerate(pairs)
        ]

    def sides(self, pair: InputLine) -> Sides:
        """Encode both sides; the literals that both have are placeholders."""
        in_source: Sequence[NumberedLiteral] = ()
        in_target: Sequence[NumberedLiteral] = ()
        if self.source.literals and not self.tokenized:
            in_source, in_target = self.source.literals.match(pair.source, pair.target)
        return (
            self._encode(self.source, pair.source, pair.line, in_source),
            self._encode(self.target, pair.target, pair.line, in_target),
        )

    def _encode(
        self,
        tokenizer: SubwordTokenizer,
        text: str,
        number: int,
        literals: Sequence[NumberedLiteral],
    ) -> TokenizedLine:
        if self.tokenized:  # str.split would split at U+00A0 too, which fast_align leaves in a word
            line = tokenizer.encode_tokens(_SPACED.findall(text))
        else:
            line = tokenizer.encode(text, literals=literals)
        return truncate(line, number, self.on_problem)

    def _forced(self, batch: Sequence[Sides]) -> Sequence[Hypothesis | None]:
        """Force the decoder along each target; None for each without a decoder."""
        if self.stepper is None:
            return [None] * len(batch)
        ids, lengths = pad_rows([source.ids for source, _ in batch])
        return force_decode(self.stepper, ids, lengths, [target.ids for _, target in batch])

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
        words = label_units(source, self.level).labels, label_units(target, self.level).labels
        kind: MatrixKind = "alignment" if self.matcher else "attention"
        return Translation(
            pair.line,
            pair.source,
            pair.target,
            *words,
            alignment=SoftAlignment.without_links(
                *words, kind=kind, level=self.level, mode="forced"
            ),
            word_logp=(0.0,) * len(words[1]),
        )
