"""Symmetrization of two directions: published links, cases worked by hand, and properties."""

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from alignment_sets import needs_data, read_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.alignment.pharaoh import read_links, transpose
from attn_cli.alignment.symmetrization import NEIGHBORS, harmonic_mean, symmetrize
from attn_cli.choices import LinkSymmetrization
from attn_cli.types import SoftAlignment, WordAlignment

#: Names of methods, and the names in the published files.
PUBLISHED = {
    "intersection": "intersection",
    "union": "union",
    "grow-diag": "grow-diagonal",
    "grow-diag-final": "grow-diagonal-final",
}


def links(*pairs, scores=None):
    return WordAlignment(frozenset(pairs), 99, 99, scores or {})


def symmetrized_links(forward, reverse, method, **options):
    return symmetrize(links(*forward), links(*reverse), method, **options).links


def giza(name):
    alignments, _ = read_links(read_lines(f"ro-en.giza.{name}.links"), name=name)
    return [transpose(one) for one in alignments] if name == "reverse" else alignments


# Published


@needs_data
@pytest.mark.parametrize("method", PUBLISHED)
def test_links_equal_those_published_for_romanian_english(method):
    alignments = [
        symmetrize(*directions, method)
        for directions in zip(giza("forward"), giza("reverse"), strict=True)
    ]
    published = giza(PUBLISHED[method])
    assert [one.links for one in alignments] == [one.links for one in published]


# By hand


def test_grow_diag_adds_neighbors_of_neighbors_in_all_directions():
    diagonal = {(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)}
    assert symmetrized_links(diagonal, {(2, 2)}, "grow-diag") == diagonal


def test_grow_diag_does_not_add_a_link_without_a_neighbor():
    assert symmetrized_links({(0, 0), (2, 2)}, {(0, 0)}, "grow-diag") == {(0, 0)}


def test_the_final_step_adds_links_without_neighbors():
    assert symmetrized_links({(0, 0), (2, 2)}, {(0, 0)}, "grow-diag-final") == {(0, 0), (2, 2)}


def test_grow_diag_adds_nothing_to_an_empty_intersection():
    assert symmetrized_links({(0, 0)}, {(1, 1)}, "grow-diag") == set()
    assert symmetrized_links({(0, 0)}, {(1, 1)}, "grow-diag-final-and") == {(0, 0), (1, 1)}


def test_a_neighbor_with_one_linked_word_is_added_only_under_either():
    forward, reverse = {(0, 0), (1, 0)}, {(0, 0)}
    assert symmetrized_links(forward, reverse, "grow-diag") == {(0, 0)}
    assert symmetrized_links(forward, reverse, "grow-diag", unaligned="either") == forward


def test_final_and_requires_two_unlinked_words_even_under_either():
    forward, reverse = {(0, 0), (0, 5), (7, 7)}, {(0, 0)}
    options = {"unaligned": "either"}
    assert symmetrized_links(forward, reverse, "grow-diag-final", **options) == forward
    assert symmetrized_links(forward, reverse, "grow-diag-final-and", **options) == {(0, 0), (7, 7)}


def test_the_final_step_prefers_forward_links():
    forward, reverse = {(0, 0), (5, 9)}, {(0, 0), (5, 7)}
    assert symmetrized_links(forward, reverse, "grow-diag-final") == {(0, 0), (5, 9)}
    assert symmetrized_links(reverse, forward, "grow-diag-final") == {(0, 0), (5, 7)}


def test_the_first_of_competing_neighbors_is_added():
    forward, reverse = {(1, 1), (0, 0)}, {(1, 1), (0, 2)}
    assert symmetrized_links(forward, reverse, "grow-diag") == {(1, 1), (0, 2)}


def test_the_score_of_a_link_is_the_mean_of_both_directions():
    forward = links((0, 0), (1, 1), scores={(0, 0): 0.9, (1, 1): 0.5})
    reverse = links((0, 0), scores={(0, 0): 0.7})
    scores = symmetrize(forward, reverse, "union").scores
    assert scores == pytest.approx({(0, 0): 0.8, (1, 1): 0.25})


