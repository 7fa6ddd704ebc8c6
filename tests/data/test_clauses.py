"""Clauses of long sentences: where they are cut, and that they cover the sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.data import clauses, words

PROPERTY = settings(derandomize=True, deadline=None)


def cut(raw: str, max_words: int) -> str:
    spans = clauses.split(words.split(raw), max_words)
    return "|".join(raw[start:end] for start, end in spans)


@pytest.mark.parametrize(
    "text",
    [
        "a b c d e f g h,|i j k l m n o",  # 8 and 8 words
        "a b c d e f g;|h i, j k l m n o p",  # a semicolon is better than a comma in the middle
        "a b c d e f:|g h i j k l m n o p q r s t",
        "a b c d e f,|g h i j k l m,|n o p q r s t,|u v w x y z a",  # both halves again
    ],
)
def test_a_long_sentence_is_cut_at_the_marks_nearest_to_its_middle(text: str) -> None:
    assert cut(text.replace("|", " "), 14) == text


@pytest.mark.parametrize(
    "text",
    [
        "a b c d e f, g h i j k l",  # 13 words
        "a b, c d e f g h i j k l m n, o p",  # clauses would be shorter than seven words
        "a b c d e f g h i j k l m n o p",
        "a b c d e f g h,i j k l m n o",  # no space behind the comma
        "a b c d e f g 1,250 h i j k l m n o",
    ],
)
def test_other_sentences_stay_whole(text: str) -> None:
    assert cut(text, 14) == text


def test_of_equal_marks_the_first_is_chosen() -> None:
    assert cut("a b c d e f g, h, i j k l m n o", 14) == "a b c d e f g,|h, i j k l m n o"


@given(st.lists(st.sampled_from(["a", "b,", "c;", "1,250", "d:"]), min_size=1, max_size=80))
@PROPERTY
def test_clauses_cover_the_words_of_a_sentence_in_order(tokens: list[str]) -> None:
    raw = " ".join(tokens)
    spans = clauses.split(words.split(raw), 12)
    assert " ".join(raw[start:end] for start, end in spans) == raw
    sizes = [len(words.split(raw[start:end])) for start, end in spans]
    assert len(spans) == 1 or min(sizes) >= clauses.MIN_WORDS
