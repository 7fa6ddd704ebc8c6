"""Both directions become one: published links, cases worked by hand, and what must always hold."""

import os
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.alignment.aer import score_alignment
from attn_cli.alignment.pharaoh import read_gold, read_links, transpose
from attn_cli.alignment.symmetrization import NEIGHBORS, harmonic_mean, symmetrize
from attn_cli.choices import LinkSymmetrization
from attn_cli.types import SoftAlignment, WordAlignment

_BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
DATA = Path(os.environ.get("ATTN_TEST_DATA", _BESIDE)) / "alignment"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the alignment sets are not at {DATA} (set ATTN_TEST_DATA)"
)

#: Our names, and those of the published files.
PUBLISHED = {
    "intersection": "intersection",
    "union": "union",
    "grow-diag": "grow-diagonal",
    "grow-diag-final": "grow-diagonal-final",
}


def links(*pairs, weights=None):
    return WordAlignment(frozenset(pairs), 99, 99, weights or {})


def combined(forward, reverse, method, **rule):
    return symmetrize(links(*forward), links(*reverse), method, **rule).links


def giza(name):
    lines = (DATA / f"ro-en.giza.{name}.links").read_text(encoding="utf-8").splitlines()
    found, _ = read_links(lines, name=name)
    return [transpose(one) for one in found] if name == "reverse" else found


# Published


@needs_data
@pytest.mark.parametrize("method", PUBLISHED)
def test_the_links_are_those_published_for_romanian_english(method):
    found = [
        symmetrize(*both, method) for both in zip(giza("forward"), giza("reverse"), strict=True)
    ]
    published = giza(PUBLISHED[method])
    assert [one.links for one in found] == [one.links for one in published]


@needs_data
@pytest.mark.parametrize(
    ("method", "aer", "precision", "recall"),
    [
        ("intersection", 30.7, 95.7, 54.3),
        ("union", 30.3, 72.3, 67.4),
        ("grow-diag", 27.9, 94.0, 58.5),
        ("grow-diag-final", 26.4, 90.9, 61.8),
    ],
)
def test_the_figures_are_those_published_to_the_printed_digit(method, aer, precision, recall):
    gold, _ = read_gold((DATA / "ro-en.gold").read_text().splitlines(), name="gold", base=1)
    found = [
        symmetrize(*both, method) for both in zip(giza("forward"), giza("reverse"), strict=True)
    ]
    score = score_alignment(gold, found)
    got = round(score.aer, 1), round(score.precision, 1), round(score.recall, 1)
    assert got == (aer, precision, recall)


# By hand


def test_growing_goes_from_neighbor_to_neighbor_forwards_and_backwards():
    diagonal = {(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)}
    assert combined(diagonal, {(2, 2)}, "grow-diag") == diagonal


def test_growing_does_not_jump():
    assert combined({(0, 0), (2, 2)}, {(0, 0)}, "grow-diag") == {(0, 0)}


def test_the_final_step_jumps():
    assert combined({(0, 0), (2, 2)}, {(0, 0)}, "grow-diag-final") == {(0, 0), (2, 2)}


def test_nothing_grows_from_an_empty_intersection():
    assert combined({(0, 0)}, {(1, 1)}, "grow-diag") == set()
    assert combined({(0, 0)}, {(1, 1)}, "grow-diag-final-and") == {(0, 0), (1, 1)}


def test_a_neighbor_with_one_linked_word_is_taken_under_either_alone():
    forward, reverse = {(0, 0), (1, 0)}, {(0, 0)}
    assert combined(forward, reverse, "grow-diag") == {(0, 0)}
    assert combined(forward, reverse, "grow-diag", unaligned="either") == forward


def test_final_and_wants_two_words_without_a_link_even_under_either():
    forward, reverse = {(0, 0), (0, 5), (7, 7)}, {(0, 0)}
    rule = {"unaligned": "either"}
    assert combined(forward, reverse, "grow-diag-final", **rule) == forward
    assert combined(forward, reverse, "grow-diag-final-and", **rule) == {(0, 0), (7, 7)}


