"""Soft weights become links: by a threshold, or by the best source word of each target word."""

import numpy as np
import pytest

from attn_cli.align.extract import argmax, threshold
from attn_cli.values import SoftAlignment


def soft(weights, leftover=None):
    weights = np.array(weights, np.float32)
    n_target, n_source = weights.shape
    if leftover is None:
        leftover = 1 - weights.sum(axis=1)
    return SoftAlignment(
        tuple("abc"[:n_source]),
        tuple("xyz"[:n_target]),
        weights,
        np.array(leftover, np.float32),
    )


CROSSED = soft([[0.94, 0.04, 0.02], [0.11, 0.01, 0.88], [0.05, 0.91, 0.04]])


def test_argmax_links_each_target_word_to_its_heaviest_source_word():
    assert argmax(CROSSED).pairs == {(0, 0), (2, 1), (1, 2)}


def test_links_carry_the_weights_of_their_cells():
    assert argmax(CROSSED).weights == pytest.approx({(0, 0): 0.94, (2, 1): 0.88, (1, 2): 0.91})


def test_argmax_leaves_a_word_alone_whose_leftover_is_heavier():
    assert argmax(soft([[0.3, 0.1], [0.5, 0.4]])).pairs == {(0, 1)}


def test_argmax_leaves_a_word_alone_whose_best_is_below_the_minimum():
    assert argmax(CROSSED, 0.9).pairs == {(0, 0), (1, 2)}


def test_argmax_takes_the_first_of_equals():
    assert argmax(soft([[0.5, 0.5]])).pairs == {(0, 0)}


def test_threshold_keeps_every_cell_from_the_minimum_on():
    assert threshold(CROSSED, 0.11).pairs == {(0, 0), (0, 1), (2, 1), (1, 2)}


@pytest.mark.parametrize("extract", [argmax, lambda alignment: threshold(alignment, 0.5)])
@pytest.mark.parametrize(("n_target", "n_source"), [(0, 0), (2, 0), (0, 2)])
def test_an_empty_side_has_no_links(extract, n_target, n_source):
    links = extract(soft(np.zeros((n_target, n_source)), np.ones(n_target)))
    assert (links.pairs, links.n_source, links.n_target) == (frozenset(), n_source, n_target)
