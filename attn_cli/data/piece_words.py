"""Assign the pieces of a line to words, by the spans of both in its text."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attn_cli.data import words
from attn_cli.data.tokenizer_interface import DecodedText
from attn_cli.data.word_rules import WordRules
from attn_cli.data.words import Span
from attn_cli.types import Crossing, IntArray, Word


def words_of_pieces(
    text: str, spans: Sequence[Span], words: Sequence[Word]
) -> tuple[IntArray, tuple[Crossing, ...]]:
    """Return the word of each piece (n,) int32, and the shares of the pieces that cross words.

    A piece belongs to the word with most of its visible characters, the first of equals; its share
    of each of its words is that of these characters. A piece without any, such as a space, belongs
    to the word that follows, or at the end to the last one. -1 in a text without words.
    """
    if not (words and spans):
        return np.full(len(spans), -1, np.int32), ()
    starts, ends = np.array(spans).T
    # The first word that ends behind the start of a piece: white space belongs to no word.
    word_ends = np.array([word.end for word in words])
    word_ids = np.minimum(np.searchsorted(word_ends, starts, "right"), len(words) - 1)
    crossing: list[Crossing] = []
    for piece in np.flatnonzero(ends > word_ends[word_ids]).tolist():
        counts = _counts(text, *spans[piece], words, word_ids[piece])
        if counts:
            word_ids[piece] = max(counts, key=counts.__getitem__)
        if len(counts) > 1:
            total = sum(counts.values())
            crossing += [Crossing(piece, word, count / total) for word, count in counts.items()]
    return word_ids.astype(np.int32), tuple(crossing)


def group_decoded(
    text: str,
    spans: Sequence[Span],
    has_no_text: NDArray[np.bool_],
    *,
    rules: WordRules,
    literals: Sequence[Span] = (),
) -> DecodedText:
    """Return the text of decoded pieces without space at either end, and the word of each piece.

    `spans` (n) are those of the pieces in `text`; pieces with `has_no_text` (n,) belong to no word.
    Each of the spans of `literals` is one word.
    """
    lead = len(text) - len(text.lstrip())
    spans, literals = (
        [(start - lead, end - lead) for start, end in each] for each in (spans, literals)
    )
    text = text.strip()
    text_words = words.split(text, literals, rules=rules)
    word_ids, crossing = words_of_pieces(text, spans, text_words)
    word_ids[has_no_text] = -1
    return DecodedText(text, text_words, word_ids, crossing)


def _counts(text: str, start: int, end: int, words: Sequence[Word], first: int) -> dict[int, int]:
    """Return the number of visible characters of text[start:end] in each word, from `first` on."""
    counts: dict[int, int] = {}
    for number in range(first, len(words)):
        word = words[number]
        if word.start >= end:
            break
        overlap = text[max(start, word.start) : min(end, word.end)]
        if count := sum(each.isprintable() and not each.isspace() for each in overlap):
            counts[number] = count
    return counts