def test_the_final_step_takes_forward_before_reverse():
    forward, reverse = {(0, 0), (5, 9)}, {(0, 0), (5, 7)}
    assert combined(forward, reverse, "grow-diag-final") == {(0, 0), (5, 9)}
    assert combined(reverse, forward, "grow-diag-final") == {(0, 0), (5, 7)}


def test_of_neighbors_that_compete_for_a_word_the_first_of_the_order_wins():
    forward, reverse = {(1, 1), (0, 0)}, {(1, 1), (0, 2)}
    assert combined(forward, reverse, "grow-diag") == {(1, 1), (0, 2)}


def test_a_combined_link_weighs_the_mean_of_both_directions():
    forward = links((0, 0), (1, 1), weights={(0, 0): 0.9, (1, 1): 0.5})
    reverse = links((0, 0), weights={(0, 0): 0.7})
    found = symmetrize(forward, reverse, "union").scores
    assert found == pytest.approx({(0, 0): 0.8, (1, 1): 0.25})


def test_where_a_weight_is_missing_there_are_none():
    forward = links((0, 0), (1, 1), weights={(0, 0): 0.9, (1, 1): 0.5})
    assert symmetrize(forward, links((0, 0)), "union").scores == {}


def test_the_sentence_is_as_long_as_the_longer_of_both():
    found = symmetrize(WordAlignment(frozenset(), 3, 4), WordAlignment(frozenset(), 2, 7), "union")
    assert (found.n_source, found.n_target) == (3, 7)


# What must hold always

METHODS = get_args(LinkSymmetrization)
some_links = st.frozensets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=24)
rules = st.sampled_from(["both", "either"])
always = settings(derandomize=True, deadline=None)


@always
@given(some_links, some_links)
def test_each_method_finds_what_the_one_before_it_finds_and_perhaps_more(forward, reverse):
    order = ["intersection", "grow-diag", "grow-diag-final-and", "grow-diag-final", "union"]
    found = [combined(forward, reverse, method) for method in order]
    assert all(fewer <= more for fewer, more in pairwise(found))


@always
@given(some_links, some_links)
def test_under_either_both_final_steps_still_lie_between_grow_diag_and_the_union(forward, reverse):
    grown = combined(forward, reverse, "grow-diag", unaligned="either")
    for method in ("grow-diag-final-and", "grow-diag-final"):
        found = combined(forward, reverse, method, unaligned="either")
        assert forward & reverse <= grown <= found <= forward | reverse


@always
@given(some_links, some_links, rules, st.sampled_from(["intersection", "union", "grow-diag"]))
def test_without_a_final_step_the_directions_are_equals(forward, reverse, rule, method):
    there, back = (forward, reverse), (reverse, forward)
    assert combined(*there, method, unaligned=rule) == combined(*back, method, unaligned=rule)


@always
@given(some_links, rules, st.sampled_from(METHODS))
def test_directions_that_agree_are_left_as_they_are(both, rule, method):
    assert combined(both, both, method, unaligned=rule) == both


@always
@given(some_links, some_links, rules)
def test_after_final_and_no_link_is_left_between_two_words_without_any(forward, reverse, rule):
    found = combined(forward, reverse, "grow-diag-final-and", unaligned=rule)
    sources, targets = {s for s, _ in found}, {t for _, t in found}
    assert all(s in sources or t in targets for s, t in forward | reverse)


@always
@given(some_links, some_links)
def test_after_final_under_either_every_word_with_a_link_has_one(forward, reverse):
    found = combined(forward, reverse, "grow-diag-final", unaligned="either")
    assert {s for s, _ in found} == {s for s, _ in forward | reverse}
    assert {t for _, t in found} == {t for _, t in forward | reverse}


def grown_by_passes(forward, reverse, rule):
    """Grow-diag as it is told: look at every link of the table, again and again."""
    taken, size = set(forward & reverse), -1
    while len(taken) > size:
        size = len(taken)
        for s, t in np.ndindex(8, 8):
            for ds, dt in NEIGHBORS if (s, t) in taken else ():
                near = s + ds, t + dt
                free = near[0] not in {a for a, _ in taken}, near[1] not in {b for _, b in taken}
                if near in forward | reverse and (all if rule == "both" else any)(free):
                    taken.add(near)
    return taken