def test_links_without_scores_in_one_direction_have_no_scores():
    forward = links((0, 0), (1, 1), scores={(0, 0): 0.9, (1, 1): 0.5})
    assert symmetrize(forward, links((0, 0)), "union").scores == {}


def test_the_sentence_lengths_are_the_larger_of_both_directions():
    alignment = symmetrize(
        WordAlignment(frozenset(), 3, 4), WordAlignment(frozenset(), 2, 7), "union"
    )
    assert (alignment.n_source, alignment.n_target) == (3, 7)


# Properties

METHODS = get_args(LinkSymmetrization)
some_links = st.frozensets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=24)
rules = st.sampled_from(["both", "either"])
deterministic = settings(derandomize=True, deadline=None)


@deterministic
@given(some_links, some_links)
def test_each_method_contains_the_links_of_the_method_before_it(forward, reverse):
    order = ["intersection", "grow-diag", "grow-diag-final-and", "grow-diag-final", "union"]
    links_of_methods = [symmetrized_links(forward, reverse, method) for method in order]
    assert all(fewer <= more for fewer, more in pairwise(links_of_methods))


@deterministic
@given(some_links, some_links)
def test_under_either_final_links_contain_grow_diag_and_are_part_of_the_union(forward, reverse):
    grow_diag_links = symmetrized_links(forward, reverse, "grow-diag", unaligned="either")
    for method in ("grow-diag-final-and", "grow-diag-final"):
        final_links = symmetrized_links(forward, reverse, method, unaligned="either")
        assert forward & reverse <= grow_diag_links <= final_links <= forward | reverse


@deterministic
@given(some_links, some_links, rules, st.sampled_from(["intersection", "union", "grow-diag"]))
def test_without_a_final_step_the_order_of_directions_does_not_matter(
    forward, reverse, rule, method
):
    in_order, exchanged = (forward, reverse), (reverse, forward)
    assert symmetrized_links(*in_order, method, unaligned=rule) == symmetrized_links(
        *exchanged, method, unaligned=rule
    )


@deterministic
@given(some_links, rules, st.sampled_from(METHODS))
def test_equal_directions_do_not_change(direction, rule, method):
    assert symmetrized_links(direction, direction, method, unaligned=rule) == direction


@deterministic
@given(some_links, some_links, rules)
def test_after_final_and_no_remaining_link_has_two_unlinked_words(forward, reverse, rule):
    final_links = symmetrized_links(forward, reverse, "grow-diag-final-and", unaligned=rule)
    sources, targets = {s for s, _ in final_links}, {t for _, t in final_links}
    assert all(s in sources or t in targets for s, t in forward | reverse)


@deterministic
@given(some_links, some_links)
def test_after_final_under_either_every_word_linked_in_a_direction_is_linked(forward, reverse):
    final_links = symmetrized_links(forward, reverse, "grow-diag-final", unaligned="either")
    assert {s for s, _ in final_links} == {s for s, _ in forward | reverse}
    assert {t for _, t in final_links} == {t for _, t in forward | reverse}


def grow_diag_by_passes(forward, reverse, rule):
    """Return the links of grow-diag by its definition: repeated passes over all links."""
    result, size = set(forward & reverse), -1
    while len(result) > size:
        size = len(result)
        for s, t in np.ndindex(8, 8):
            for ds, dt in NEIGHBORS if (s, t) in result else ():
                neighbor = s + ds, t + dt
                is_free = (
                    neighbor[0] not in {a for a, _ in result},
                    neighbor[1] not in {b for _, b in result},
                )
                if neighbor in forward | reverse and (all if rule == "both" else any)(is_free):
                    result.add(neighbor)
    return result


@deterministic
@given(some_links, some_links, rules)
def test_grow_diag_in_one_pass_equals_repeated_passes(forward, reverse, rule):
    one_pass = symmetrized_links(forward, reverse, "grow-diag", unaligned=rule)
    assert one_pass == grow_diag_by_passes(forward, reverse, rule)


