"""Add the tables of a model's other weights to pairs: word aligner, attention, single heads."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from attn_cli.inference.linkers import AlignerProtocol
from attn_cli.types import HeadAlignment, HeadId, InputLine, SoftAlignment, Translation

#: Pairs that get the tables of single heads, each of which takes a forced decoding.
PAIRS_WITH_HEADS = 50


@dataclass
class OtherTables:
    """Aligns pairs again, by other weights than those of their own alignment.

    `aligners` are for whole tables; `heads` are single heads, each with an aligner by that head
    alone. The first `heads_left` pairs get the tables of heads.
    """

    aligners: Sequence[AlignerProtocol]
    heads: Sequence[tuple[HeadId, AlignerProtocol]] = ()
    heads_left: int = field(default=PAIRS_WITH_HEADS)

    def add(self, translations: Sequence[Translation]) -> list[Translation]:
        """Return the pairs with their `others`, `heads`, and scores if an aligner has them.

        Leaves out tables over other words than the pair's.
        """
        result = list(translations)
        indices = [index for index, each in enumerate(result) if _can_be_aligned(each)]
        pairs = [InputLine(result[i].line, result[i].source, result[i].text) for i in indices]
        for aligner in self.aligners:
            for index, aligned in zip(indices, aligner.align(pairs), strict=True):
                result[index] = _with_other(result[index], aligned)
        count = min(self.heads_left, len(indices)) if self.heads else 0
        self.heads_left -= count
        for head, aligner in self.heads:
            aligned_pairs = aligner.align(pairs[:count])
            for index, aligned in zip(indices[:count], aligned_pairs, strict=True):
                if table := _same_words(result[index], aligned):
                    heads = (*result[index].heads, HeadAlignment(*head, table))
                    result[index] = replace(result[index], heads=heads)
        return result


def _can_be_aligned(translation: Translation) -> bool:
    table = translation.alignment
    return table is not None and bool(table.source and table.target)


def _with_other(translation: Translation, aligned: Translation) -> Translation:
    table = _same_words(translation, aligned)
    if table is None:
        return translation
    if aligned.hypotheses and not translation.hypotheses:
        translation = replace(
            translation,
            hypotheses=aligned.hypotheses,
            texts=aligned.texts,
            word_logp=aligned.word_logp,
        )
    return replace(translation, others=(*translation.others, table))


def _same_words(translation: Translation, aligned: Translation) -> SoftAlignment | None:
    """Return the table of `aligned` if its words are those of the pair, else None."""
    words = (translation.source_words, translation.target_words)
    return aligned.alignment if words == (aligned.source_words, aligned.target_words) else None
