"""One aligner's links, or two aligners' put together: tables written by hand, no network."""

from dataclasses import replace

import numpy as np
import pytest

from attn_cli.alignment.extraction import threshold
from attn_cli.alignment.link_table import LinkTable
from attn_cli.config import Recipe
from attn_cli.errors import ModelError
from attn_cli.inference.linkers import (
    DirectionalLinker,
    SymmetrizedLinker,
    VoteInterpolatedAligner,
    check_opposite,
)
from attn_cli.types import InputLine, SoftAlignment, Translation

PAIR = InputLine(3, "a b", "x y")


class Told:
    """An aligner that knows one table, and remembers which pairs it was asked about."""

    def __init__(self, weights):
        self.weights, self.asked = np.array(weights, np.float32), []

    def align(self, pairs):
        self.asked += pairs
        return [self.told(pair) for pair in pairs]

    def told(self, pair):
        words = tuple(pair.source.split()), tuple(pair.target.split())
        unaligned = 1 - self.weights.sum(axis=1)
        table = SoftAlignment(*words, self.weights, unaligned, mode="forced")
        return Translation(pair.line, pair.source, pair.target, *words, alignment=table)


def extract(translation):
    return threshold(translation.alignment, 0.5)


FORWARD = [[0.9, 0.0], [0.5, 0.5]]  # rows x, y; columns a, b
REVERSE = [[0.7, 0.2], [0.1, 0.8]]  # rows a, b; columns x, y


def both_ways(method):
    linker = SymmetrizedLinker(Told(FORWARD), Told(REVERSE), extract, method)
    ((found, links),) = linker.link([PAIR])
    return found, links


def test_one_way_the_links_are_those_of_the_table():
    ((found, links),) = DirectionalLinker(Told(FORWARD), extract).link([PAIR])
    assert (found.line, links.links) == (3, {(0, 0), (0, 1), (1, 1)})


def test_the_reverse_aligner_is_asked_for_the_pair_the_other_way_round():
    reverse = Told(REVERSE)
    SymmetrizedLinker(Told(FORWARD), reverse, extract, "union").link([PAIR])
    assert reverse.asked == [InputLine(3, "x y", "a b")]


def test_links_of_both_directions_are_symmetrized_and_weigh_their_mean():
    _, links = both_ways("intersection")
    assert links.scores == pytest.approx({(0, 0): 0.8, (1, 1): 0.65})
    assert both_ways("union")[1].links == {(0, 0), (0, 1), (1, 1)}


def test_the_table_stays_the_forward_one_where_links_are_combined():
    found, _ = both_ways("grow-diag-final-and")
    np.testing.assert_array_equal(found.alignment.weights, np.array(FORWARD, np.float32))


def test_soft_makes_one_table_and_reads_the_links_off_it():
    found, links = both_ways("soft")
    expected = [[2 * 0.9 * 0.7 / 1.6, 0], [2 * 0.5 * 0.2 / 0.7, 2 * 0.5 * 0.8 / 1.3]]
    np.testing.assert_allclose(found.alignment.weights, expected, rtol=1e-6)
    assert links.scores == pytest.approx({(0, 0): expected[0][0], (1, 1): expected[1][1]})


# Votes

VOTES = LinkTable.from_links([{}, {(0, 0): 0.3, (1, 1): 1.0, (0, 1): 0.6}])  # of the pairs 0 and 1


def voted(line, **how):
    """The table of a pair from that line, where line 3 is pair 1, 4 is pair 0, others are none."""
    (found,) = VoteInterpolatedAligner(Told(FORWARD), VOTES, {3: 1, 4: 0}, **how).align(
        [InputLine(line, "a b", "x y")]
    )
    return found.alignment


def test_a_link_weighs_the_mean_of_what_the_table_and_the_votes_say():
    table = voted(3)
    np.testing.assert_allclose(table.link_probs, [[(0.9 + 0.3) / 2, 0], [(0.5 + 0.6) / 2, 0.75]])
    np.testing.assert_array_equal(table.weights, np.array(FORWARD, np.float32))


def test_alone_the_votes_are_the_links_and_a_row_of_them_sums_to_one_with_its_unaligned():
    table = voted(3, alone=True)
    np.testing.assert_allclose(table.link_probs, [[0.3, 0], [0.6, 1]])
    np.testing.assert_allclose(table.weights, [[0.3, 0], [0.6 / 1.6, 1 / 1.6]])
    np.testing.assert_allclose(table.unaligned, [0.7, 0], atol=1e-7)


@pytest.mark.parametrize("line", [4, 5])
@pytest.mark.parametrize("alone", [False, True])
def test_a_line_that_nobody_voted_on_keeps_its_table(line, alone):
    table = voted(line, alone=alone)
    assert table.link_probs is None
    np.testing.assert_array_equal(table.weights, np.array(FORWARD, np.float32))


EN_FR = Recipe(name="en-fr", source="en", target="fr")


def test_models_of_opposite_directions_fit():
    check_opposite(EN_FR, Recipe(name="fr-en", source="fr", target="en"))


@pytest.mark.parametrize("unknown", ["source", "target"])
def test_a_language_that_no_recipe_names_is_no_contradiction(unknown):
    check_opposite(EN_FR, replace(Recipe(source="fr", target="en"), **{unknown: ""}))
    check_opposite(replace(EN_FR, **{unknown: ""}), Recipe(source="fr", target="en"))


@pytest.mark.parametrize("languages", [("en", "fr"), ("fr", "de"), ("de", "en"), ("de", "")])
def test_a_model_that_does_not_lead_back_is_refused(languages):
    source, target = languages
    with pytest.raises(ModelError, match=rf"back goes from {source} to .* from fr to en"):
        check_opposite(EN_FR, Recipe(name="back", source=source, target=target))
