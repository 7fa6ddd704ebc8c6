"""Build a `TokenizedLine` from the segmentations of its words."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from attn_cli.types import EOS, TokenizedLine, Word

Segment = Callable[[str], tuple[int, ...]]


def line_of_segments(
    raw: str,
    words: tuple[Word, ...],
    segments: Sequence[Sequence[int]],
    pieces: Sequence[str],
    *,
    prefix: Sequence[int] = (),
) -> TokenizedLine:
    """Return a line of `words` whose ids are `segments`, one for each word, and EOS.

    `prefix` are ids in front that belong to no word; `pieces` is the vocabulary.
    """
    ids = [*prefix, *itertools.chain.from_iterable(segments), EOS]
    word_ids = np.full(len(ids), -1, np.int32)
    lengths = [len(segment) for segment in segments]
    word_ids[len(prefix) : -1] = np.repeat(np.arange(len(segments)), lengths)
    return TokenizedLine(
        raw=raw,
        ids=np.array(ids, np.int32),
        pieces=tuple([pieces[id] for id in ids]),
        word_ids=word_ids,
        words=words,
    )


def line_of_tokens(
    tokens: Sequence[str], segment: Segment, pieces: Sequence[str], *, prefix: Sequence[int] = ()
) -> TokenizedLine:
    """Return a line whose words are `tokens`, split by another program.

    Its text is the tokens with single spaces between them. Tokens do not show which of them touched
    the token before (`.`, `n't`): one that has fewer ids without a space in front is segmented so,
    except for the first. `segment` returns the ids of a form, with or without the space.
    """
    words: list[Word] = []
    segments: list[tuple[int, ...]] = []
    end = 0
    for token in tokens:
        words.append(Word(token, end, end + len(token)))
        end += len(token) + 1
        spaced, unspaced = segment(" " + token), segment(token)
        segments.append(unspaced if segments and len(unspaced) < len(spaced) else spaced)
    return line_of_segments(" ".join(tokens), tuple(words), segments, pieces, prefix=prefix)
