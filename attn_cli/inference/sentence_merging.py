"""Translations of the sentences of a line become one of the line. Knows values and no network."""

import heapq
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attn_cli.types import FloatArray, Hypothesis, SoftAlignment, Translation


def merge_sentences(parts: Sequence[Translation], *, n_best: int) -> Translation:
    """One translation of sentences, each of some words, that follow each other in a line.

    Texts are joined by spaces, words and log-probabilities stand one behind the other, and the
    table has a block for each sentence and 0 elsewhere. The hypotheses are the `n_best` best
    combinations of the sentences' own: each has the ends of its sentences, and none keeps weights.
    """
    ways = best_combinations(parts, n_best)
    starts = itertools.accumulate([0, *(len(part.target_words) for part in parts[:-1])])
    texts = tuple(
        " ".join(filter(None, (part.texts[place] for part, place in zip(parts, way, strict=True))))
        for _, way in ways
    )
    return Translation(
        line=parts[0].line,
        source=" ".join(part.source for part in parts),
        text=texts[0],
        source_words=tuple(word for part in parts for word in part.source_words),
        target_words=tuple(word for part in parts for word in part.target_words),
        hypotheses=tuple(_hypothesis(parts, score, way) for score, way in ways),
        texts=texts,
        alignment=_table([part.alignment for part in parts if part.alignment is not None]),
        word_logp=tuple(logp for part in parts for logp in part.word_logp),
        unsure=tuple(
            start + word for start, part in zip(starts, parts, strict=True) for word in part.unsure
        ),
    )


def best_combinations(
    parts: Sequence[Translation], count: int
) -> list[tuple[float, tuple[int, ...]]]:
    """The `count` best ways to take a hypothesis of each part: their scores and the places taken.

    A way's score is the mean of the hypotheses' scores, each weighed by the share that its
    sentence's best has in all pieces: the same for all ways, so that the first of each sentence
    together are the best, and the score of one sentence alone is its own.
    """
    pieces = np.array([len(part.hypotheses[0].ids) for part in parts])
    shares = pieces / pieces.sum()
    return best_sums(
        [
            [float(share) * hypothesis.score for hypothesis in part.hypotheses]
            for share, part in zip(shares, parts, strict=True)
        ],
        count,
    )


def best_sums(lists: Sequence[Sequence[float]], count: int) -> list[tuple[float, tuple[int, ...]]]:
    """The `count` highest sums of a number of each list, which never rise, and the places taken.

    Highest first. List by list no more than the best `count` sums so far are kept, for a worse one
    is never part of a better whole; a heap finds them in order in count · log count steps (Huang &
    Chiang 2005, "Better k-best Parsing", algorithm 2).
    """
    sums = [0.0]
    taken: list[list[tuple[int, int]]] = []  # list by list: (place among the sums before, its own)
    for numbers in lists:
        heap = [(-(sums[0] + numbers[0]), 0, 0)]
        found: list[tuple[float, int, int]] = []
        while heap and len(found) < count:
            negative, before, own = heapq.heappop(heap)
            found.append((-negative, before, own))
            if own + 1 < len(numbers):
                heapq.heappush(heap, (-(sums[before] + numbers[own + 1]), before, own + 1))
            if own == 0 and before + 1 < len(sums):
                heapq.heappush(heap, (-(sums[before + 1] + numbers[0]), before + 1, 0))
        sums = [each for each, _, _ in found]
        taken.append([(before, own) for _, before, own in found])
    return [(each, _backtrack(taken, place)) for place, each in enumerate(sums)]


def _backtrack(taken: Sequence[Sequence[tuple[int, int]]], place: int) -> tuple[int, ...]:
    """The places that a sum is made of, walked back from the last list."""
    way = []
    for of_list in reversed(taken):
        place, own = of_list[place]
        way.append(own)
    return tuple(reversed(way))


def _hypothesis(parts: Sequence[Translation], score: float, way: tuple[int, ...]) -> Hypothesis:
    chosen = [part.hypotheses[place] for part, place in zip(parts, way, strict=True)]
    return Hypothesis(
        ids=np.concatenate([each.ids for each in chosen]),
        score=score,
        token_logp=np.concatenate([each.token_logp for each in chosen]),
    )


def _table(blocks: Sequence[SoftAlignment]) -> SoftAlignment | None:
    """One table with the blocks along its diagonal, None where there are none."""
    if not blocks:
        return None
    links = [block.link_probs for block in blocks if block.link_probs is not None]
    return SoftAlignment(
        source=tuple(word for block in blocks for word in block.source),
        target=tuple(word for block in blocks for word in block.target),
        weights=_diagonal([block.weights for block in blocks]),
        unaligned=np.concatenate([block.unaligned for block in blocks]),
        kind=blocks[0].kind,
        level=blocks[0].level,
        mode=blocks[0].mode,
        link_probs=_diagonal(links) if links else None,
    )


def _diagonal(blocks: Sequence[FloatArray]) -> FloatArray:
    """(T_i, S_i) of each → (Σ T_i, Σ S_i), 0 outside of the blocks."""
    shapes = np.array([block.shape for block in blocks])
    table: NDArray[np.float32] = np.zeros(shapes.sum(axis=0), np.float32)
    row = column = 0
    for block in blocks:
        height, width = block.shape
        table[row : row + height, column : column + width] = block
        row, column = row + height, column + width
    return table
