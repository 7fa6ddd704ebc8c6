"""Turns weights between pieces into weights between words.

Knows no tokenizer and no network: which word a piece belongs to is given.

A source word receives the sum of what its pieces receive; a target word looks where its pieces
look on average. Pieces of no word (`word_of` -1: the end of the sentence) are not words: what the
target gives to the source's end is `leftover`, and the target's own end has no row. Nothing is
renormalised, so each row and its leftover sum to 1 because the piece weights did.
"""

from itertools import compress

import numpy as np
from numpy.typing import NDArray

from attn_cli.values import Encoded, FloatArray, IntArray, Kind, Level, Origin, SoftAlignment

#: How far from 1 a row of weights may sum: softmax in float32, or in an int8 graph.
TOLERANCE = 1e-4


def soft_alignment(
    weights: FloatArray,
    source: Encoded,
    target: Encoded,
    *,
    kind: Kind,
    origin: Origin,
    level: Level = "word",
) -> SoftAlignment:
    """The table of `weights` (T_pieces, S_pieces) between two encoded lines, ends included.

    Rows and columns are words, or with `level="piece"` the printable pieces; either way the ends of
    the sentences are taken out of the table.
    """
    if level == "piece":
        source_labels, source_groups = _pieces(source)
        target_labels, target_groups = _pieces(target)
    else:
        source_labels, source_groups = _texts(source), source.word_of
        target_labels, target_groups = _texts(target), target.word_of
    merged, leftover = merge(
        weights,
        source_groups,
        target_groups,
        n_source=len(source_labels),
        n_target=len(target_labels),
    )
    return SoftAlignment(source_labels, target_labels, merged, leftover, kind, level, origin)


def merge(
    weights: FloatArray,
    source_word_of: IntArray,
    target_word_of: IntArray,
    *,
    n_source: int,
    n_target: int,
) -> tuple[FloatArray, FloatArray]:
    """Word weights (n_target, n_source) and leftover (n_target,) from piece weights (T, S).

    A target word that owns no piece looks at nothing: its row is 0 and its leftover 1. A source
    word that owns no piece has a column of 0.
    """
    shape = (len(target_word_of), len(source_word_of))
    assert weights.shape == shape, (weights.shape, shape)
    assert np.allclose(weights.sum(axis=1), 1, atol=TOLERANCE), "a row of weights must sum to 1"

    # Column n_source gathers the pieces of no word, since index -1 is the last one.
    source_words = _membership(source_word_of, n_source + 1)  # (S, n_source + 1)
    target_words = _membership(target_word_of, n_target + 1)[:, :n_target]  # (T, n_target)

    owned = target_words.sum(axis=0)  # (n_target,) pieces of each target word
    mean = target_words.T / np.maximum(owned, 1)[:, None]  # (n_target, T)
    table = mean @ weights @ source_words  # (n_target, n_source + 1)
    table[owned == 0, -1] = 1

    assert np.allclose(table.sum(axis=1), 1, atol=TOLERANCE)
    return table[:, :-1].astype(np.float32), table[:, -1].astype(np.float32)


def _membership(word_of: IntArray, n_words: int) -> NDArray[np.float64]:
    """(pieces, words), 1 where the piece is of the word."""
    matrix = np.zeros((len(word_of), n_words))
    matrix[np.arange(len(word_of)), word_of] = 1
    return matrix


def _texts(line: Encoded) -> tuple[str, ...]:
    return tuple(word.text for word in line.words)


def _pieces(line: Encoded) -> tuple[tuple[str, ...], IntArray]:
    """The pieces that are of some word, and for each piece its place among them or -1."""
    of_word = line.word_of >= 0  # (pieces,) bool
    groups = np.where(of_word, of_word.cumsum() - 1, -1).astype(np.int32)
    return tuple(compress(line.pieces, of_word)), groups
