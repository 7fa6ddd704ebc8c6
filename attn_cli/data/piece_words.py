"""The words that the pieces of a line belong to, from the spans of both in its text."""

from collections.abc import Sequence

import numpy as np

from attn_cli.types import Crossing, IntArray, Word

Span = tuple[int, int]


def words_of_pieces(
    text: str, spans: Sequence[Span], words: Sequence[Word]
) -> tuple[IntArray, tuple[Crossing, ...]]:
    """The word of each piece (n,), and the shares of those pieces that cross words.

    A piece belongs to the word of which it spells most visible characters, the first of equals; its
    share of each of its words is that of these characters. One that spells none, such as a space,
    belongs to the word that follows it, or at the end to the last one. -1 in a text without words.
    """
    word_of = np.full(len(spans), -1, np.int32)
    crossing: list[Crossing] = []
    first = 0  # of the words that end behind the piece's start
    for piece, (start, end) in enumerate(spans if words else ()):
        while first < len(words) - 1 and words[first].end <= start:
            first += 1
        counts = _counts(text, start, end, words, first)
        if not counts:
            word_of[piece] = first
            continue
        word_of[piece] = max(counts, key=counts.__getitem__)
        if len(counts) > 1:
            total = sum(counts.values())
            crossing += [Crossing(piece, word, count / total) for word, count in counts.items()]
    return word_of, tuple(crossing)


def _counts(text: str, start: int, end: int, words: Sequence[Word], first: int) -> dict[int, int]:
    """The visible characters of text[start:end] in each word from `first`, where there are any."""
    counts: dict[int, int] = {}
    for number in range(first, len(words)):
        word = words[number]
        if word.start >= end:
            break
        shared = text[max(start, word.start) : min(end, word.end)]
        if count := sum(sign.isprintable() and not sign.isspace() for sign in shared):
            counts[number] = count
    return counts