@always
@given(some_links, some_links, rules)
def test_visiting_each_link_once_grows_what_repeated_passes_grow(forward, reverse, rule):
    found = combined(forward, reverse, "grow-diag", unaligned=rule)
    assert found == grown_by_passes(forward, reverse, rule)


# Tables


def table(weights, *, source="abcdefgh", target="stuvwxyz"):
    weights = np.array(weights, np.float32).reshape(len(weights), -1)
    n_target, n_source = weights.shape
    unaligned = (1 - weights.sum(axis=1)).astype(np.float32)
    return SoftAlignment(tuple(source[:n_source]), tuple(target[:n_target]), weights, unaligned)


def test_a_cell_of_both_tables_is_the_harmonic_mean_of_both():
    found = harmonic_mean(table([[0.8, 0.1], [0.0, 0.6]]), table([[0.4, 0.3], [0.1, 0.2]]))
    expected = [[2 * 0.8 * 0.4 / 1.2, 2 * 0.1 * 0.1 / 0.2], [0, 2 * 0.6 * 0.2 / 0.8]]
    np.testing.assert_allclose(found.weights, expected, rtol=1e-6)
    np.testing.assert_allclose(found.unaligned, 1 - np.sum(expected, axis=1), rtol=1e-6)


def test_from_counts_a_cell_is_the_dice_coefficient():
    counts = np.array([[6, 1, 1], [2, 3, 2]])  # (T, S), the last column of words without partner
    linked = counts[:, :2]
    of_target, of_source = counts.sum(axis=1), np.array([12, 5])  # some sources linked elsewhere
    found = harmonic_mean(table(linked / of_target[:, None]), table((linked / of_source).T))
    dice = 2 * linked / (of_target[:, None] + of_source)
    np.testing.assert_allclose(found.weights, dice, rtol=1e-6)


def test_a_row_of_more_than_one_is_scaled_down():
    found = harmonic_mean(table([[0.5, 0.5]]), table([[1.0], [1.0]]))
    np.testing.assert_allclose(found.weights, [[0.5, 0.5]])
    assert found.unaligned == pytest.approx([0])


def test_the_table_keeps_the_names_and_the_kind_of_forward():
    forward = table([[0.5, 0.5]])
    found = harmonic_mean(forward, table([[1.0], [1.0]]))
    assert (found.source, found.target) == (forward.source, forward.target)
    assert (found.kind, found.level, found.mode) == ("attention", "word", "decoded")


@pytest.mark.parametrize(("n_target", "n_source"), [(0, 0), (2, 0), (0, 2)])
def test_an_empty_side_leaves_everything_over(n_target, n_source):
    def empty(rows, columns):
        names = tuple("abc"[:columns]), tuple("abc"[:rows])
        return SoftAlignment(*names, np.zeros((rows, columns), np.float32), np.ones(rows))

    found = harmonic_mean(empty(n_target, n_source), empty(n_source, n_target))
    assert found.unaligned.tolist() == [1.0] * n_target


def distributions(rows, columns):
    """Rows of weights that sum to at most 1."""
    row = st.lists(st.floats(0, 1, width=32), min_size=columns + 1, max_size=columns + 1)
    return st.lists(row, min_size=rows, max_size=rows).map(
        lambda given: [[w / max(sum(r), 1e-3) for w in r[:columns]] for r in given]
    )


@always
@given(distributions(3, 4), distributions(4, 3))
def test_a_row_and_its_unaligned_sum_to_one(forward, reverse):
    found = harmonic_mean(table(forward), table(reverse))
    np.testing.assert_allclose(found.weights.sum(axis=1) + found.unaligned, 1, atol=1e-5)
    assert found.weights.min() >= 0
    assert found.unaligned.min() >= 0


@always
@given(distributions(3, 4), distributions(4, 3))
def test_no_cell_is_more_than_twice_the_smaller_of_both(forward, reverse):
    found = harmonic_mean(table(forward), table(reverse)).weights
    smaller = np.minimum(np.array(forward), np.array(reverse).T)
    assert (found <= 2 * smaller + 1e-6).all()
