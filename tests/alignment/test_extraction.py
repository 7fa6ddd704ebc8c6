"""Extraction of links from weights: by a threshold or by the maxima of rows and columns."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.alignment.extraction import argmax, extract, itermax, mutual, threshold
from attn_cli.choices import Extraction
from attn_cli.types import SoftAlignment


def soft(weights, unaligned=None, kind="attention"):
    weights = np.array(weights, np.float32)
    n_target, n_source = weights.shape
    if unaligned is None:
        unaligned = 1 - weights.sum(axis=1)
    return SoftAlignment(
        tuple("abc"[:n_source]),
        tuple("xyz"[:n_target]),
        weights,
        np.array(unaligned, np.float32),
        kind,
    )


CROSSED = soft([[0.94, 0.04, 0.02], [0.11, 0.01, 0.88], [0.05, 0.91, 0.04]])


def test_argmax_links_each_target_word_to_its_heaviest_source_word():
    assert argmax(CROSSED).links == {(0, 0), (2, 1), (1, 2)}


def test_links_carry_the_weights_of_their_cells():
    assert argmax(CROSSED).scores == pytest.approx({(0, 0): 0.94, (2, 1): 0.88, (1, 2): 0.91})


def test_argmax_does_not_link_a_word_whose_unaligned_weight_is_larger():
    assert argmax(soft([[0.3, 0.1], [0.5, 0.4]])).links == {(0, 1)}


def test_argmax_does_not_link_a_word_whose_largest_weight_is_below_the_minimum():
    assert argmax(CROSSED, 0.9).links == {(0, 0), (1, 2)}


def test_argmax_takes_the_first_of_equals():
    assert argmax(soft([[0.5, 0.5]])).links == {(0, 0)}


def test_threshold_links_every_cell_of_at_least_the_minimum():
    assert threshold(CROSSED, 0.11).links == {(0, 0), (0, 1), (2, 1), (1, 2)}


#: Both target words have their largest weight on the first source word, the second one more.
SHARED = soft([[0.5, 0.46], [0.6, 0.1]])


def test_mutual_links_words_that_are_each_others_heaviest():
    assert mutual(CROSSED).links == {(0, 0), (2, 1), (1, 2)}
    assert mutual(SHARED).links == {(0, 1)}


def test_mutual_does_not_link_a_word_whose_unaligned_weight_is_larger():
    assert mutual(soft([[0.3, 0.1], [0.2, 0.7]])).links == {(1, 1)}


def test_mutual_does_not_link_a_pair_below_the_minimum():
    assert mutual(CROSSED, 0.9).links == {(0, 0), (1, 2)}


def test_itermax_links_an_unlinked_word_to_its_best_discounted_partner():
    # 0.9 · 0.5 < 0.46: the weight of a source word that already has a link is discounted
    assert itermax(SHARED).scores == pytest.approx({(0, 1): 0.6, (1, 0): 0.46})


def test_itermax_links_a_word_twice_if_the_discounted_weight_is_still_the_largest():
    assert itermax(soft([[0.6, 0.3], [0.7, 0.2]])).links == {(0, 0), (0, 1)}


def test_itermax_ignores_links_below_the_minimum():
    assert itermax(SHARED, 0.55).links == {(0, 1)}


def test_the_default_minimum_of_a_link_is_0_3():
    assert extract(soft([[0.3, 0.5, 0.2]])).links == {(0, 0), (1, 0)}


def test_links_are_extracted_from_link_probabilities_where_they_exist():
    table = replace(soft([[0.9, 0.1]]), link_probs=np.array([[0.2, 0.6]], np.float32))
    links = extract(table)
    assert links.links == {(1, 0)}
    assert links.scores[1, 0] == pytest.approx(0.6)


def test_argmax_mutual_and_itermax_have_no_default_minimum():
    table = soft([[0.2, 0.1]], [0.1])
    for method in ("argmax", "mutual", "itermax"):
        assert extract(table, method).links == {(0, 0)}
        assert extract(table, method, 0.3).links == set()


@pytest.mark.parametrize("method", get_args(Extraction))
@pytest.mark.parametrize(("n_target", "n_source"), [(0, 0), (2, 0), (0, 2)])
def test_an_empty_side_has_no_links(method, n_target, n_source):
    links = extract(soft(np.zeros((n_target, n_source)), np.ones(n_target)), method)
    assert (links.links, links.n_source, links.n_target) == (frozenset(), n_source, n_target)


tables = st.lists(
    st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), min_size=1, max_size=3
).map(lambda rows: soft(rows, [0.2] * len(rows)))


@settings(derandomize=True, deadline=None)
@given(tables)
def test_mutual_links_are_one_to_one_and_a_subset_of_argmax_and_itermax(table):
    links = mutual(table).links
    assert len({s for s, _ in links}) == len({t for _, t in links}) == len(links)
    assert links <= argmax(table).links
    assert links <= itermax(table).links
