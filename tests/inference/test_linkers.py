"""Links of one aligner or of two, from tables written by hand, without a network."""

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


class TableAligner:
    """An aligner that returns one table for every pair and records the pairs."""

    def __init__(self, weights):
        self.weights, self.pairs = np.array(weights, np.float32), []

    def align(self, pairs):
        self.pairs += pairs
        return [self._translation(pair) for pair in pairs]

    def _translation(self, pair):
        words = tuple(pair.source.split()), tuple(pair.target.split())
        unaligned = 1 - self.weights.sum(axis=1)
        table = SoftAlignment(*words, self.weights, unaligned, mode="forced")
        return Translation(pair.line, pair.source, pair.target, *words, alignment=table)


def extract(translation):
    return threshold(translation.alignment, 0.5)


FORWARD = [[0.9, 0.0], [0.5, 0.5]]  # rows x, y; columns a, b
REVERSE = [[0.7, 0.2], [0.1, 0.8]]  # rows a, b; columns x, y


def link_symmetrized(method):
    linker = SymmetrizedLinker(TableAligner(FORWARD), TableAligner(REVERSE), extract, method)
    ((translation, links),) = linker.link([PAIR])
    return translation, links


def test_a_directional_linker_extracts_the_links_of_its_table():
    ((translation, links),) = DirectionalLinker(TableAligner(FORWARD), extract).link([PAIR])
    assert (translation.line, links.links) == (3, {(0, 0), (0, 1), (1, 1)})


def test_the_reverse_aligner_receives_the_pair_with_its_sides_exchanged():
    reverse = TableAligner(REVERSE)
    SymmetrizedLinker(TableAligner(FORWARD), reverse, extract, "union").link([PAIR])
    assert reverse.pairs == [InputLine(3, "x y", "a b")]


def test_links_of_both_directions_are_symmetrized_with_their_mean_score():
    _, links = link_symmetrized("intersection")
    assert links.scores == pytest.approx({(0, 0): 0.8, (1, 1): 0.65})
    assert link_symmetrized("union")[1].links == {(0, 0), (0, 1), (1, 1)}


def test_symmetrized_links_keep_the_forward_table():
    translation, _ = link_symmetrized("grow-diag-final-and")
    np.testing.assert_array_equal(translation.alignment.weights, np.array(FORWARD, np.float32))


def test_soft_symmetrization_extracts_links_from_the_harmonic_mean_of_both_tables():
    translation, links = link_symmetrized("soft")
    expected = [[2 * 0.9 * 0.7 / 1.6, 0], [2 * 0.5 * 0.2 / 0.7, 2 * 0.5 * 0.8 / 1.3]]
    np.testing.assert_allclose(translation.alignment.weights, expected, rtol=1e-6)
    assert links.scores == pytest.approx({(0, 0): expected[0][0], (1, 1): expected[1][1]})


# Votes

VOTES = LinkTable.from_links([{}, {(0, 0): 0.3, (1, 1): 1.0, (0, 1): 0.6}])  # of the pairs 0 and 1


def vote_table(line, **options):
    """Return the table of a line: line 3 has the votes of pair 1, line 4 those of pair 0."""
    (translation,) = VoteInterpolatedAligner(
        TableAligner(FORWARD), VOTES, {3: 1, 4: 0}, **options
    ).align([InputLine(line, "a b", "x y")])
    return translation.alignment


def test_a_link_probability_is_the_mean_of_the_table_and_the_votes():
    table = vote_table(3)
    np.testing.assert_allclose(table.link_probs, [[(0.9 + 0.3) / 2, 0], [(0.5 + 0.6) / 2, 0.75]])
    np.testing.assert_array_equal(table.weights, np.array(FORWARD, np.float32))


def test_votes_alone_are_the_link_probabilities_and_rows_with_unaligned_sum_to_1():
    table = vote_table(3, alone=True)
    np.testing.assert_allclose(table.link_probs, [[0.3, 0], [0.6, 1]])
    np.testing.assert_allclose(table.weights, [[0.3, 0], [0.6 / 1.6, 1 / 1.6]])
    np.testing.assert_allclose(table.unaligned, [0.7, 0], atol=1e-7)


@pytest.mark.parametrize("line", [4, 5])
@pytest.mark.parametrize("alone", [False, True])
def test_a_line_without_votes_keeps_its_table(line, alone):
    table = vote_table(line, alone=alone)
    assert table.link_probs is None
    np.testing.assert_array_equal(table.weights, np.array(FORWARD, np.float32))


EN_FR = Recipe(name="en-fr", source="en", target="fr")


def test_models_of_opposite_directions_are_accepted():
    check_opposite(EN_FR, Recipe(name="fr-en", source="fr", target="en"))


@pytest.mark.parametrize("unknown", ["source", "target"])
def test_a_recipe_without_a_language_is_accepted_as_the_opposite(unknown):
    check_opposite(EN_FR, replace(Recipe(source="fr", target="en"), **{unknown: ""}))
    check_opposite(replace(EN_FR, **{unknown: ""}), Recipe(source="fr", target="en"))


@pytest.mark.parametrize("languages", [("en", "fr"), ("fr", "de"), ("de", "en"), ("de", "")])
def test_a_model_of_another_direction_than_the_opposite_is_refused(languages):
    source, target = languages
    with pytest.raises(ModelError, match=rf"back goes from {source} to .* from fr to en"):
        check_opposite(EN_FR, Recipe(name="back", source=source, target=target))
