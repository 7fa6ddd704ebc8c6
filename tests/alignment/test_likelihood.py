"""Which of two tables of links is better, without gold: by hand, and where it is known."""

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


def test_a_word_has_the_mean_of_what_each_word_of_the_other_side_is_linked_to(monkeypatch):
    """Pairs "0 1" - "0 1" with 0-0 1-1: a held-out word has 0.1 of 1/2 and 0.9 of (1 + 0) / 2."""
    monkeypatch.setattr(likelihood, "FOLDS", 2)
    text = side([[0, 1]] * 40)
    links = LinkTable.from_links([{(0, 0): 1.0, (1, 1): 1.0}] * 40)
    found = held_out_likelihood(text, text, links, seed=1)
    assert found == pytest.approx(math.log(0.1 / 2 + 0.9 / 2))


def test_without_links_each_word_has_a_share_of_its_frequency():
    text = side([[0, 1]] * 40)
    found = held_out_likelihood(text, text, LinkTable.from_links([{}] * 40), seed=1)
    assert found == pytest.approx(math.log(0.1 / 2))


def test_of_as_many_links_the_right_ones_foretell_more():
    sentences = list(permutations(range(8), 3))
    source, target = side(sentences), side([words[::-1] for words in sentences])
    right = [{(s, 2 - s): 1.0 for s in range(3)}] * len(sentences)
    one_wrong = [{(0, 0): 1.0, (1, 1): 1.0, (2, 0): 1.0}] * len(sentences)
    wrong = [{(s, s): 1.0 for s in range(3)}] * len(sentences)
    found = [
        held_out_likelihood(source, target, LinkTable.from_links(links), seed=1)
        for links in (right, one_wrong, wrong)
    ]
    assert found == sorted(found, reverse=True)


def test_blocks_of_any_size_make_the_same(monkeypatch):
    sentences = list(permutations(range(6), 4))
    text = side(sentences)
    links = LinkTable.from_links([{(s, (s + 1) % 4): 1.0 for s in range(4)}] * len(sentences))
    whole = held_out_likelihood(text, text, links, seed=1)
    monkeypatch.setattr(likelihood, "_CELLS", 20)
    assert held_out_likelihood(text, text, links, seed=1) == pytest.approx(whole)


def test_the_strongest_links_keep_their_pairs():
    table = LinkTable.from_links([{(0, 0): 0.9, (1, 1): 0.2}, {}, {(0, 1): 0.5, (2, 2): 0.7}])
    kept = select_strongest(table, 2)
    assert [list(kept.links(pair)) for pair in range(3)] == [[(0, 0)], [], [(2, 2)]]
