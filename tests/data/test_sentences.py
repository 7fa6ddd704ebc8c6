"""Sentences: the rules as tables of what is split and what is not, the spans as properties."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.data import words
from attn_cli.data.sentences import split

PROPERTY = settings(derandomize=True, deadline=None)

FRAGMENTS = st.sampled_from(
    [
        *".!?…。！？।\"'”’»«“‘([)]¿¡「」",
        *"aAéÉ1日कא_-",
        *" \u00a0\u202f\t\x1f\u3000\u0301\u200d",
        *("Mr", "e.g.", "etc", "No", "J", "3.14", "...", ". ", "! ", "Il", " dit"),
    ]
)
ANY_TEXT = st.one_of(st.text(max_size=40), st.lists(FRAGMENTS, max_size=25).map("".join))


def cut(raw: str) -> str:
    return "|".join(raw[start:end] for start, end in split(raw))


@pytest.mark.parametrize(
    "text",
    [
        "He left.|She stayed!|Why?|Nobody knows…|I do.",
        "What?!|No...|Yes.",
        "It rained.|300 came.|12 left.",
        'He said "Go!"|"Where?" she said.|(To Rome.)|Then he went.',
        "“Go.”|‘Where?’|She left.",
        "Il est là !|Où ?|« Ici ! »|Il rit.|«Là.»|Fin.",
        "Quoi\u202f?|Rien\u00a0!|«\u00a0Bon.\u00a0»|Oui.",
        "Er kam.|»Ja«, sagte sie.|„Nein.“|Gut.",
        "Hola.|¿Qué tal?|¡Bien!|Adiós.",
        "Привет.|Как дела?|Хорошо.",
        "مرحبا.|كيف حالك؟|بخير.",
        "नमस्ते।|आप कैसे हैं?",
        "Pi is 3.14.|It is 1,000.|In 1990.|We left.",
        "At 8:30.|It isn't.|It's Tom's.|Allez-y.|We left.",
        "She said no.|I went.",
        "We like art.|It is May.|He came.",
        "Is it you?|É claro.",
    ],
)
def test_a_sentence_ends_after_a_mark_if_another_sentence_follows(text: str) -> None:
    assert cut(text.replace("|", " ")) == text


@pytest.mark.parametrize(
    "text",
    ["-|Milk, eggs.|Bread.", "##|Contents", ">|He left.", "> *|1 egg", "•|«Là.»", "—|Oui.", "# ."],
)
def test_the_mark_of_an_item_is_a_span_of_its_own(text: str) -> None:
    assert cut(text.replace("|", " ")) == text


@pytest.mark.parametrize("text", ["我爱你。|你呢？|「好！」 |我也是。", "行く。|来る！|「見る。」"])
def test_no_space_is_needed_after_a_cjk_mark(text: str) -> None:
    raw = text.replace("|", "")
    assert cut(raw) == text.replace(" |", "|")


@pytest.mark.parametrize(
    "text",
    [
        "Mr. Smith, Mrs. Jones, Ms. Doe and Dr. Prof. Who of St. Ives",
        "MR. SMITH SAW MME. DUPONT",
        "M. Dupont et Mme. Blanc, Mlle. Petit et MM. Roux",
        "J. S. Bach, J.R.R. Tolkien, the U.S. Army at 5 p.m. Monday",
        "apples, pears etc. Peter vs. Paul, e.g. Rome, i.e. Italy, cf. Livy",
        "l'art. 5, No. 5, p. 12, pp. 3, fig. 2, vol. 1, Nov. 11",
        "'J. Smith' and 'J.R. Smith'",
        "1. Milk",
        "der 3. Mai",
        "Sammy Davis Jr. Was",
        "version 3.14 of a.b@c.fr and x.Y",
        "Oh! he said. he left… and so? on",
        "「行く？」と言った。",
        "Yahoo!Inc.Rome",
        "Hello . . . ...",
        ". . . Hello",
        "!!!",
    ],
)
def test_marks_within_a_sentence_do_not_split_it(text: str) -> None:
    assert cut(text) == text


@pytest.mark.parametrize("blank", ["", " ", "\u3000\t\x1f"])
def test_a_blank_text_has_no_sentences(blank: str) -> None:
    assert split(blank) == ()


@given(ANY_TEXT)
@PROPERTY
def test_sentences_cover_the_text_except_for_white_space_around_them(raw: str) -> None:
    end = 0
    for start, stop in split(raw):
        assert not raw[end:start].strip()
        assert raw[start:stop].strip() == raw[start:stop] != ""
        end = stop
    assert not raw[end:].strip()


@given(ANY_TEXT)
@PROPERTY
def test_each_of_several_sentences_contains_a_letter_or_digit(raw: str) -> None:
    sentences = [raw[start:end] for start, end in split(raw)]
    marked = len(sentences) > 1 and set(sentences[0]) <= set("#>*+•‣◦▪–—- \u00a0")
    sentences = sentences[marked:]
    assert len(sentences) <= 1 or all(any(map(str.isalnum, each)) for each in sentences)


@given(ANY_TEXT)
@PROPERTY
def test_no_word_is_split_between_sentences(raw: str) -> None:
    sentence_words = [
        word.text for start, end in split(raw) for word in words.split(raw[start:end])
    ]
    assert sentence_words == [word.text for word in words.split(raw)]


@given(ANY_TEXT)
@PROPERTY
def test_a_single_sentence_is_not_split_again(raw: str) -> None:
    for start, end in split(raw):
        assert split(raw[start:end]) == ((0, end - start),)
