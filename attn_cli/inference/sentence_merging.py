"""Merge the translations of the sentences of a line into one."""

import heapq
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attn_cli.types import FloatArray, Hypothesis, SoftAlignment, Translation


def merge_sentences(parts: Sequence[Translation], *, n_best: int) -> Translation:
    """Return the translation of a line from those of its sentences, in order.

    Joins texts by spaces, and concatenates words and log-probabilities. The table has a block for
    each sentence and 0 elsewhere. The hypotheses are the `n_best` best combinations of those of the
    sentences: each contains the EOS of every sentence, and none has weights.
    """
    combinations = best_combinations(parts, n_best)
    starts = itertools.accumulate([0, *(len(part.target_words) for part in parts[:-1])])
    texts = tuple(
        " ".join(filter(None, (part.texts[n] for part, n in zip(parts, choice, strict=True))))
        for _, choice in combinations
    )
    return Translation(
        line=parts[0].line,
        source=" ".join(part.source for part in parts),
        text=texts[0],
        source_words=tuple(word for part in parts for word in part.source_words),
        target_words=tuple(word for part in parts for word in part.target_words),
        hypotheses=tuple(_hypothesis(parts, score, choice) for score, choice in combinations),
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
    """Return the `count` best choices of a hypothesis of each part: scores and indices.

    The score of a choice is the weighted mean of the scores of its hypotheses. The weight of a part
    is the length in pieces of its best hypothesis over that of all parts, the same for all choices:
    the best hypotheses of all parts are the best choice, and a line of one part keeps its scores.
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
    """Return the `count` highest sums of one number per list, highest first, and their indices.

    Each list is in descending order. The best `count` sums of the lists so far suffice, since a
    lower one is part of no better sum; a heap yields them in count · log count steps (Huang &
    Chiang 2005, "Better k-best Parsing", algorithm 2).
    """
    sums = [0.0]
    backpointers: list[list[tuple[int, int]]] = []  # per list: (previous sum, number)
    for numbers in lists:
        heap = [(-(sums[0] + numbers[0]), 0, 0)]
        best: list[tuple[float, int, int]] = []
        while heap and len(best) < count:
            negative, previous, index = heapq.heappop(heap)
            best.append((-negative, previous, index))
            if index + 1 < len(numbers):
                following = -(sums[previous] + numbers[index + 1])
                heapq.heappush(heap, (following, previous, index + 1))
            if index == 0 and previous + 1 < len(sums):
                heapq.heappush(heap, (-(sums[previous + 1] + numbers[0]), previous + 1, 0))
        sums = [each for each, _, _ in best]
        backpointers.append([(previous, index) for _, previous, index in best])
    return [(each, _backtrack(backpointers, last)) for last, each in enumerate(sums)]


def _backtrack(backpointers: Sequence[Sequence[tuple[int, int]]], position: int) -> tuple[int, ...]:
    """Return the index in each list of the numbers of a sum, from the last list backwards."""
    indices = []
    for of_list in reversed(backpointers):
        position, index = of_list[position]
        indices.append(index)
    return tuple(reversed(indices))


def _hypothesis(parts: Sequence[Translation], score: float, choice: tuple[int, ...]) -> Hypothesis:
    hypotheses = [part.hypotheses[n] for part, n in zip(parts, choice, strict=True)]
    return Hypothesis(
        ids=np.concatenate([each.ids for each in hypotheses]),
        score=score,
        token_logp=np.concatenate([each.token_logp for each in hypotheses]),
    )


def _table(blocks: Sequence[SoftAlignment]) -> SoftAlignment | None:
    """Return the table with these blocks along its diagonal, None without blocks."""
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