# Tables


def table(weights, *, source="abcdefgh", target="stuvwxyz"):
    weights = np.array(weights, np.float32).reshape(len(weights), -1)
    n_target, n_source = weights.shape
    unaligned = (1 - weights.sum(axis=1)).astype(np.float32)
    return SoftAlignment(tuple(source[:n_source]), tuple(target[:n_target]), weights, unaligned)


def test_a_soft_cell_is_the_harmonic_mean_of_both_tables():
    mean = harmonic_mean(table([[0.8, 0.1], [0.0, 0.6]]), table([[0.4, 0.3], [0.1, 0.2]]))
    expected = [[2 * 0.8 * 0.4 / 1.2, 2 * 0.1 * 0.1 / 0.2], [0, 2 * 0.6 * 0.2 / 0.8]]
    np.testing.assert_allclose(mean.weights, expected, rtol=1e-6)
    np.testing.assert_allclose(mean.unaligned, 1 - np.sum(expected, axis=1), rtol=1e-6)


def test_a_soft_cell_of_relative_counts_is_the_dice_coefficient():
    counts = np.array([[6, 1, 1], [2, 3, 2]])  # (T, S), the last column of words without partner
    linked = counts[:, :2]
    of_target, of_source = counts.sum(axis=1), np.array([12, 5])  # some sources linked elsewhere
    mean = harmonic_mean(table(linked / of_target[:, None]), table((linked / of_source).T))
    dice = 2 * linked / (of_target[:, None] + of_source)
    np.testing.assert_allclose(mean.weights, dice, rtol=1e-6)


def test_a_row_whose_sum_exceeds_1_is_scaled_down():
    mean = harmonic_mean(table([[0.5, 0.5]]), table([[1.0], [1.0]]))
    np.testing.assert_allclose(mean.weights, [[0.5, 0.5]])
    assert mean.unaligned == pytest.approx([0])


def test_the_soft_table_has_the_words_and_the_kind_of_the_forward_table():
    forward = table([[0.5, 0.5]])
    mean = harmonic_mean(forward, table([[1.0], [1.0]]))
    assert (mean.source, mean.target) == (forward.source, forward.target)
    assert (mean.kind, mean.level, mean.mode) == ("attention", "word", "decoded")


@pytest.mark.parametrize(("n_target", "n_source"), [(0, 0), (2, 0), (0, 2)])
def test_an_empty_side_leaves_all_words_unaligned(n_target, n_source):
    def empty(rows, columns):
        names = tuple("abc"[:columns]), tuple("abc"[:rows])
        return SoftAlignment(*names, np.zeros((rows, columns), np.float32), np.ones(rows))

    mean = harmonic_mean(empty(n_target, n_source), empty(n_source, n_target))
    assert mean.unaligned.tolist() == [1.0] * n_target


def distributions(rows, columns):
    """Return a strategy of rows of weights whose sum is at most 1."""
    row = st.lists(st.floats(0, 1, width=32), min_size=columns + 1, max_size=columns + 1)
    return st.lists(row, min_size=rows, max_size=rows).map(
        lambda sampled: [[w / max(sum(r), 1e-3) for w in r[:columns]] for r in sampled]
    )


@deterministic
@given(distributions(3, 4), distributions(4, 3))
def test_a_row_and_its_unaligned_sum_to_one(forward, reverse):
    mean = harmonic_mean(table(forward), table(reverse))
    np.testing.assert_allclose(mean.weights.sum(axis=1) + mean.unaligned, 1, atol=1e-5)
    assert mean.weights.min() >= 0
    assert mean.unaligned.min() >= 0


@deterministic
@given(distributions(3, 4), distributions(4, 3))
def test_no_soft_cell_is_more_than_twice_the_smaller_of_both_tables(forward, reverse):
    mean = harmonic_mean(table(forward), table(reverse)).weights
    smaller = np.minimum(np.array(forward), np.array(reverse).T)
    assert (mean <= 2 * smaller + 1e-6).all()
