"""Soft weights become links: by a threshold, or by what is heaviest in rows and in columns."""

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


def test_argmax_leaves_a_word_alone_whose_unaligned_is_heavier():
    assert argmax(soft([[0.3, 0.1], [0.5, 0.4]])).links == {(0, 1)}


def test_argmax_leaves_a_word_alone_whose_best_is_below_the_minimum():
    assert argmax(CROSSED, 0.9).links == {(0, 0), (1, 2)}


def test_argmax_takes_the_first_of_equals():
    assert argmax(soft([[0.5, 0.5]])).links == {(0, 0)}


def test_threshold_keeps_every_cell_from_the_minimum_on():
    assert threshold(CROSSED, 0.11).links == {(0, 0), (0, 1), (2, 1), (1, 2)}


#: Both target words look at the first source word most, the second one more so.
SHARED = soft([[0.5, 0.46], [0.6, 0.1]])


def test_mutual_links_words_that_are_each_others_heaviest():
    assert mutual(CROSSED).links == {(0, 0), (2, 1), (1, 2)}
    assert mutual(SHARED).links == {(0, 1)}


def test_mutual_leaves_a_word_alone_whose_unaligned_is_heavier():
    assert mutual(soft([[0.3, 0.1], [0.2, 0.7]])).links == {(1, 1)}


def test_mutual_leaves_a_pair_alone_below_the_minimum():
    assert mutual(CROSSED, 0.9).links == {(0, 0), (1, 2)}


def test_itermax_gives_a_word_left_over_the_best_of_what_is_left():
    # 0.9 · 0.5 < 0.46: the source word that has a link already counts for less
    assert itermax(SHARED).scores == pytest.approx({(0, 1): 0.6, (1, 0): 0.46})


def test_itermax_gives_a_word_a_second_partner_where_that_is_still_heavier():
    assert itermax(soft([[0.6, 0.3], [0.7, 0.2]])).links == {(0, 0), (0, 1)}


def test_itermax_does_not_count_a_link_below_the_minimum_as_one():
    assert itermax(SHARED, 0.55).links == {(0, 1)}


def test_without_a_minimum_a_link_weighs_three_tenths_at_least():
    assert extract(soft([[0.3, 0.5, 0.2]])).links == {(0, 0), (1, 0)}


def test_links_go_by_their_probability_where_it_is_known():
    table = replace(soft([[0.9, 0.1]]), link_probs=np.array([[0.2, 0.6]], np.float32))
    found = extract(table)
    assert found.links == {(1, 0)}
    assert found.scores[1, 0] == pytest.approx(0.6)


def test_the_other_ways_have_no_minimum_unless_one_is_given():
    faint = soft([[0.2, 0.1]], [0.1])
    for how in ("argmax", "mutual", "itermax"):
        assert extract(faint, how).links == {(0, 0)}
        assert extract(faint, how, 0.3).links == set()


@pytest.mark.parametrize("how", get_args(Extraction))
@pytest.mark.parametrize(("n_target", "n_source"), [(0, 0), (2, 0), (0, 2)])
def test_an_empty_side_has_no_links(how, n_target, n_source):
    links = extract(soft(np.zeros((n_target, n_source)), np.ones(n_target)), how)
    assert (links.links, links.n_source, links.n_target) == (frozenset(), n_source, n_target)


tables = st.lists(
    st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), min_size=1, max_size=3
).map(lambda rows: soft(rows, [0.2] * len(rows)))


@settings(derandomize=True, deadline=None)
@given(tables)
def test_mutual_links_are_one_to_one_and_part_of_the_others(table):
    links = mutual(table).links
    assert len({s for s, _ in links}) == len({t for _, t in links}) == len(links)
    assert links <= argmax(table).links
    assert links <= itermax(table).links
