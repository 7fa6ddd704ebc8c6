"""Align pairs of lines: the attention forced along the target, or the word aligner's weights."""

import re
from collections.abc import Iterable, Iterator, Sequence

from attn_cli.alignment.merge import label_units
from attn_cli.choices import Case, MatrixKind
from attn_cli.data.literals import NumberedLiteral
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.inference.engines.interface import AlignmentModel, IncrementalDecoder
from attn_cli.inference.forced_decoding import force_decode
from attn_cli.inference.hypothesis_tables import build_tables, sum_logp
from attn_cli.inference.line_batches import length_batches, pad_rows, truncate
from attn_cli.inference.pair_options import PairOptions
from attn_cli.types import Hypothesis, InputLine, SoftAlignment, TokenizedLine, Translation

_SPACED = re.compile(r"[^ \t]+")

DEFAULTS = PairOptions()

Sides = tuple[TokenizedLine, TokenizedLine]


class PairAligner:
    """A model and its two vocabularies, for lines with known targets.

    With a `aligner` the tables have its weights, and the `decoder`, if there is one, scores the
    targets; without a `aligner` they have the attention of the `decoder`, forced along each target.
    """

    def __init__(
        self,
        source: SubwordTokenizer,
        target: SubwordTokenizer,
        options: PairOptions = DEFAULTS,
        *,
        decoder: IncrementalDecoder | None = None,
        aligner: AlignmentModel | None = None,
    ) -> None:
        assert decoder or aligner
        self.source, self.target, self.options = source, target, options
        self.decoder, self.aligner = decoder, aligner

    def stream(self, chunks: Iterable[Sequence[InputLine]]) -> Iterator[Translation]:
        """Yield the alignment of every pair, in order; each chunk before the next one is read."""
        for chunk in chunks:
            yield from self.align(chunk)

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Return each pair as a translation whose text is the target and whose mode is `forced`.

        A pair with a blank side has no words on that side, and no weights. Without a decoder
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
                aligner=self.aligner,
                mode="forced",
                level=self.options.level,
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
        if self.source.literals and not self.options.tokenized:
            in_source, in_target = self.source.literals.match(pair.source, pair.target)
        case = self.options.case_rules.case(pair.source)
        target_case: Case = "lowercase" if case == "lowercase" else "original"
        return (
            self._encode(self.source, pair.source, pair.line, in_source, case),
            self._encode(self.target, pair.target, pair.line, in_target, target_case),
        )

    def _encode(
        self,
        tokenizer: SubwordTokenizer,
        text: str,
        number: int,
        literals: Sequence[NumberedLiteral],
        case: Case,
    ) -> TokenizedLine:
        # str.split would split at U+00A0 too, which fast_align leaves in a word.
        if self.options.tokenized:
            line = tokenizer.encode_tokens(_SPACED.findall(text))
        else:
            line = tokenizer.encode(text, case=case, literals=literals)
        return truncate(line, number, self.options.on_problem)

    def _forced(self, batch: Sequence[Sides]) -> Sequence[Hypothesis | None]:
        """Force the decoder along each target; None for each without a decoder."""
        if self.decoder is None:
            return [None] * len(batch)
        ids, lengths = pad_rows([source.ids for source, _ in batch])
        return force_decode(self.decoder, ids, lengths, [target.ids for _, target in batch])

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
            word_logp=sum_logp(forced, label_units(target, self.options.level)) if forced else (),
        )

    def _blank(self, pair: InputLine, source: TokenizedLine, target: TokenizedLine) -> Translation:
        level = self.options.level
        words = label_units(source, level).labels, label_units(target, level).labels
        kind: MatrixKind = "alignment" if self.aligner else "attention"
        return Translation(
            pair.line,
            pair.source,
            pair.target,
            *words,
            alignment=SoftAlignment.without_links(*words, kind=kind, level=level, mode="forced"),
            word_logp=(0.0,) * len(words[1]),
        )
