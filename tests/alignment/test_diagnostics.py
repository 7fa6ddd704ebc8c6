"""Diagnostics compared with their formulas and with cases worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_cli.alignment.diagnostics import (
    coverage_deviation,
    diagnose,
    disagreement,
    mean_entropy,
    repeated_words,
)
from attn_cli.types import SoftAlignment, WordAlignment


def table(rows, source="a b", target="x y") -> SoftAlignment:
    weights = np.array(rows, np.float32)
    return SoftAlignment(tuple(source.split()), tuple(target.split()), weights, 1 - weights.sum(1))


def test_coverage_deviation_follows_the_formula_of_the_paper():
    """Rikters & Fishel 2017: the mean of log(1 + (1 - coverage)²)."""
    weights = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)  # coverage 1.5 and 0.5
    assert coverage_deviation(weights) == pytest.approx(math.log(1.25))
    assert coverage_deviation(np.eye(3, dtype=np.float32)) == 0


def test_entropy_is_0_for_one_hot_rows_and_log_n_for_uniform_rows():
    assert mean_entropy(np.eye(4, dtype=np.float32)) == 0
    assert mean_entropy(np.full((2, 4), 0.25, np.float32)) == pytest.approx(math.log(4))
    assert mean_entropy(np.zeros((1, 3), np.float32)) == 0


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("the the cat", (1,)),
        ("The the cat", (1,)),
        ("I see a cat a cat", (4, 5)),
        ("a b a", ()),
        ("no , , no", ()),
        ("la la la", (1, 2)),
        ("", ()),
    ],
)
def test_immediate_repetitions_are_found(text, repeated):
    assert repeated_words(text.split()) == repeated


def test_unlinked_source_words_contain_letters_or_digits_and_have_no_link():
    diagnostics = diagnose(
        table([[1, 0, 0], [0, 1, 0]], "a b ."), WordAlignment(frozenset({(0, 0)}), 3, 2)
    )
    assert diagnostics.unlinked_source == (1,)


def test_disagreement_is_the_total_variation_distance():
    one, other = table([[1, 0], [0, 1]]), table([[0, 1], [0, 1]])
    assert disagreement(one, other) == pytest.approx(0.5)
    assert disagreement(one, one) == 0
    assert disagreement(table([[0, 0]], target="x"), table([[1, 0]], target="x")) == 1


def test_disagreement_with_a_table_of_other_words_is_none():
    links = WordAlignment(frozenset(), 2, 2)
    other = table([[1, 0]], target="z")
    assert diagnose(table([[1, 0], [0, 1]]), links, other).disagreement is None


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=4))
def test_coverage_deviation_and_entropies_are_never_negative(rows):
    weights = np.array(rows, np.float32)
    weights /= weights.sum(1, keepdims=True) * 1.25
    target = " ".join("xyzw"[: len(rows)])
    diagnostics = diagnose(
        table(weights, "a b c", target), WordAlignment(frozenset(), 3, len(rows))
    )
    assert diagnostics.coverage_deviation >= 0
    assert 0 <= diagnostics.source_entropy <= math.log(len(rows)) + 1e-6
    assert 0 <= diagnostics.target_entropy <= math.log(4) + 1e-6


def test_diagnostics_of_a_blank_sentence_are_zero_and_empty():
    diagnostics = diagnose(table(np.zeros((0, 0)), "", ""), WordAlignment(frozenset(), 0, 0))
    assert (
        diagnostics.coverage_deviation,
        diagnostics.target_entropy,
        diagnostics.repeated_target,
    ) == (0, 0, ())
