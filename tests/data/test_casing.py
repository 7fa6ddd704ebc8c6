"""The case of lines and translations: capitals, and the first words of sentences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.config import DecodeConfig
from attn_cli.data import words
from attn_cli.data.casing import (
    CaseRules,
    capitalize,
    capitalize_words,
    is_all_caps,
    lowercase_first_word,
    lowercase_forms,
    truecase_forms,
    uppercase,
)
from attn_cli.types import SoftAlignment, Translation

PROPERTY = settings(derandomize=True, deadline=None)

#: Letters that change length with case, scripts without case, punctuation.
CASED_TEXT = st.text("AIÉİẞΣŉǄ 日1'-.?!\u0301\u00a0", max_size=30)


def lowercase(raw: str) -> str:
    line_words = words.split(raw)
    forms = words.surface_forms(line_words)
    return "".join(lowercase_forms(raw, line_words, forms)).removeprefix(" ")


@pytest.mark.parametrize(
    "raw", ["I LOVE YOU", "JE T'AIME !", "«OÙ EST-IL ?»", "STOP! NOW", "3 MEN, 4 COWS", "DON'T!"]
)
def test_a_line_without_lowercase_letters_is_all_caps(raw: str) -> None:
    assert is_all_caps(raw)


@pytest.mark.parametrize(
    "raw",
    [
        *("I love you", "I LOVE you", "LOVE IS lOVE"),
        *("NASA", "STOP!", "I AM", "OK", "I 我爱你", "A1"),  # a word alone, or too few letters
        *("日本語 日本語", "1984 2001", "", " ", "?! ..."),  # no case at all
        "ǅ ABCD",  # neither small nor a capital
    ],
)
def test_a_line_with_lowercase_or_too_few_letters_is_not_all_caps(raw: str) -> None:
    assert not is_all_caps(raw)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("I LOVE YOU", "I love you"),
        ("L'ÉTÉ EST LÀ !", "L'été est là !"),
        ("GO AWAY. I SAID: NO!", "Go away. I said: no!"),
        ("«ALLEZ-Y !» DIT MME. LE ROUX", "«Allez-y !» Dit mme. le roux"),
        ("“WHO?” - “ME!”", "“Who?” - “me!”"),
        ("3RD TIME, 4 MEN", "3rd time, 4 men"),
        ("12 MEN. 40 COWS", "12 men. 40 cows"),
        ("ΟΔΟΣ ΣΑΣ! ΑΣ ΕΙΝΑΙ", "Οδος σας! Ας ειναι"),
    ],
)
def test_an_all_caps_line_is_lowercased_except_for_sentence_initial_letters(
    raw: str, text: str
) -> None:
    assert lowercase(raw) == text


@given(CASED_TEXT)
@PROPERTY
def test_lowercased_words_differ_from_the_originals_only_in_case(raw: str) -> None:
    line_words = words.split(raw)
    plain_forms = words.surface_forms(line_words)
    forms = lowercase_forms(raw, line_words, plain_forms)
    for form, plain in zip(forms, plain_forms, strict=True):
        assert form.lower() == plain.lower()
        assert form[:1].isspace() == plain[:1].isspace()


TABLE = SoftAlignment(
    ("I",), ("Straße", "l'", "été"), np.ones((3, 1), np.float32), np.zeros(3, np.float32)
)
TRANSLATION = Translation(
    1, "I", "Straße l'été", ("I",), ("Straße", "l'", "été"), (), ("Straße l'été", "ß"), TABLE
)


def test_uppercase_changes_the_texts_words_and_alignment_of_a_translation() -> None:
    result = uppercase(TRANSLATION, level="word")
    assert (result.text, result.texts) == ("STRASSE L'ÉTÉ", ("STRASSE L'ÉTÉ", "SS"))
    assert result.target_words == ("STRASSE", "L'", "ÉTÉ")
    assert result.alignment is not None
    assert result.alignment.target == result.target_words
    assert result.alignment.weights is TABLE.weights
    assert result.source_words == ("I",)


def test_uppercase_leaves_pieces_unchanged() -> None:
    result = uppercase(TRANSLATION, level="piece")
    assert (result.text, result.target_words, result.alignment) == (
        "STRASSE L'ÉTÉ", TRANSLATION.target_words, TABLE,
    )  # fmt: skip


# The first word of a clause


@pytest.mark.parametrize(
    ("text", "lowered"),
    [
        ("But he sleeps.", "but he sleeps."),
        ('"But he', '"but he'),
        ("A cat", "a cat"),
        ("L'ami", "l'ami"),
        ("I sleep", "I sleep"),
        ("Peter sleeps", "Peter sleeps"),  # a name has more pieces in lower case
        ("NASA", "NASA"),
        ("1 cat", "1 cat"),
        ("...", "..."),
    ],
)
def test_the_first_word_of_a_clause_is_in_lower_case_but_for_names(text: str, lowered: str) -> None:
    result, line_words = lowercase_first_word(
        text, words.split(text), lambda form: 2 if form == " peter" else 1
    )
    assert result == lowered
    assert list(line_words) == list(words.split(lowered))


# Truecase


def truecase(raw: str, known: str) -> str:
    """Return a line in its true case, for a vocabulary that has the words of `known` alone."""
    known_forms = [f" {word}" for word in known.split()]
    line_words = words.split(raw)
    forms = truecase_forms(
        raw,
        line_words,
        words.surface_forms(line_words),
        lambda form: 1 if form in known_forms else 2,
    )
    return "".join(forms).removeprefix(" ")


def test_words_of_at_most_two_pieces_are_read_in_lower_case() -> None:
    def n_pieces(form: str) -> int:
        return {" Horses": 3, " horses": 2, " Wikipedia": 5, " wikipedia": 3}[form]

    for raw, form in (("Horses", " horses"), ("Wikipedia", " Wikipedia")):
        assert truecase_forms(raw, words.split(raw), [f" {raw}"], n_pieces) == [form]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Horses eat.", "horses eat."),
        ("Mark eats. Horses too!", "Mark eats. horses too!"),
        ("The Horses graze", "The Horses graze"),  # inside of a sentence a capital is of a name
        ("The Horses.", "The Horses."),
        ("The Horses and Mark", "The horses and Mark"),  # a title
        ("Is Horses the man?", "Is Horses the man?"),
        ("HORSES", "HORSES"),
        ("McHorses Mark", "McHorses Mark"),
    ],
)
def test_a_sentence_begins_in_lower_case_if_its_first_word_has_fewer_pieces_so(
    raw: str, text: str
) -> None:
    assert truecase(raw, "horses mark Mark The mchorses") == text


@given(CASED_TEXT)
@PROPERTY
def test_words_in_true_case_differ_from_the_originals_only_in_their_first_letter(raw: str) -> None:
    line_words = words.split(raw)
    plain = words.surface_forms(line_words)
    # A vocabulary in which lower case has fewer pieces.
    forms = truecase_forms(raw, line_words, plain, lambda form: sum(map(str.isupper, form)))
    for form, typed in zip(forms, plain, strict=True):
        assert form == typed or (form == typed.lower() and len(form) == len(typed))


@pytest.mark.parametrize(
    ("text", "capitalized"),
    [
        ("chat", "Chat"),
        ('"été" ', '"Été" '),
        ("12 chats", "12 chats"),
        ("ßa", "ßa"),  # whose capital has two letters
        ("我", "我"),
        ("…", "…"),
        ("", ""),
    ],
)
def test_capitalize_changes_the_first_letter_of_a_text_and_of_its_words(
    text: str, capitalized: str
) -> None:
    assert capitalize(text) == capitalized
    line_words = words.split(text)
    assert [(word.text, word.start, word.end) for word in capitalize_words(line_words)] == [
        (capitalized[word.start : word.end], word.start, word.end) for word in line_words
    ]


@pytest.mark.parametrize(
    ("decode", "raw", "case"),
    [
        ({}, "Horses", "original"),
        ({}, "HORSES EAT", "lowercase"),
        ({"truecase": True}, "Horses", "truecase"),
        ({"truecase": True}, "HORSES EAT", "lowercase"),
        ({"handle_all_caps": False}, "HORSES EAT", "original"),
    ],
)
def test_the_recipe_says_in_which_case_a_line_is_read(decode, raw: str, case: str) -> None:
    assert CaseRules.of(DecodeConfig(**decode)).case(raw) == case
