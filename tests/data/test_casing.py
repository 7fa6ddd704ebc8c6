"""Capitals: which lines are shouted, how they are read, how what was found is put in capitals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.data import words
from attn_cli.data.casing import is_all_caps, lowercase_forms, uppercase
from attn_cli.types import SoftAlignment, Translation

PROPERTY = settings(derandomize=True, deadline=None)

#: Letters whose small or capital form has another length, scripts without case, marks of ends.
LOUD = st.text("AIÉİẞΣŉǄ 日1'-.?!\u0301\u00a0", max_size=30)


def read(raw: str) -> str:
    return "".join(lowercase_forms(raw, words.split(raw))).removeprefix(" ")


@pytest.mark.parametrize(
    "raw", ["I LOVE YOU", "JE T'AIME !", "«OÙ EST-IL ?»", "STOP! NOW", "3 MEN, 4 COWS", "DON'T!"]
)
def test_a_line_without_a_small_letter_is_shouted(raw: str) -> None:
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
def test_another_line_is_not(raw: str) -> None:
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
def test_a_shouted_line_is_read_in_small_letters_but_for_the_first_of_a_sentence(
    raw: str, text: str
) -> None:
    assert read(raw) == text


@given(LOUD)
@PROPERTY
def test_what_is_read_differs_in_case_alone_word_by_word(raw: str) -> None:
    found = words.split(raw)
    forms = lowercase_forms(raw, found)
    for form, plain in zip(forms, words.surface_forms(found), strict=True):
        assert form.lower() == plain.lower()
        assert form[:1].isspace() == plain[:1].isspace()


TABLE = SoftAlignment(
    ("I",), ("Straße", "l'", "été"), np.ones((3, 1), np.float32), np.zeros(3, np.float32)
)
FOUND = Translation(
    1, "I", "Straße l'été", ("I",), ("Straße", "l'", "été"), (), ("Straße l'été", "ß"), TABLE
)


def test_a_translation_in_capitals_is_so_in_its_texts_its_words_and_its_table() -> None:
    loud = uppercase(FOUND, level="word")
    assert (loud.text, loud.texts) == ("STRASSE L'ÉTÉ", ("STRASSE L'ÉTÉ", "SS"))
    assert loud.target_words == ("STRASSE", "L'", "ÉTÉ")
    assert loud.alignment is not None
    assert loud.alignment.target == loud.target_words
    assert loud.alignment.weights is TABLE.weights
    assert loud.source_words == ("I",)


def test_pieces_stay_the_networks_own() -> None:
    loud = uppercase(FOUND, level="piece")
    assert (loud.text, loud.target_words, loud.alignment) == (
        "STRASSE L'ÉTÉ", FOUND.target_words, TABLE,
    )  # fmt: skip
