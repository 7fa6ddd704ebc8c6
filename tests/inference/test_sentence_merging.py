"""Merging of sentences: parts are concatenated, and the best combinations come first."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.inference.sentence_merging import best_sums, merge_sentences
from attn_cli.types import EOS, Hypothesis, SoftAlignment, Translation

PROPERTY = settings(derandomize=True, deadline=None)


def hypothesis_of(pieces: int, score: float) -> Hypothesis:
    logp = np.full(pieces, score, np.float32)
    return Hypothesis(np.append(np.arange(4, 3 + pieces), EOS).astype(np.int32), score, logp)


def part(text: str, *scores: float, links: bool = False, pieces: int = 3) -> Translation:
    """The translation of "a b" by `text`, two words, with a hypothesis of each score."""
    words = tuple(text.split())
    table = np.array([[0.75, 0.125], [0.25, 0.5]], np.float32)
    return Translation(
        line=1,
        source="a b",
        text=text,
        source_words=("a", "b"),
        target_words=words,
        hypotheses=tuple(hypothesis_of(pieces, score) for score in scores),
        texts=(text, *(f"{text}{n}" for n in range(1, len(scores)))),
        alignment=SoftAlignment(
            ("a", "b"), words, table, 1 - table.sum(1), link_probs=table / 2 if links else None
        ),
        word_logp=(-1.0, -2.0),
    )


def test_words_texts_and_log_probabilities_of_parts_are_concatenated() -> None:
    merged = merge_sentences([part("x y", -1.0), part("v w", -1.0)], n_best=1)
    assert (merged.text, merged.texts) == ("x y v w", ("x y v w",))
    assert merged.source_words == ("a", "b", "a", "b")
    assert merged.target_words == ("x", "y", "v", "w")
    assert merged.word_logp == (-1, -2, -1, -2)


@pytest.mark.parametrize("links", [True, False])
def test_the_table_has_a_block_for_each_part_and_nothing_elsewhere(links: bool) -> None:
    first, second = part("x y", -1.0, links=links), part("v w", -1.0, links=links)
    table = merge_sentences([first, second], n_best=1).alignment
    assert table is not None
    assert first.alignment is not None
    zero = np.zeros((2, 2))
    block = first.alignment.weights
    assert np.array_equal(table.weights, np.block([[block, zero], [zero, block]]))
    assert np.allclose(table.weights.sum(1) + table.unaligned, 1)
    assert (table.source, table.target) == (("a", "b") * 2, ("x", "y", "v", "w"))
    if links:
        assert np.array_equal(table.link_probs, np.block([[block, zero], [zero, block]]) / 2)
    else:
        assert table.link_probs is None


def test_parts_without_tables_merge_into_a_translation_without_one() -> None:
    parts = [Translation(1, "a", "x", ("a",), ("x",), (hypothesis_of(2, -1.0),), ("x",))] * 2
    assert merge_sentences(parts, n_best=1).alignment is None


def test_the_mean_log_probability_is_that_of_all_pieces_and_ends() -> None:
    """Two pieces and an end at -1 each, four and an end at -3: -(3·1 + 5·3) / 8."""
    parts = [part("x y", -1.0, pieces=3), part("v w", -3.0, pieces=5)]
    (hypothesis,) = merge_sentences(parts, n_best=1).hypotheses
    assert hypothesis.mean_logp == pytest.approx(-18 / 8)
    assert hypothesis.score == pytest.approx(-18 / 8)
    assert hypothesis.ids.tolist() == [4, 5, EOS, 4, 5, 6, 7, EOS]


def test_the_best_combinations_come_first_and_their_scores_fall() -> None:
    """Shares 3/4 and 1/4: losing 1 in the first costs 0.75, losing 2 in the second 0.5."""
    parts = [part("x y", -1.0, -2.0, pieces=6), part("v w", -1.0, -3.0, -9.0, pieces=2)]
    merged = merge_sentences(parts, n_best=4)
    assert merged.texts == ("x y v w", "x y v w1", "x y1 v w", "x y1 v w1")
    scores = [each.score for each in merged.hypotheses]
    assert scores == pytest.approx([-1, -1.5, -1.75, -2.25])


def test_n_best_larger_than_the_number_of_combinations_returns_all() -> None:
    merged = merge_sentences([part("x y", -1.0, -2.0), part("v w", -1.0)], n_best=9)
    assert merged.texts == ("x y v w", "x y1 v w")


def test_an_empty_part_leaves_no_space() -> None:
    empty = Translation(1, "a", "", ("a",), (), (hypothesis_of(1, -1.0),), ("",))
    assert merge_sentences([empty, part("x y", -1.0), empty], n_best=1).text == "x y"


LISTS = st.lists(
    st.lists(st.integers(-40, 0), min_size=1, max_size=4).map(lambda n: sorted(n, reverse=True)),
    min_size=1,
    max_size=5,
)


@given(LISTS, st.integers(1, 30))
@PROPERTY
def test_the_best_sums_are_the_first_of_all_sums(lists: list[list[int]], count: int) -> None:
    combinations = itertools.product(*(range(len(each)) for each in lists))
    all_sums = sorted(
        sum(n[i] for n, i in zip(lists, combination, strict=True)) for combination in combinations
    )[::-1]
    sums = best_sums(lists, count)
    assert [total for total, _ in sums] == all_sums[:count]
    assert len({combination for _, combination in sums}) == len(sums)
    assert sums[0][1] == (0,) * len(lists)
    for total, combination in sums:
        assert total == sum(n[i] for n, i in zip(lists, combination, strict=True))


def test_the_best_sums_of_2000_lists_do_not_need_all_combinations() -> None:
    """Computing all 5^2000 sums would never end."""
    lists = [[0.0, -1.0, -2.0, -3.0, -4.0]] * 2000
    assert [total for total, _ in best_sums(lists, 5)] == [0, -1, -1, -1, -1]
