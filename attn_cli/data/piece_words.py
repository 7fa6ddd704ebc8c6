"""Assign the pieces of a line to words, by the spans of both in its text."""

from collections.abc import Sequence

import numpy as np

from attn_cli.types import Crossing, IntArray, Word

Span = tuple[int, int]


def words_of_pieces(
    text: str, spans: Sequence[Span], words: Sequence[Word]
) -> tuple[IntArray, tuple[Crossing, ...]]:
    """Return the word of each piece (n,) int32, and the shares of the pieces that cross words.

    A piece belongs to the word with most of its visible characters, the first of equals; its share
    of each of its words is that of these characters. A piece without any, such as a space, belongs
    to the word that follows, or at the end to the last one. -1 in a text without words.
    """
    word_ids = np.full(len(spans), -1, np.int32)
    crossing: list[Crossing] = []
    first = 0  # of the words that end behind the piece's start
    for piece, (start, end) in enumerate(spans if words else ()):
        while first < len(words) - 1 and words[first].end <= start:
            first += 1
        counts = _counts(text, start, end, words, first)
        if not counts:
            word_ids[piece] = first
            continue
        word_ids[piece] = max(counts, key=counts.__getitem__)
        if len(counts) > 1:
            total = sum(counts.values())
            crossing += [Crossing(piece, word, count / total) for word, count in counts.items()]
    return word_ids, tuple(crossing)


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
