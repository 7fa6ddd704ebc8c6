"""Words: the conventions as tables, the spans as properties of any text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.data import words
from attn_cli.data.words import DETACHED, spaced_form, split, surface_forms
from attn_cli.types import Word

PROPERTY = settings(derandomize=True, deadline=None)

#: Text in which several rules apply: apostrophes, hyphens, marks, joiners, spaces, scripts.
FRAGMENTS = st.sampled_from(
    [
        *"aAtsndél-'’ʼ‑·.,:!_1٣½ﬁ日カ한ก👍",
        *"\u0301\u200d\u200c\u00ad\ufe0f\u200b\u20e3\U0001f3fd\U0001f1eb\U0001f1f7",
        *" \u00a0\u2028\u202f\u3000\t\x1f\x00\ufffd\ue000",
        *("qu'", "n't", "'s", "-le", "-t-il", "-moi", "-m'en", "rendez", "va", " prends", "..."),
    ]
)
ANY_TEXT = st.one_of(
    st.text(max_size=40),
    st.lists(FRAGMENTS, max_size=25).map("".join),
    st.text("'-ts nd", max_size=20),
)


def cut(raw: str) -> str:
    return " ".join(word.text for word in split(raw))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("Je t'aime !", "Je t' aime !"),
        ("J’ai vu l’homme", "J’ ai vu l’ homme"),
        ("lʼhomme", "lʼ homme"),
        ("L'Oréal, D'ARTAGNAN", "L' Oréal , D' ARTAGNAN"),
        ("d'abord qu'on jusqu'à lorsqu'il", "d' abord qu' on jusqu' à lorsqu' il"),
        ("puisqu'on quoiqu'elle", "puisqu' on quoiqu' elle"),
        ("s'il c'qu'il j'l'ai", "s' il c' qu' il j' l' ai"),
        ("l'11 novembre", "l' 11 novembre"),
        ("quelqu'un presqu'île prud'homme", "quelqu'un presqu'île prud'homme"),
        ("aujourd'hui d'aujourd'hui", "aujourd'hui d' aujourd'hui"),
        ("l' homme l'« ami »", "l ' homme l ' « ami »"),
        ("dell'arte un'amica all'alba quest'anno", "dell' arte un' amica all' alba quest' anno"),
    ],
)
def test_elisions_are_words_with_their_apostrophe(raw: str, words: str) -> None:
    assert cut(raw) == words


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("it's let's I'm we're I'll I've he'd", "it 's let 's I 'm we 're I 'll I 've he 'd"),
        ("don't can't won't isn’t DON'T", "do n't ca n't wo n't is n’t DO N'T"),
        ("cannot", "cannot"),
        ("I'd've shouldn't've", "I 'd 've should n't 've"),
        ("Tom's dogs' the 1990's", "Tom 's dogs ' the 1990 's"),
        ("mother-in-law's what's-his-face", "mother-in-law 's what's-his-face"),
        ("'tis d'you y'all o'clock O'Neill ma'am", "' tis d' you y'all o'clock O'Neill ma'am"),
        ("c'd", "c 'd"),
        ("do n't", "do n't"),
    ],
)
def test_english_contractions_are_cut_as_in_the_penn_treebank(raw: str, words: str) -> None:
    assert cut(raw) == words


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("cherchez-le donnez-le-moi", "cherchez -le donnez -le -moi"),
        ("allez-y vas-y prends-en allons-nous-en", "allez -y vas -y prends -en allons -nous -en"),
        ("Est-ce que, qu'est-ce que", "Est -ce que , qu' est -ce que"),
        ("n'est-ce pas sera-ce", "n' est -ce pas sera -ce"),
        ("a-t-il aime-t-elle dira-t-on a-t'il", "a -t-il aime -t-elle dira -t-on a -t'il"),
        ("t'a-t-il y-a-t-il", "t' a -t-il y-a -t-il"),
        ("donne-m'en va-t'en va-t’en mène-l'y", "donne -m' en va -t' en va -t’ en mène -l' y"),
        ("dois-je veux-tu fait-il prend-elle", "dois -je veux -tu fait -il prend -elle"),
        ("sont-ils n'ont-elles", "sont -ils n' ont -elles"),
        ("peut-on prend-on répond-on perd-on", "peut -on prend -on répond -on perd -on"),
        ("donne‑moi", "donne ‑moi"),
        ("sous-estimes-tu", "sous-estimes -tu"),
        ("DITES-MOI", "DITES -MOI"),
    ],
)
def test_clitics_after_a_french_verb_are_words_with_their_hyphen(raw: str, words: str) -> None:
    assert cut(raw) == words


@pytest.mark.parametrize(
    "words",
    [
        "rendez-vous Rendez-vous garde-à-vous chez-moi entre-nous",
        "peut-être moi-même celui-ci là-bas vingt-et-un arc-en-ciel après-midi qui-vive",
        "check-in well-known add-on carry-on roll-on hard-on bolt-on hands-on glass-y know-it-all",
        "Shangri-La tra-la-la ooh-la-la ex-mari T-shirt CD-ROM",
        "Baden-Württemberg E-Mail n't",
    ],
)
def test_other_compounds_stay_whole(words: str) -> None:
    assert cut(words) == words


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("3.14 1,000 10:30 1'000 2024-01-15", "3.14 1,000 10:30 1'000 2024-01-15"),
        ("At 10:30. In 1999, 3.5kg.", "At 10:30 . In 1999 , 3.5kg ."),
        ("50% €5 §3 a/b", "50 % € 5 § 3 a / b"),
        ("Wait... what?! No!! -- ok", "Wait ... what ? ! No !! -- ok"),
        ("(«“x”»)", "( « “ x ” » )"),
        ("-x x- a--b", "- x x - a -- b"),
        ("a@b.fr snake_case AT&T U.S.", "a @ b . fr snake _ case AT & T U . S ."),
        ("Häuser, Straße: ja!", "Häuser , Straße : ja !"),
        ("Geht's? Ich hab's.", "Geht 's ? Ich hab 's ."),
        ("l'e\u0301te\u0301", "l' e\u0301te\u0301"),
        ("हिन्दी भाषा।", "हिन्दी भाषा ।"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("co\u00adop col·lecció צה״ל", "co\u00adop col·lecció צה״ל"),
        ("日本語のテスト。", "日 本 語 の テ ス ト 。"),
        ("か\u3099 ｶﾞ", "か\u3099 ｶﾞ"),
        ("한국어 Привет", "한국어 Привет"),
        ("iPhoneを買う", "iPhone を 買 う"),
        ("a\u200bb", "a \u200b b"),
        ("", ""),
        (" \u00a0\u2028\u202f\u3000\t", ""),
    ],
)
def test_numbers_punctuation_and_scripts(raw: str, words: str) -> None:
    assert cut(raw) == words


@pytest.mark.parametrize(
    "emoji",
    ["👍🏽", "❤️", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🙂‍↔️", "🇫🇷", "1️⃣", "#️⃣", "🏴\U000e0067\U000e0062\U000e007f"],
)  # fmt: skip
def test_an_emoji_is_one_word_however_many_characters_it_has(emoji: str) -> None:
    assert [word.text for word in split(f"ok {emoji}{emoji}😂!")] == ["ok", emoji, emoji, "😂", "!"]


def test_a_word_has_its_span_in_the_raw_text() -> None:
    assert split("  Je t'aime") == (Word("Je", 2, 4), Word("t'", 5, 7), Word("aime", 7, 11))


def test_a_form_has_a_space_in_front_unless_glued_to_the_word_before() -> None:
    assert surface_forms(split("Je  t'aime\u00a0!")) == [" Je", " t'", "aime", " !"]


@pytest.mark.parametrize(
    ("raw", "detached"),
    [
        ('say "Go', "Go"),
        ("(go", "go"),
        ("¿Qué", "Qué"),
        ("l'ami", ""),  # the apostrophe touches the letter before it
        ('say "Go"', "Go"),
        ("a(b", ""),
        ("( b", ""),
        ("«oui", "oui"),
    ],
)
def test_a_word_is_detached_from_the_opening_mark_that_it_touches(raw: str, detached: str) -> None:
    forms = surface_forms(split(raw), detach_opening_marks=True)
    assert [each.removeprefix(DETACHED) for each in forms if each.startswith(DETACHED)] == (
        detached.split()
    )
    attached = [each.removeprefix(DETACHED) for each in forms]
    assert attached == surface_forms(split(raw))


def test_a_mark_behind_an_opening_mark_opens_too() -> None:
    forms = surface_forms(split('("Go'), detach_opening_marks=True)
    assert forms == [" (", f'{DETACHED}"', f"{DETACHED}Go"]
    assert [spaced_form(form) for form in forms] == [" (", ' "', " Go"]


@pytest.mark.parametrize("raw", ["0'0.0", "1'000.50", "l'1.5'a", "1.0'0.0-1'0"])
def test_a_number_within_a_compound_is_read(raw: str) -> None:
    """Python 3.11's expressions fail here where a group captures within a possessive one."""
    assert "".join(word.text for word in split(raw)) == raw


