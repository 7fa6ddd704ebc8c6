"""Pharaoh and gold files are read in base 0 or 1; invalid ones are refused with a location."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.alignment.pharaoh import (
    check_same_length,
    parse_links,
    read_gold,
    read_links,
    transpose,
)
from attn_cli.errors import DataError
from attn_cli.render.text_formats import pharaoh
from attn_cli.types import WordAlignment


def pairs(lines, **options):
    links, _ = read_links(lines, name="a.links", **options)
    return [sorted(one.links) for one in links]


def test_a_pharaoh_line_is_parsed_into_its_links():
    assert pairs(["0-0 2-1 1-2\n"]) == [[(0, 0), (1, 2), (2, 1)]]


def test_a_link_may_carry_a_score():
    (links,), _ = read_links(["0-0:0.93 1-1"], name="a.links")
    assert links.scores == {(0, 0): 0.93}


def test_an_empty_line_is_a_sentence_without_links():
    assert pairs(["", "0-0", " \r\n"]) == [[], [(0, 0)], []]


def test_one_line_has_base_0_and_ends_at_its_last_linked_word():
    links = parse_links("1-1 3-2:0.5", where="a.links line 1")
    assert links == WordAlignment(frozenset({(1, 1), (3, 2)}), 4, 3, {(3, 2): 0.5})


@pytest.mark.parametrize("text", ["0-0 x", "0p0", "-1-0"])
def test_an_invalid_line_is_refused_with_its_location(text):
    with pytest.raises(DataError, match=r"^a\.links line 7 "):
        parse_links(text, where="a.links line 7")


def test_gold_marks_sure_links_with_a_dash_and_possible_ones_with_p_or_a_question_mark():
    (gold,), _ = read_gold(["0-0 1p1 2?1"], name="gold", base=0)
    assert gold.sure == {(0, 0)}
    assert gold.possible == {(0, 0), (1, 1), (2, 1)}


def test_possible_links_are_refused_in_a_links_file():
    with pytest.raises(DataError, match=r"a\.links line 2 marks a link as possible"):
        pairs(["0-0", "0p0"])


@pytest.mark.parametrize(
    "text",
    ["0", "0-", "-", "a-b", "0_0", "0-0-0", "1.0-2", "0-0:", "٠-٠", "9" * 5000 + "-1", "0--"],
)
def test_an_invalid_link_is_reported_with_its_file_and_line(text):
    with pytest.raises(DataError, match=r"a\.links line 2 has .* not a link"):
        pairs(["0-0", text])


@pytest.mark.parametrize("text", ["-1-0", "0--1"])
def test_a_negative_index_is_refused(text):
    with pytest.raises(DataError, match=r"a\.links line 1 has the negative index -1"):
        pairs([text])


@pytest.mark.parametrize("score", ["x", "nan", "inf"])
def test_a_score_must_be_a_finite_number(score):
    with pytest.raises(DataError, match="not a number"):
        pairs([f"0-0:{score}"])


def test_base_1_counts_words_from_1():
    assert pairs(["1-1 3-2"], base=1) == [[(0, 0), (2, 1)]]


def test_an_index_0_is_refused_in_base_1():
    with pytest.raises(DataError, match=r"line 2 has the index 0"):
        pairs(["1-1", "0-1"], base=1)


def test_a_file_with_an_index_0_has_base_0():
    assert read_links(["1-1"] * 50 + ["5-0"], name="a.links", base="auto")[1] == 0


def test_many_sentences_without_index_0_that_start_at_1_have_base_1():
    assert read_links(["1-1 2-2", "", "2-1"] * 10, name="a.links", base="auto")[1] == 1


@pytest.mark.parametrize("lines", [["1-1 2-2"], ["1-1"] * 9 + [""] * 90])
def test_too_few_sentences_without_index_0_are_refused(lines):
    with pytest.raises(DataError, match=r"cannot tell whether a\.links") as error:
        pairs(lines, base="auto")
    assert "--index-base" in error.value.hint


def test_sentences_that_rarely_link_their_first_word_are_refused():
    with pytest.raises(DataError, match="only 5 of 25 lines have an index 1"):
        pairs(["3-4"] * 20 + ["1-1"] * 5, base="auto")


def test_a_file_without_links_has_base_0():
    assert read_links(["", ""], name="a.links", base="auto")[1] == 0


def test_an_index_equal_to_the_sentence_length_means_base_1():
    assert read_gold(["1-1 2-2"], name="gold", lengths=[(3, 2)])[1] == 1


def test_an_index_0_and_an_index_equal_to_the_length_are_refused_together():
    with pytest.raises(DataError, match=r"line 1 has the index 0 and line 2 an index"):
        read_gold(["0-0", "2-2"], name="gold", lengths=[(2, 2), (2, 2)])


def test_a_link_beyond_the_sentence_is_refused():
    with pytest.raises(DataError, match=r"a\.links line 1 links words 0-2 \(base 0\)"):
        pairs(["0-2"], lengths=[(2, 2)])


def test_fewer_lines_than_sentence_pairs_are_refused():
    with pytest.raises(DataError, match="1 lines for 2 sentence pairs"):
        pairs(["0-0"], lengths=[(1, 1), (1, 1)])


def test_files_of_unequal_length_are_refused_with_both_line_counts():
    with pytest.raises(DataError, match=r"gold has 3 lines but a\.links has 2"):
        check_same_length([1, 2, 3], [1, 2], ("gold", "a.links"))


def test_transpose_exchanges_source_and_target():
    links = WordAlignment(frozenset({(0, 2)}), 1, 3, {(0, 2): 0.5})
    assert transpose(links) == WordAlignment(frozenset({(2, 0)}), 3, 1, {(2, 0): 0.5})


@settings(derandomize=True, deadline=None)
@given(st.frozensets(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_links_are_unchanged_after_writing_and_reading(expected):
    assert pairs([pharaoh(WordAlignment(expected, 31, 31))]) == [sorted(expected)]
