"""The everyday phrases of the general text are correct French, and as their README states."""

import hashlib
import re
from collections import Counter

import pytest
from scripts import DATA, import_scripts


@pytest.fixture(scope="module")
def modules():
    with import_scripts(
        "general", "everyday.corpus", "everyday.numbers", "everyday.names", "cleaning"
    ) as scripts:
        yield scripts


@pytest.fixture(scope="module")
def pairs(modules):
    return modules[0].everyday()


def test_the_readme_gives_the_number_of_pairs_and_their_checksum(pairs):
    text = "".join(f"{pair.english}\t{pair.french}\t{pair.times}\n" for pair in pairs)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    readme = (DATA / "general" / "README.md").read_text(encoding="utf-8")
    assert f"{len(pairs):,} pairs" in readme
    assert digest in readme


def test_pairs_are_distinct_and_a_common_phrase_has_a_higher_count_than_others(pairs):
    assert len({(pair.english, pair.french) for pair in pairs}) == len(pairs)
    times = {(pair.english, pair.french): pair.times for pair in pairs}
    assert times["Hello", "Bonjour"] > times["Hi", "Bonjour"] > 0
    assert times["Hello", "Bonjour"] > times["in France", "en France"]


def test_both_sides_have_the_same_digits(pairs):
    for pair in pairs:
        english_digits, french_digits = (
            sorted(re.findall(r"\d", side)) for side in (pair.english, pair.french)
        )
        assert english_digits == french_digits, pair


def test_french_elides_and_contracts(pairs):
    vowel = "aeiouéèêàâîôœ"  # neither a pronoun after its verb (-je) nor que before oui is elided
    unelided = re.compile(rf"(?<!-)\b(?:[jmtsnld]e|la|que) (?=[{vowel}])(?!oui|onz)", re.IGNORECASE)
    uncontracted = re.compile(rf"\b(?:de|à) les? (?=[a-z])|\b[dl]'[^{vowel}h]", re.IGNORECASE)
    for pair in pairs:
        assert not unelided.search(pair.french), pair
        assert not uncontracted.search(pair.french), pair


def test_spaces_stand_before_french_marks_and_not_before_english_ones(pairs):
    for pair in pairs:
        assert not re.search(r"[\w)][?!:;](?=\s|$)", pair.french), pair
        assert not re.search(r"\s[?!:;.,](?=\s|$)", pair.english), pair
        assert "  " not in pair.english + pair.french


def test_both_sides_end_with_the_same_mark(pairs):
    def final_mark(text):
        if re.search(r"\b[ap]\.m\.$", text):  # its last stop also ends a sentence, but no phrase
            return "." if text[0].isupper() else ""
        return re.search(r"[.?!…,:]?$", text.rstrip(' "»')).group()

    other = [pair for pair in pairs if final_mark(pair.english) != final_mark(pair.french)]
    assert {(pair.english, pair.french) for pair in other if pair.kind != "letter"} == {
        ("How do you do?", "Enchanté.")
    }
    closings = [pair for pair in other if pair.kind == "letter"]  # a whole sentence in French
    assert all(pair.english.endswith(",") and pair.french.endswith(".") for pair in closings)


def test_both_sides_begin_with_a_capital_or_neither_does(pairs):
    """English has capitals where French has none: days, months, languages and nationalities.

    In French a country begins with its article.
    """
    for pair in pairs:
        if pair.kind not in ("country", "calendar", "date"):
            assert pair.english[0].isupper() == pair.french[0].isupper(), pair


def test_cleaning_leaves_everyday_pairs_unchanged_and_rejects_none(modules, pairs):
    cleaning = modules[3]
    for pair in pairs:
        assert cleaning.clean(pair.english, pair.french) == (pair.english, pair.french)
        problem = cleaning.problem(pair.english, pair.french)
        if pair.kind != "letter":  # Yours, is a whole line of French
            assert problem in ("", "not a text" if re.search(r"\d", pair.english) else ""), pair


def test_all_kinds_of_everyday_pairs_are_present(pairs):
    kinds = Counter(pair.kind for pair in pairs)
    assert set(kinds) == {
        "phrase", "sentence", "sign", "letter", "number", "figure", "calendar", "date", "time",
        "price", "measure", "country", "city", "name", "introduction", "phrasal verb",
    }  # fmt: skip
    assert all(number >= 70 for number in kinds.values())


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("at noon", "à midi"),
        ("in the United States", "aux États-Unis"),
        ("I come from the Netherlands.", "Je viens des Pays-Bas."),
        ("in Japan", "au Japon"),
        ("in Iran", "en Iran"),
        ("in Cuba", "à Cuba"),
        ("I live in Cairo.", "J'habite au Caire."),
        ("The capital of Hungary is Budapest.", "La capitale de la Hongrie est Budapest."),
        ("the history of Haiti", "l'histoire d'Haïti"),
        ("I'm learning English.", "J'apprends l'anglais."),
        ("on Mondays", "le lundi"),
        ("at the end of August", "à la fin du mois d'août"),
        ("It's a quarter to twelve.", "Il est midi moins le quart."),
        ("It's one o'clock.", "Il est une heure."),
    ],
)
def test_the_pairs_follow_grammars_of_french(pairs, english, french):
    assert (english, french) in {(pair.english, pair.french) for pair in pairs}


@pytest.mark.parametrize(
    ("number", "english", "french"),
    [
        (0, "zero", "zéro"),
        (21, "twenty-one", "vingt et un"),
        (70, "seventy", "soixante-dix"),
        (71, "seventy-one", "soixante et onze"),
        (80, "eighty", "quatre-vingts"),
        (81, "eighty-one", "quatre-vingt-un"),
        (91, "ninety-one", "quatre-vingt-onze"),
        (99, "ninety-nine", "quatre-vingt-dix-neuf"),
        (101, "one hundred one", "cent un"),
        (200, "two hundred", "deux cents"),
        (280, "two hundred eighty", "deux cent quatre-vingts"),
        (1001, "one thousand one", "mille un"),
        (80_000, "eighty thousand", "quatre-vingt mille"),
        (200_300, "two hundred thousand three hundred", "deux cent mille trois cents"),
    ],
)
def test_numbers_are_spelled_as_grammars_say(modules, number, english, french):
    numbers = modules[1]
    assert numbers.english(number) == english
    assert numbers.french(number) == french


def test_ordinals(modules):
    numbers = modules[1]
    french = {1: "premier", 2: "deuxième", 4: "quatrième", 5: "cinquième", 9: "neuvième",
              11: "onzième", 21: "vingt et unième", 30: "trentième"}  # fmt: skip
    assert {n: numbers.french_ordinal(n) for n in french} == french
    english = {1: "first", 12: "twelfth", 20: "twentieth", 21: "twenty-first", 14: "fourteenth"}
    assert {n: numbers.english_ordinal(n) for n in english} == english
    assert numbers.french_figures(1250.5, 2) == "1 250,50"
