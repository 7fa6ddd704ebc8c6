"""Piece weights become word weights: sums over source pieces, means over target pieces."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.alignment.merge import (
    build_alignment,
    label_units,
    merge_weights,
    word_means,
    word_shares,
)
from attn_cli.types import EOS, Crossing, TokenizedLine, Word

# "I love" as _I _lo ve </s>; "Je t'aime" as _Je t' ai me </s>
SOURCE = TokenizedLine(
    "I love",
    np.array([4, 5, 6, EOS], np.int32),
    ("▁I", "▁lo", "ve", "</s>"),
    np.array([0, 1, 1, -1], np.int32),
    (Word("I", 0, 1), Word("love", 2, 6)),
)
TARGET = TokenizedLine(
    "Je t'aime",
    np.array([7, 8, 9, 10, EOS], np.int32),
    ("▁Je", "▁t'", "ai", "me", "</s>"),
    np.array([0, 1, 2, 2, -1], np.int32),
    (Word("Je", 0, 2), Word("t'", 3, 5), Word("aime", 5, 9)),
)
WEIGHTS = np.array(
    [
        [0.90, 0.05, 0.03, 0.02],  # Je
        [0.10, 0.20, 0.30, 0.40],  # t'
        [0.00, 0.60, 0.40, 0.00],  # ai
        [0.20, 0.10, 0.10, 0.60],  # me
        [0.00, 0.00, 0.00, 1.00],  # the end
    ],
    np.float32,
)


def table(**options):
    return build_alignment(WEIGHTS, SOURCE, TARGET, kind="attention", mode="forced", **options)


def test_a_source_word_receives_the_sum_and_a_target_word_the_mean_of_its_pieces():
    expected = [[0.90, 0.08], [0.10, 0.50], [0.10, (1.0 + 0.2) / 2]]
    np.testing.assert_allclose(table().weights, expected, atol=1e-6)


def test_the_weight_on_the_source_end_is_unaligned():
    np.testing.assert_allclose(table().unaligned, [0.02, 0.40, 0.30], atol=1e-6)


def test_the_target_end_has_no_row_and_the_source_end_no_column():
    assert (table().target, table().source) == (("Je", "t'", "aime"), ("I", "love"))


def test_at_piece_level_rows_and_columns_are_the_pieces_without_the_ends():
    pieces = table(level="piece")
    assert pieces.source == ("▁I", "▁lo", "ve")
    assert pieces.target == ("▁Je", "▁t'", "ai", "me")
    np.testing.assert_array_equal(pieces.weights, WEIGHTS[:4, :3])
    np.testing.assert_array_equal(pieces.unaligned, WEIGHTS[:4, 3])


def test_the_table_has_its_kind_mode_and_level():
    alignment = table(level="piece")
    assert (alignment.kind, alignment.mode, alignment.level) == ("attention", "forced", "piece")


def test_a_target_word_without_pieces_is_completely_unaligned():
    weights, unaligned = merge_weights(
        np.array([[0.7, 0.3]], np.float32),
        word_shares(np.array([0, -1], np.int32)[None], 1)[0],
        word_shares(np.array([1], np.int32)[None], 2)[0],
    )
    np.testing.assert_allclose(weights, [[0.0], [0.7]], atol=1e-6)
    np.testing.assert_allclose(unaligned, [1.0, 0.3], atol=1e-6)


def test_a_piece_of_two_words_counts_for_each_by_its_share():
    # The source piece "don'" is three quarters of do, a quarter of n't; so is the target's first.
    source = replace(SOURCE, crossing=(Crossing(0, 0, 0.75), Crossing(0, 1, 0.25)))
    target = replace(TARGET, crossing=(Crossing(0, 0, 0.75), Crossing(0, 1, 0.25)))
    table = build_alignment(WEIGHTS, source, target, kind="attention", mode="forced")
    weights = WEIGHTS.astype(float)
    columns = np.stack(
        [0.75 * weights[:, 0], 0.25 * weights[:, 0] + weights[:, 1] + weights[:, 2]], 1
    )
    np.testing.assert_allclose(table.weights[0], columns[0], atol=1e-6)
    expected = (0.25 * columns[0] + columns[1]) / 1.25
    np.testing.assert_allclose(table.weights[1], expected, atol=1e-6)
    means = word_means(word_shares(target.word_ids[None], 3, [target.crossing]))[0]
    np.testing.assert_allclose(means[:2, :2], [[1, 0], [0.2, 0.8]])


def test_rows_that_do_not_sum_to_1_raise_an_assertion_error():
    with pytest.raises(AssertionError, match="sum to 1"):
        build_alignment(WEIGHTS * 0.5, SOURCE, TARGET, kind="attention", mode="decoded")


@settings(derandomize=True, deadline=None)
@given(data=st.data())
def test_every_row_and_its_unaligned_sum_to_one(data):
    n_source, n_target = (data.draw(st.integers(0, 4), label=side) for side in ("S", "T"))
    source_of = data.draw(st.lists(st.integers(-1, n_source - 1), min_size=1, max_size=9))
    target_of = data.draw(st.lists(st.integers(-1, n_target - 1), max_size=9))
    raw = np.random.default_rng(0).random((len(target_of), len(source_of))) + 1e-3
    weights, unaligned = merge_weights(
        (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32),
        word_shares(np.array(source_of, np.int32)[None], n_source)[0],
        word_shares(np.array(target_of, np.int32)[None], n_target)[0],
    )
    np.testing.assert_allclose(weights.sum(axis=1) + unaligned, np.ones(n_target), atol=1e-5)
    assert weights.dtype == unaligned.dtype == np.float32


# Labels of rows and columns


def test_word_labels_are_the_words_without_the_end():
    names, of, _ = label_units(SOURCE, "word")
    assert (names, of.tolist()) == (("I", "love"), [0, 1, 1, -1])


def test_piece_labels_are_the_pieces_without_the_end():
    names, of, _ = label_units(SOURCE, "piece")
    assert (names, of.tolist()) == (("▁I", "▁lo", "ve"), [0, 1, 2, -1])


def test_a_word_whose_pieces_are_not_read_has_a_label():
    cut = replace(SOURCE, ids=SOURCE.ids[:1], pieces=("▁I",), word_ids=np.array([0], np.int32))
    assert label_units(cut, "word").labels == ("I", "love")
    assert label_units(cut, "piece").labels == ("▁I",)


def test_the_word_mean_matrix_weighs_the_pieces_of_a_word_equally():
    word_of = np.array([[0, 0, 1, -1], [0, -1, -1, -1]], np.int32)
    assert word_means(word_shares(word_of, 3)).tolist() == [
        [[0.5, 0.5, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]],
        [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 3), min_size=6, max_size=6), min_size=1, max_size=3))
def test_the_word_mean_matrix_gives_the_mean_that_numpy_computes(rows):
    word_of = np.array(rows, np.int32)
    values = np.random.default_rng(0).random((*word_of.shape, 2)).astype(np.float32)
    means = word_means(word_shares(word_of, 4)) @ values
    for row, owners, piece_values in zip(means, word_of, values, strict=True):
        for word in range(4):
            word_values = piece_values[owners == word]
            expected = word_values.mean(axis=0) if len(word_values) else np.zeros(2)
            np.testing.assert_allclose(row[word], expected, rtol=1e-5)
