"""Merge attention weights between pieces into weights between words.

A source word receives the sum of what its pieces receive; the weights of a target word are the mean
of those of its pieces. A piece of several words counts for each by its share of characters there.
Pieces of no word (`word_ids` -1: the end of the sentence) are not words: the weight of the source's
end is `unaligned`, and the target's own end has no row. Nothing is renormalized, so each row and
its unaligned share sum to 1 because the piece weights did.
"""

from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

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

#: Maximum distance of a row's sum from 1, with softmax in float32 or in an int8 graph.
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
    """Return the table of `weights` (T, S) between the pieces of two lines, EOS included.

    Rows and columns of the table are words, or with `level="piece"` pieces, without EOS.
    """
    columns, rows = label_units(source, level), label_units(target, level)
    merged, unaligned = merge_weights(weights, columns.shares, rows.shares)
    return SoftAlignment(columns.labels, rows.labels, merged, unaligned, kind, level, mode)


class UnitLabels(NamedTuple):
    """The labels of the rows or columns of a table, and the label of each piece, -1 for none.

    A piece of several words belongs to each by its share in `crossing`.
    """

    labels: tuple[str, ...]
    unit_ids: IntArray
    crossing: tuple[Crossing, ...] = ()

    @property
    def shares(self) -> NDArray[np.float64]:
        """(pieces, labels) the share of each piece in each of the labels."""
        rows = word_shares(self.unit_ids[None], len(self.labels), [self.crossing])
        shares: NDArray[np.float64] = rows[0]
        return shares


def label_units(line: TokenizedLine, level: Level) -> UnitLabels:
    """Return the words of a line, or its pieces that belong to a word."""
    if level == "word":
        return UnitLabels(tuple(word.text for word in line.words), line.word_ids, line.crossing)
    of_word = line.word_ids >= 0  # (pieces,) bool
    unit_ids = np.where(of_word, of_word.cumsum() - 1, -1).astype(np.int32)
    return UnitLabels(tuple(compress(line.pieces, of_word)), unit_ids)


def word_shares(
    word_ids: IntArray, n_words: int, crossing: Sequence[Sequence[Crossing]] = ()
) -> NDArray[np.float64]:
    """Return (B, P, n_words) the share of each piece in each word, from (B, P) words, -1 for none.

    `crossing` has, for each row, the pieces that are of several words by their shares.
    """
    shares = np.zeros((*word_ids.shape, n_words))
    rows, pieces = np.nonzero(word_ids >= 0)
    shares[rows, pieces, word_ids[rows, pieces]] = 1
    for row, several in enumerate(crossing):
        shares[row, [each.piece for each in several]] = 0
        for piece, word, share in several:
            shares[row, piece, word] = share
    return shares


def word_means(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (…, W, P) the weight of each piece in the mean of each word, from shares (…, P, W).

    1 / n at the n pieces of a word; the row of a word without pieces is 0.
    """
    n_pieces = shares.sum(axis=-2)[..., None]  # (…, W, 1)
    mean: NDArray[np.float64] = shares.swapaxes(-1, -2) / np.where(n_pieces > 0, n_pieces, 1)
    return mean


def merge_weights(
    weights: FloatArray,
    source_words: NDArray[np.float64],
    target_words: NDArray[np.float64],
) -> tuple[FloatArray, FloatArray]:
    """Return weights (n_target, n_source) and unaligned (n_target,) of words from those of pieces.

    `weights` is (T, S); `source_words` (S, n_source) and `target_words` (T, n_target) are the
    shares of each piece in each word (`word_shares`). The row of a target word without pieces is 0,
    and its unaligned share 1; so are those of a piece without attention. The column of a source
    word without pieces is 0.
    """
    shape = (len(target_words), len(source_words))
    assert weights.shape == shape, (weights.shape, shape)
    is_empty = ~weights.any(axis=1)  # (T,) bool
    sums = weights.sum(axis=1) + is_empty
    assert np.allclose(sums, 1, atol=TOLERANCE), "a row of weights must sum to 1"

    # The last column is for pieces of no word.
    columns = np.column_stack([source_words, 1 - source_words.sum(1)])  # (S, n_source + 1)
    mean = word_means(target_words)  # (n_target, T)
    table = mean @ weights @ columns  # (n_target, n_source + 1)
    table[:, -1] += mean @ is_empty
    table[~mean.any(axis=1), -1] = 1

    assert np.allclose(table.sum(axis=1), 1, atol=TOLERANCE)
    return table[:, :-1].astype(np.float32), table[:, -1].astype(np.float32)