def test_everyday_text_has_one_character_that_attaches_to_the_one_before() -> None:
    everyday = [chr(code) for code in range(0x3100) if words._EVERYDAY.fullmatch(chr(code))]
    assert len(everyday) > 700
    assert [each for each in everyday if words._follows(ord(each))] == ["\u00ad"]


@given(st.text(st.characters(max_codepoint=0x2FF) | st.sampled_from("\u00ad’“”…–- '.3a")))
def test_both_expressions_split_everyday_text_into_the_same_words(raw: str) -> None:
    assert words._EVERYDAY.fullmatch(raw)
    spans = [match.span() for match in words._everyday_pattern().finditer(raw)]
    assert spans == [match.span() for match in words._pattern().finditer(raw)]


@given(ANY_TEXT)
@PROPERTY
def test_words_contain_every_visible_character_once_and_in_order(raw: str) -> None:
    positions = [position for word in split(raw) for position in range(word.start, word.end)]
    assert positions == [i for i, character in enumerate(raw) if not character.isspace()]
    assert all(word.text == raw[word.start : word.end] for word in split(raw))


@given(ANY_TEXT)
@PROPERTY
def test_words_and_the_gaps_between_them_restore_the_text(raw: str) -> None:
    end, text = 0, ""
    for word in split(raw):
        text += raw[end : word.start] + word.text
        end = word.end
    assert text + raw[end:] == raw


@given(ANY_TEXT)
@PROPERTY
def test_forms_spell_the_text_with_single_spaces(raw: str) -> None:
    assert "".join(surface_forms(split(raw))).split() == raw.split()
