"""Literals: how they are found, matched between two languages and rewritten for the other one."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.data import literals, words
from attn_cli.data.literals import N_FIGURES, N_PLACEHOLDERS, LiteralRules, NumberedLiteral

ENGLISH, FRENCH = LiteralRules("en", "fr"), LiteralRules("fr", "en")

FRAGMENTS = st.sampled_from(
    [
        *"aA1٣½²ém'’-–.,:/ \u00a0\u202f$€%()[]{}<>@#_&`~\\+=\"«»",
        *"😀❤\ufe0f\u20e3\u200d\u0301我\t\ufdd0",
        *(
            "12",
            "1,250",
            "1 250",
            "3:30",
            " pm",
            " a.m.",
            "10h30",
            " du soir",
            "http://a.b",
            "c@d.fr",
            "{x}",
            "%s",
            "th",
            " de ",
        ),
    ]
)
ANY_TEXT = st.one_of(st.text(max_size=30), st.lists(FRAGMENTS, max_size=20).map("".join))


def rewrite_literals(raw: str, languages: LiteralRules) -> list[str]:
    return [
        languages.rewrite(raw[each.start : each.end], is_figure=each.is_figure)
        for each in languages.find(raw)
    ]


def find_literals(raw: str, languages: LiteralRules = ENGLISH) -> list[str]:
    return [raw[each.start : each.end] for each in languages.find(raw)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("I paid $12.50 for 1,250 apples, 12.5% off.", ["$12.50", "1,250", "12.5%"]),
        ("It's -5 at 10:30 on 2024-01-15.", ["-5", "10:30", "2024-01-15"]),
        ("the 19th century, 25kg, 1990s, a 25-year-old", ["19", "25", "1990", "25"]),
        ("COVID-19, MP3, H2O, F-16, mid-2010", ["COVID-19", "MP3", "H2O", "F-16", "2010"]),
        ("$5 million, $5k, US$5", ["5", "5", "$5"]),
        ("2010-2015, 3-1, 1/2, v3.14.2, 16:9", ["2010-2015", "3-1", "1/2", "v3.14.2", "16:9"]),
        ("See https://a.b/c?d=1&e=(2), or (http://x.org).", ["https://a.b/c?d=1&e=(2)", "http://x.org"]),
        ("Mail a.b@c.fr; example.com! www.x.org/y", ["a.b@c.fr", "example.com", "www.x.org/y"]),
        ("@name and #tag", ["@name", "#tag"]),
        ("`x + 1` in /etc/hosts, ~/x or src/a.py", ["`x + 1`", "/etc/hosts", "~/x", "src/a.py"]),
        (r"open C:\Users\me now", [r"C:\Users\me"]),
        ("{name} {{n}} of %d, %s, %(x)s", ["{name}", "{{n}}", "%d", "%s", "%(x)s"]),
        ("<b>Hi</b> &amp; a < b", ["<b>", "</b>", "&amp;"]),
        ("I love you ❤️ 👨‍👩‍👧🇫🇷!", ["❤️ 👨‍👩‍👧🇫🇷"]),
        ("at 3:30 pm, 9 a.m. or 10PM, not 13 pm", ["3:30 pm", "9 a.m.", "10PM", "13"]),
        ("See you at 9 a.m.", ["9 a.m"]),  # the last point ends the sentence
        ('"At 9 a.m." he said; $5 am, 5 amps', ["9 a.m.", "$5", "5"]),
        ("10 m² of my_name :)", ["10", "m²", "my_name", ":)"]),
        ("call 06 12 34 56 78 or 555-1234", ["06 12 34 56 78", "555-1234"]),
        ("he/she and/or km/h, e.g. the U.S. Look it up. Hello.World", []),
        ("Oh: (no) and then... a & b — 'quoted'", []),
    ],
)  # fmt: skip
def test_literals_of_an_english_line(raw: str, expected: list[str]) -> None:
    assert find_literals(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("12,50 € pour 1 250 pommes, 12,5 % de moins", ["12,50 €", "1 250", "12,5 %"]),
        ("à 10h30, 10 h 30 ou 15 h, d'1,5 million", ["10h30", "10 h 30", "15", "1,5"]),
        ("le 1er mai, 19e siècle, l'11 septembre", ["1", "19", "11"]),
        ("à 3 h 30 du matin, à 10h du soir", ["3 h 30 du matin", "10h du soir"]),
        ("15 h de l'après-midi, le 10 du matin", ["15", "10"]),
        ("06 12 34 56 78, 1 250 000 000 habitants", ["06 12 34 56 78", "1 250 000 000"]),
    ],
)
def test_literals_of_a_french_line(raw: str, expected: list[str]) -> None:
    assert find_literals(raw, FRENCH) == expected


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("1,250", "1\u00a0250"),
        ("1250", "1250"),
        ("1,000,000.50", "1\u00a0000\u00a0000,50"),
        ("12.5%", "12,5\u00a0%"),
        ("$12.50", "12,50\u00a0$"),
        ("-$5", "-5\u00a0$"),
        ("€1,000", "1\u00a0000\u00a0€"),
        ("0.5", "0,5"),
        ("10:30", "10:30"),
        ("3:30 pm", "3\u00a0h\u00a030 de l'après-midi"),
        ("9 am", "9\u00a0h du matin"),
        ("10:05 pm", "10\u00a0h\u00a005 du soir"),
        ("2024-01-15", "2024-01-15"),
    ],
)
def test_numbers_are_rewritten_in_the_format_of_the_other_language(
    english: str, french: str
) -> None:
    assert rewrite_literals(english, ENGLISH) == [french]
    assert rewrite_literals(french, FRENCH) == [english]
    assert ENGLISH.find(english)[0].key == FRENCH.find(french)[0].key


@pytest.mark.parametrize(
    ("raw", "english"),
    [
        ("1 250", "1,250"),
        ("1\u202f250", "1,250"),
        ("10h30", "10:30"),
        ("8h30 du soir", "8:30 pm"),
        ("8 h de l’après-midi", "8 pm"),
    ],
)
def test_other_french_formats_of_numbers_are_rewritten(raw: str, english: str) -> None:
    assert rewrite_literals(raw, FRENCH) == [english]


@pytest.mark.parametrize("raw", ["1.250", "12.5", "12/05/2010", "3.14.2", "007 08 09 10"])
def test_ambiguous_numbers_are_copied(raw: str) -> None:
    assert rewrite_literals(raw, FRENCH) == [raw]


def test_of_times_of_day_only_the_figure_is_copied_if_a_language_has_no_format_of_them() -> None:
    for languages, raw in ((("en", "de"), "at 3:30 pm"), (("fr", "de"), "à 3:30 du soir")):
        assert rewrite_literals(raw, LiteralRules(*languages)) == ["3:30"]
    assert find_literals("um 3 am Montag", LiteralRules("de", "en")) == ["3"]


def test_numbers_of_an_unknown_language_are_copied() -> None:
    raw = "1,250 of 12.5%"
    for languages in (LiteralRules(), LiteralRules("en", "xx"), LiteralRules("en", "en-GB")):
        assert rewrite_literals(raw, languages) == ["1,250", "12.5%"]


@given(ANY_TEXT)
@settings(derandomize=True, deadline=None)
def test_every_digit_is_in_a_literal_and_literals_do_not_overlap(raw: str) -> None:
    for languages in (ENGLISH, FRENCH):
        end = 0
        covered = set()
        for literal in languages.find(raw):
            assert end <= literal.start < literal.end <= len(raw)
            end = literal.end
            covered |= set(range(literal.start, literal.end))
            text = raw[literal.start : literal.end]
            result = languages.rewrite(text, is_figure=literal.is_figure)
            assert Counter(filter(str.isdigit, result)) == Counter(filter(str.isdigit, text))
        assert all(
            position in covered for position, character in enumerate(raw) if character.isdecimal()
        )


@given(ANY_TEXT)
@settings(derandomize=True, deadline=None)
def test_a_literal_is_one_word_and_words_cover_the_text(raw: str) -> None:
    spans = [(each.start, each.end) for each in ENGLISH.find(raw)]
    line_words = words.split(raw, spans)
    assert set(spans) <= {(word.start, word.end) for word in line_words}
    assert all(raw[word.start : word.end] == word.text for word in line_words)
    assert all(before.end <= after.start for before, after in itertools.pairwise(line_words))
    assert "".join("".join(w.text.split()) for w in line_words) == "".join(raw.split())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("l'11 et d'1,5", "l' 11 et d' 1,5"),
        ("2019's 25-year-old 19th", "2019 's 25 -year-old 19 th"),
        ("you❤️too (5)(6)", "you ❤️ too ( 5 ) ( 6 )"),
        ("a@b.fr,c@d.fr.", "a@b.fr , c@d.fr ."),
    ],
)
def test_words_next_to_literals_are_split_as_next_to_numbers(raw: str, expected: str) -> None:
    spans = [(each.start, each.end) for each in ENGLISH.find(raw)]
    assert " ".join(word.text for word in words.split(raw, spans)) == expected


def test_a_capital_is_that_of_a_name_but_for_first_words_titles_and_german_nouns():
    for source, raw, places in (
        ("en", "Yesterday we met Anna. She waved.", [0, 5]),
        ("en", "The Lord of the Rings", [0, 1, 2, 3, 4]),
        ("de-AT", "Wir trafen Anna.", [0, 1, 2, 3]),
    ):
        rules = LiteralRules(source, "fr")
        assert list(rules.capital_places(raw, words.split(raw))) == places


# Pairs


def texts_by_number(raw: str, numbered: list[NumberedLiteral]) -> dict[int, str]:
    return {each.number: raw[each.start : each.end] for each in numbered}


def test_literals_match_independently_of_format_and_position() -> None:
    english, french = "In 2010 it was $1,250.50, see a@b.fr.", "Voir a@b.fr : 1 250,50 $ en 2010."
    source_literals, target_literals = ENGLISH.match(english, french)
    source_texts, target_texts = (
        texts_by_number(english, source_literals),
        texts_by_number(french, target_literals),
    )
    assert len(source_texts) == 3
    assert {source_texts[n]: target_texts[n] for n in source_texts} == {
        "2010": "2010",
        "$1,250.50": "1 250,50 $",
        "a@b.fr": "a@b.fr",
    }
    assert all((number < N_FIGURES) == ("@" not in text) for number, text in source_texts.items())


def test_a_literal_on_one_side_only_or_with_unequal_counts_does_not_match() -> None:
    source_literals, target_literals = ENGLISH.match("5 of 7 and 7 in 2010", "cinq de 7 en 2010")
    assert [each.start for each in source_literals] == [16]
    assert [each.start for each in target_literals] == [13]
    assert ENGLISH.match("five of 7", "cinq") == ([], [])


def test_every_placeholder_is_used_and_none_twice_in_a_line() -> None:
    counts: Counter[int] = Counter()
    for number in range(400):
        line = f"{number} a@b{number}.fr {number + 1000} #x"
        source_literals, target_literals = ENGLISH.match_for_training(line, line)
        assert len({each.number for each in source_literals}) == len(source_literals) == 4
        assert source_literals == target_literals
        counts.update(each.number for each in source_literals)
    assert set(counts) == set(range(N_PLACEHOLDERS))


def test_literals_beyond_the_number_of_placeholders_are_not_replaced() -> None:
    line = " ".join(f"{number}." for number in range(100, 115))
    for match in (ENGLISH.match, ENGLISH.match_for_training):
        source_literals, _ = match(line, line)
        assert len({each.number for each in source_literals}) == len(source_literals) == N_FIGURES


def test_a_name_on_both_sides_is_a_literal_in_some_pairs() -> None:
    n_replaced = 0
    for number in range(200):
        tail = "a" * number
        english, french = f"Is Tatiana here {tail}", f"Tatiana est-elle là {tail}"
        source_literals, target_literals = ENGLISH.match_for_training(english, french)
        assert list(texts_by_number(english, source_literals).values()) == ["Tatiana"] * len(
            source_literals
        )
        assert list(texts_by_number(french, target_literals).values()) == ["Tatiana"] * len(
            source_literals
        )
        n_replaced += bool(source_literals)
    assert 0.5 < n_replaced * literals.NAME_INTERVAL / 200 < 2


def test_the_placeholder_and_the_form_are_read_from_a_marked_form() -> None:
    for form in (" 1,250", "1,250", " a b"):
        marked = literals.add_mark(form, 7)
        assert literals.placeholder_number(marked) == 7
        assert literals.remove_mark(marked) == form
        assert literals.placeholder_number(form) is None


def test_a_number_of_thousands_of_digits_is_rewritten():
    """Python's int() reads at most 4,300 digits."""
    number = "12" + ",345" * 2_000
    assert ENGLISH.rewrite(number, is_figure=True) == number.replace(",", "\u00a0")
