"""Merge attention weights between pieces into weights between words.

A source word receives the sum of what its pieces receive; the weights of a target word are the mean
of those of its pieces. A piece of several words counts for each by its share of characters there.
Pieces of no word (`word_ids` -1: the end of the sentence) are not words: the weight of the source's
end is `unaligned`, and the target's own end has no row. Nothing is renormalized, so each row and
its unaligned share sum to 1 because the piece weights did.
"""

from collections.abc import Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.choices import Level
from attn_cli.types import (
    Crossing,
    DecodingMode,
    FloatArray,
    IntArray,
    SoftAlignment,
    TableKind,
    TokenizedLine,
)

#: How far from 1 a row of weights may sum: softmax in float32, or in an int8 graph.
TOLERANCE = 1e-4


def build_alignment(
    weights: FloatArray,
    source: TokenizedLine,
    target: TokenizedLine,
    *,
    kind: TableKind,
    mode: DecodingMode,
    level: Level = "word",
) -> SoftAlignment:
    """The table of `weights` (T_pieces, S_pieces) between two encoded lines, ends included.

    Rows and columns are words, or with `level="piece"` the printable pieces; either way the ends of
    the sentences are taken out of the table.
    """
    columns, rows = label_units(source, level), label_units(target, level)
    merged, unaligned = merge_weights(weights, columns.membership, rows.membership)
    return SoftAlignment(columns.labels, rows.labels, merged, unaligned, kind, level, mode)


class UnitLabels(NamedTuple):
    """What the rows or columns of a table are: their names, and that of each piece or -1.

    A piece of several words belongs to them by its shares, `crossing`.
    """

    labels: tuple[str, ...]
    unit_ids: IntArray
    crossing: tuple[Crossing, ...] = ()

    @property
    def membership(self) -> NDArray[np.float64]:
        """(pieces, labels): the share of each piece in each of the labels."""
        return membership(self.unit_ids, len(self.labels), self.crossing)


def label_units(line: TokenizedLine, level: Level) -> UnitLabels:
    """The words of a line, or the pieces that are of some word."""
    if level == "word":
        return UnitLabels(tuple(word.text for word in line.words), line.word_ids, line.crossing)
    of_word = line.word_ids >= 0  # (pieces,) bool
    unit_ids = np.where(of_word, of_word.cumsum() - 1, -1).astype(np.int32)
    return UnitLabels(tuple(compress(line.pieces, of_word)), unit_ids)


def membership(
    word_ids: IntArray, n_words: int, crossing: Sequence[Crossing] = ()
) -> NDArray[np.float64]:
    """(P,) word of each piece, -1 for none → (P, n_words) its share in each; rows sum to 1 or 0."""
    matrix = np.zeros((len(word_ids), n_words))
    inside = np.flatnonzero(word_ids >= 0)
    matrix[inside, word_ids[inside]] = 1
    matrix[[each.piece for each in crossing]] = 0
    for piece, word, share in crossing:
        matrix[piece, word] = share
    return matrix


def merge_weights(
    weights: FloatArray,
    source_words: NDArray[np.floating[Any]],
    target_words: NDArray[np.floating[Any]],
) -> tuple[FloatArray, FloatArray]:
    """Word weights (n_target, n_source) and unaligned (n_target,) from piece weights (T, S).

    `source_words` (S, n_source) and `target_words` (T, n_target) are the shares of each piece in
    each word (`membership`). The row of a target word without pieces is 0, and its
    unaligned share 1; so are those of a piece without attention. The column of a source word
    without pieces is 0.
    """
    shape = (len(target_words), len(source_words))
    assert weights.shape == shape, (weights.shape, shape)
    nowhere = ~weights.any(axis=1)  # (T,) bool
    sums = weights.sum(axis=1) + nowhere
    assert np.allclose(sums, 1, atol=TOLERANCE), "a row of weights must sum to 1"

    # The last column gathers the pieces of no word.
    gathered = np.column_stack([source_words, 1 - source_words.sum(1)])  # (S, n_source + 1)
    owned = target_words.sum(axis=0)  # (n_target,) pieces of each target word
    mean = target_words.T / np.where(owned > 0, owned, 1)[:, None]  # (n_target, T)
    table = mean @ weights @ gathered  # (n_target, n_source + 1)
    table[:, -1] += mean @ nowhere
    table[owned == 0, -1] = 1

    assert np.allclose(table.sum(axis=1), 1, atol=TOLERANCE)
    return table[:, :-1].astype(np.float32), table[:, -1].astype(np.float32)


def word_mean_matrix(
    word_ids: IntArray, n_words: int, crossing: Sequence[Sequence[Crossing]] = ()
) -> FloatArray:
    """(B, P) word of each piece, -1 for none → (B, n_words, P): 1 / n at a word's n pieces.

    `crossing` has, for each row, the pieces that are of several words by their shares.
    """
    same = word_ids[:, None, :] == np.arange(n_words)[None, :, None]  # (B, W, P)
    shares = same.astype(np.float32)
    for row, pieces in enumerate(crossing):
        shares[row, :, [each.piece for each in pieces]] = 0
        for piece, word, share in pieces:
            shares[row, word, piece] = share
    owned = shares.sum(axis=2, keepdims=True)
    mean: FloatArray = shares / np.where(owned > 0, owned, 1)
    return mean
