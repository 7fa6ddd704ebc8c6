"""Held-out likelihood of links, without gold: worked by hand, and for links of known quality."""

import math
from itertools import permutations

import numpy as np
import pytest

from attn_cli.alignment import likelihood
from attn_cli.alignment.likelihood import WordSequences, held_out_likelihood, select_strongest
from attn_cli.alignment.link_table import LinkTable


def side(sentences):
    return WordSequences(
        np.array([word for words in sentences for word in words], np.int32),
        np.cumsum([0, *map(len, sentences)]),
    )


def test_the_probability_of_a_word_is_the_mean_over_the_words_of_the_other_side(monkeypatch):
    """Pairs "0 1" - "0 1" with 0-0 1-1: a held-out word has 0.1 of 1/2 and 0.9 of (1 + 0) / 2."""
    monkeypatch.setattr(likelihood, "FOLDS", 2)
    text = side([[0, 1]] * 40)
    links = LinkTable.from_links([{(0, 0): 1.0, (1, 1): 1.0}] * 40)
    log_likelihood = held_out_likelihood(text, text, links, seed=1)
    assert log_likelihood == pytest.approx(math.log(0.1 / 2 + 0.9 / 2))


def test_without_links_a_word_has_a_tenth_of_its_relative_frequency():
    text = side([[0, 1]] * 40)
    log_likelihood = held_out_likelihood(text, text, LinkTable.from_links([{}] * 40), seed=1)
    assert log_likelihood == pytest.approx(math.log(0.1 / 2))


def test_correct_links_have_a_higher_likelihood_than_as_many_incorrect_ones():
    sentences = list(permutations(range(8), 3))
    source, target = side(sentences), side([words[::-1] for words in sentences])
    correct = [{(s, 2 - s): 1.0 for s in range(3)}] * len(sentences)
    one_wrong = [{(0, 0): 1.0, (1, 1): 1.0, (2, 0): 1.0}] * len(sentences)
    incorrect = [{(s, s): 1.0 for s in range(3)}] * len(sentences)
    best, middle, worst = (
        held_out_likelihood(source, target, LinkTable.from_links(links), seed=1)
        for links in (correct, one_wrong, incorrect)
    )
    assert best > middle > worst


def test_the_likelihood_does_not_depend_on_the_block_size(monkeypatch):
    sentences = list(permutations(range(6), 4))
    text = side(sentences)
    links = LinkTable.from_links([{(s, (s + 1) % 4): 1.0 for s in range(4)}] * len(sentences))
    whole = held_out_likelihood(text, text, links, seed=1)
    monkeypatch.setattr(likelihood, "_CELLS", 20)
    assert held_out_likelihood(text, text, links, seed=1) == pytest.approx(whole)


def test_the_strongest_links_stay_in_their_pairs():
    table = LinkTable.from_links([{(0, 0): 0.9, (1, 1): 0.2}, {}, {(0, 1): 0.5, (2, 2): 0.7}])
    strongest = select_strongest(table, 2)
    assert [list(strongest.links(pair)) for pair in range(3)] == [[(0, 0)], [], [(2, 2)]]
