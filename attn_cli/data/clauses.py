"""Cut a long sentence into clauses, which a recurrent encoder translates better than the whole.

J. Pouget-Abadie et al. 2014, "Overcoming the Curse of Sentence Length for Neural Machine
Translation using Automatic Segmentation", choose segments by the probabilities of a network. Here a
clause ends behind a comma, a semicolon or a colon with white space behind it.
"""

from collections.abc import Sequence

from attn_cli.data.words import Span
from attn_cli.types import Word

_STRONG = frozenset(";:؛；：")
_MARKS = _STRONG | set(",،，、")

#: A clause has at least so many words, marks included.
MIN_WORDS = 7

#: A comma is chosen if it is so many words nearer to the middle than a semicolon or a colon, whose
#: distance counts half.
_COMMA = 8


def split(sentence_words: Sequence[Word], max_words: int) -> list[Span]:
    """Return the spans of the clauses of a sentence, in its text, in order.

    A sentence of more than `max_words` is cut once, at the mark nearest to its middle, and both
    parts in the same way. One that has no mark far enough from its ends stays whole.
    """
    cut = _best_cut(sentence_words) if len(sentence_words) > max_words else None
    if cut is None:
        return [(sentence_words[0].start, sentence_words[-1].end)]
    return split(sentence_words[:cut], max_words) + split(sentence_words[cut:], max_words)


def _best_cut(sentence_words: Sequence[Word]) -> int | None:
    """Return the index of the word behind the best mark; None without any."""
    middle = len(sentence_words) / 2
    costs: dict[int, float] = {}
    for index in range(MIN_WORDS, len(sentence_words) - MIN_WORDS + 1):
        mark, following = sentence_words[index - 1 : index + 1]
        if mark.text in _MARKS and mark.end < following.start:
            distance = abs(index - middle)
            costs[index] = distance / 2 if mark.text in _STRONG else distance + _COMMA
    return min(costs, key=costs.__getitem__, default=None)
