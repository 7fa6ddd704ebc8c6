"""Detection of a line in the wrong language by its common words; in doubt, none is reported."""

import pytest

from attn_cli.data import words
from attn_cli.data.languages import language_name, looks_like


def line_looks_like(line, language, expected):
    return looks_like((word.text for word in words.split(line)), language, expected=expected)


FRENCH = [
    "Je t'aime",
    "Je t’aime",
    "Bonjour !",
    "Merci beaucoup, Monsieur.",
    "La voiture de mon frère est très vieille.",
    "L'épidémiologie du virus n'est pas connue.",
    "LES ENFANTS SONT DANS LA COUR",
    "Est-ce que vous parlez anglais ?",
    "Donne-moi le livre.",
]
ENGLISH = [
    "I love you",
    "Hello!",
    "They don’t know what to do.",
    "The car is very old.",
    "WHERE ARE THE CHILDREN?",
    "It's raining.",
]
GERMAN = ["Ich liebe dich.", "Guten Morgen!", "Die Kinder spielen nicht mit dem Hund."]

BY_LANGUAGE = {"fr": FRENCH, "en": ENGLISH, "de": GERMAN}
CASES = [
    (line, language, other)
    for language, lines in BY_LANGUAGE.items()
    for other in BY_LANGUAGE
    if other != language
    for line in lines
]


@pytest.mark.parametrize(("line", "language", "other"), CASES)
def test_a_line_looks_like_its_own_language_and_not_like_the_one_expected(line, language, other):
    assert line_looks_like(line, language, expected=other)
    assert not line_looks_like(line, other, expected=language)


@pytest.mark.parametrize(
    "line",
    [
        "La Paz",
        "Le Havre",
        "We flew to La Paz and Le Mans.",
        "She said « bonjour » to them.",
        "The film is called Les Enfants du Paradis.",
        "Crème brûlée, please.",
        "C. de Gaulle",
        "OK",
        "123",
        "",
        "Привет",
    ],
)
def test_names_and_quotations_do_not_make_a_line_french(line):
    assert not line_looks_like(line, "fr", expected="en")


@pytest.mark.parametrize(
    "line",
    [
        "Le groupe The Who joue à Paris.",
        "Bank of America",
        "Il travaille pour The Guardian.",
        "On a fait un week-end, et c'est tout.",
        "Napoléon I",
        "Stop !",
    ],
)
def test_names_do_not_make_a_line_english(line):
    assert not line_looks_like(line, "en", expected="fr")


def test_regions_make_no_difference():
    assert line_looks_like("Je t'aime", "fr-CA", expected="en_GB")


@pytest.mark.parametrize("pair", [("fr", "cs"), ("cs", "en"), ("", "en"), ("fr", "fr-CA")])
def test_no_line_is_detected_if_a_language_is_unknown_or_both_are_the_same(pair):
    language, expected = pair
    assert not line_looks_like("Je t'aime", language, expected=expected)


def test_languages_have_english_names():
    assert (language_name("fr-CA"), language_name("en"), language_name("cs")) == (
        "French",
        "English",
        None,
    )
