"""Add the tables of a model's other weights to pairs: its word aligner's, its attention, its heads.

Knows of an aligner only that it aligns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from attn_cli.data.casing import is_all_caps
from attn_cli.inference.linkers import AlignerProtocol
from attn_cli.types import HeadAlignment, InputLine, SoftAlignment, Translation

#: Pairs that get the tables of single heads, which cost a forced decoding each.
PAIRS_WITH_HEADS = 50


@dataclass
class OtherTables:
    """Aligns pairs again, by weights that their own alignment does not show.

    `aligners` give whole tables; `heads` are the layer and number of each head, and an aligner by
    that head alone. The first `heads_left` pairs get the tables of heads.
    """

    aligners: Sequence[AlignerProtocol]
    heads: Sequence[tuple[int, int, AlignerProtocol]] = ()
    heads_left: int = field(default=PAIRS_WITH_HEADS)

    def add(self, translations: Sequence[Translation]) -> list[Translation]:
        """Return the pairs with their `others`, `heads`, and scores where an aligner gives them.

        A table over other words than the pair's is left out; so are those of a line in capitals
        that was translated, since it was read in small letters.
        """
        result = list(translations)
        places = [place for place, each in enumerate(result) if _can_be_aligned(each)]
        pairs = [InputLine(result[p].line, result[p].source, result[p].text) for p in places]
        for aligner in self.aligners:
            for place, aligned in zip(places, aligner.align(pairs), strict=True):
                result[place] = _with_other(result[place], aligned)
        count = min(self.heads_left, len(places)) if self.heads else 0
        self.heads_left -= count
        for layer, head, aligner in self.heads:
            aligned_pairs = aligner.align(pairs[:count])
            for place, aligned in zip(places[:count], aligned_pairs, strict=True):
                if table := _same_words(result[place], aligned):
                    heads = (*result[place].heads, HeadAlignment(layer, head, table))
                    result[place] = replace(result[place], heads=heads)
        return result


def _can_be_aligned(translation: Translation) -> bool:
    table = translation.alignment
    if table is None or not (table.source and table.target):
        return False
    return table.mode == "forced" or not is_all_caps(translation.source)


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
    """The table of `aligned` if its words are those of the pair."""
    words = (translation.source_words, translation.target_words)
    return aligned.alignment if words == (aligned.source_words, aligned.target_words) else None
