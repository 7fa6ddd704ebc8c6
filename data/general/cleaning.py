"""Clean pairs, and name the reason for leaving a pair out.

`clean` changes the form of a pair, never its words: quotes and apostrophes become straight, spaces
plain and single, and French punctuation gets its spaces. Numbers, addresses, code and placeholders
do not change. `problem` returns the first reason for leaving a pair out.
"""

import re
import zlib
from collections import Counter

from attn_cli.data.languages import frequent_words
from attn_cli.data.sentences import split as split_sentences
from attn_cli.data.words import split as split_words

#: The reasons for leaving a pair out, in the order of the checks.
LEFT_OUT = (
    "empty", "not a text", "too long", "wrong language", "not translated", "length ratio",
    "other numbers", "in a test", "duplicate",
)  # fmt: skip

LONGEST = 700  # characters of a side
TIMES_LONGER, SLACK = 2.2, 15  # maximum characters of a side: so many times the other's, plus

_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
    | dict.fromkeys("\u00a0\u202f\u2009\u2007\u3000\t\r\n", " ")
    | dict.fromkeys("\u00ad\u200b\u200e\u200f\ufeff", None)
    | {"\u2026": "..."}
)

#: One in so many French sides with guillemets keeps them, for the direction from French.
KEPT_GUILLEMETS = 8

_COMMENT = re.compile(r"<!--.*?(?:-- ?>|$)")
_TAG = re.compile(r"</?(?:b|i|em|strong|br|p|span|a|code|kbd|div)\b[^<>]*>")
_SPEAKER = re.compile(r"[A-ZÀ-ÖØ-ÞŒ][A-ZÀ-ÖØ-ÞŒ' -]+\.(?: [—–-])? +(?=\S)")
_DASH = re.compile(r"\A(?:[—–]+ *|-+ +)")
_LONG_DASH = re.compile("[—–]")
_TURN = re.compile(r"(?<=[.!?:]) *[—–] *|(?<=[.!?]\") *[—–] *")  # another speaker
_QUOTE = re.compile('["«»]')
_FRENCH_MARK = re.compile(r"(?<=[\w)\]\"'»%])(?<!\bhttp)(?<!\bhttps)([?!;:]+)(?=\s|\"|$)")


def clean(english: str, french: str) -> tuple[str, str]:
    """Return both sides in the form of the training text."""
    english, french = (_COMMENT.sub(" ", side.translate(_PLAIN)) for side in (english, french))
    if sorted(_TAG.findall(english)) != sorted(_TAG.findall(french)):
        english, french = (_TAG.sub(" ", side) for side in (english, french))
    english = re.sub(r"«\s*|\s*»", '"', english)
    whole = french.count("«") == french.count("»")
    if not whole or zlib.crc32(french.encode()) % KEPT_GUILLEMETS:
        french = re.sub(r"«\s*|\s*»", '"', french)
    english, french = (_remove_unpaired_quote(" ".join(side.split())) for side in (english, french))
    english, french = _remove_speech_marks(english, french)
    return english, _FRENCH_MARK.sub(r" \1", french)


def _remove_speech_marks(english: str, french: str) -> tuple[str, str]:
    """Remove the speaker of a play from both sides, and marks of speech that one side lacks."""
    speakers = _SPEAKER.match(english), _SPEAKER.match(french)
    if speakers[0] and speakers[1]:
        english, french = english[speakers[0].end() :], french[speakers[1].end() :]
    sides = [english, french]
    for side, other in ((0, 1), (1, 0)):
        if not _DASH.match(sides[other]):
            sides[side] = _DASH.sub("", sides[side], count=1)
        if not _LONG_DASH.search(sides[other]):
            sides[side] = _TURN.sub(" ", sides[side])
        if not _QUOTE.search(sides[other]):
            sides[side] = " ".join(_QUOTE.sub("", sides[side]).split())
    return sides[0], sides[1]


def _remove_unpaired_quote(side: str) -> str:
    """Remove an unpaired quote at the beginning or the end."""
    if side.count('"') == 1:
        side = re.sub(r'^"\s*|\s*"$', "", side)
    return side


def key(text: str) -> str:
    """Return the letters and digits of a sentence, in lower case."""
    return " ".join(re.findall(r"\w+", text.lower()))


def sentence_keys(text: str, *, shortest: int) -> set[str]:
    """Return the keys, of at least `shortest` words, of a text and of its sentences."""
    parts = [text, *(text[start:end] for start, end in split_sentences(text))]
    return {each for each in map(key, parts) if len(each.split()) >= shortest}


def problem(english: str, french: str) -> str:
    """Return why a cleaned pair is left out, one of `LEFT_OUT`, or ""."""
    if not english or not french:
        return "empty"
    if max(len(english), len(french)) > LONGEST:
        return "too long"
    if not (_is_text(english) and _is_text(french)):
        return "not a text"
    same = key(english) == key(french)
    if same and len(key(english).split()) > _LONGEST_NAME:
        return "not translated"
    if not (_is_in(english, 0) and _is_in(french, 1)):
        return "not translated" if same else "wrong language"
    short, long = sorted((len(english), len(french)))
    if long > TIMES_LONGER * short + SLACK:
        return "length ratio"
    if _other_numbers(english, french):
        return "other numbers"
    return ""


_LONGEST_NAME = 4  # words that two languages may share without being a sentence

_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ]")
_LETTER = re.compile(r"[^\W\d_]")


def _is_text(side: str) -> bool:
    """Return whether most characters are Latin letters."""
    letters = len(_LETTER.findall(side))
    latin = len(_LATIN.findall(side))
    return latin > 0 and latin >= 0.8 * letters and latin >= 0.25 * len(side.replace(" ", ""))


_OTHER_LANGUAGES = ("de", "es", "it", "pt")


def _frequent_words() -> tuple[frozenset[str], ...]:
    """Return words of English, of French, and of other languages, without common ones."""
    english, french = frequent_words("en"), frequent_words("fr")
    others = frozenset[str]().union(*map(frequent_words, _OTHER_LANGUAGES))
    return english - french - others, french - english - others, others - english - french


_LANGUAGES = _frequent_words()


def _is_in(side: str, language: int) -> bool:
    """Return whether a side may be English (0) or French (1): no other has over twice its words."""
    words = {word.text.lower() for word in split_words(side)}
    counts = [len(words & frequent) for frequent in _LANGUAGES]
    own = counts.pop(language)
    return max(counts) < 2 or max(counts) <= 2 * own


_NUMBER = re.compile(r"(?:\d{1,3}(?:[ .,]\d{3})+(?!\d)|\d+)(?:[.,]\d+)?")


def _other_numbers(english: str, french: str) -> bool:
    """Return whether each side has a number of two digits or more that is not on the other side.

    Separators do not count (1,250 is 1 250), nor does a number that the other side has in words.
    """
    of_english, of_french = (
        Counter(re.sub(r"\D", "", number) for number in _NUMBER.findall(side))
        for side in (english, french)
    )
    more, less = of_english - of_french, of_french - of_english
    return any(len(number) > 1 for number in more) and any(len(number) > 1 for number in less)
