r"""Split raw text into words, each with its span in the text.

A *run* is letters and digits with the combining marks and format characters (joiners, soft hyphen,
variation selectors) that follow them. Words are, in this order of preference:

    run          Häuser   can be NFD   हिन्दी   3rd
    compound     runs joined by one apostrophe, hyphen, middle dot or gershayim: O'Neill, T-shirt,
                 vingt-et-un, col·lecció; and numbers: 3.14, 1,000, 10:30, 1'000, 2024-01-15
    CJK          each ideograph or kana by itself (Hangul is spaced and makes runs)
    emoji        each by itself: a ZWJ sequence, a flag, a keycap, with skin tone and selectors
    the rest     punctuation and symbols one by one, but a run of the same one together: ... !! --

White space (`str.isspace`) separates words and belongs to none; every other character belongs to
exactly one word, in order. In scripts without spaces other than CJK (Thai, Khmer, Lao) a run is a
phrase. An address that is no literal is split: `a.b@c.fr` is `a . b @ c . fr`.

A compound is then cut by the rules of its language (`word_rules`).
"""

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from attn_cli.data.word_rules import ALL_LANGUAGES, JOINERS, WordRules
from attn_cli.types import Word

#: The (start, end) of a part of a text, in characters.
Span = tuple[int, int]

#: Letters that are words by themselves: ideographs, kana, and their iteration marks.
_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u3096\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
_HALF_WIDTH_VOICING = "\uff9e\uff9f"
_REGIONAL = "[\U0001f1e6-\U0001f1ff]"
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
_EMOJI = "[\u2194\u2195\u231a-\u23ff\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff]"


def split(
    raw: str,
    literals: Sequence[Span] = (),
    *,
    rules: WordRules = ALL_LANGUAGES,
) -> tuple[Word, ...]:
    """Return the words of `raw`, in order; a text of spaces alone has none.

    Each of the `literals`, ascending spans of it, is one word, and the text that touches it is
    another. `rules` cut compounds.
    """
    if literals:
        return _split_around(raw, literals, rules)
    words: list[Word] = []
    add = words.append
    pattern = _everyday_pattern() if _EVERYDAY.fullmatch(raw) else _pattern()
    for match in pattern.finditer(raw):
        text, start = match.group(), match.start()
        if _COMPOUND.match(text):
            for first, last in rules.cut(text):
                add(Word(text[first:last], start + first, start + last))
        else:
            add(Word(text, start, match.end()))
    return tuple(words)


def _split_around(raw: str, literals: Sequence[Span], rules: WordRules) -> tuple[Word, ...]:
    """Split a text with a digit in place of each literal, so that d'1,250 and 2019's are cut as
    other words; then cut before and behind each literal."""
    digits: list[str] = []
    position = 0  # in the text with digits
    spans: list[tuple[int, int, int]] = []  # where the digit is, and the literal in `raw`
    end = 0
    for first, last in literals:
        digits += [raw[end:first], "0"]
        position += first - end
        spans.append((position, first, last))
        position += 1
        end = last
    digits.append(raw[end:])
    words: list[Word] = []
    following = iter(spans)
    digit, first, last = next(following)
    shift = 0  # from the text with digits to `raw`, behind the last literal
    for word in split("".join(digits), rules=rules):
        start = word.start
        while start <= digit < word.end:
            if start < digit:
                words.append(_word(raw, start + shift, digit + shift))
            words.append(_word(raw, first, last))
            start, shift = digit + 1, last - digit - 1
            digit, first, last = next(following, (len(raw) + 1, 0, 0))
        if start < word.end:
            words.append(_word(raw, start + shift, word.end + shift))
    return tuple(words)


def _word(raw: str, start: int, end: int) -> Word:
    return Word(raw[start:end], start, end)


#: Quotes and brackets that open if a space, or another of them, is in front.
OPENING_MARKS = frozenset("\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab([{\u00bf\u00a1")

#: What is in front of the text of a word that is detached from the opening mark before it.
DETACHED = "\t "  # in no word, for white space separates words


def surface_forms(words: Iterable[Word], *, detach_opening_marks: bool = False) -> list[str]:
    """Return each word's text, with a space in front unless it touches the word before it.

    The first word has a space too, so that a word has one form wherever it stands in a sentence.
    With `detach_opening_marks` a word that touches an opening mark has `DETACHED` in front: it is
    segmented as behind a space, and the space is no part of the text. `words` are those of one
    text, as `split` returns them.
    """
    forms: list[str] = []
    end = -1
    opens = False
    for word in words:
        touches = word.start == end
        if not touches:
            forms.append(" " + word.text)
        else:
            forms.append(DETACHED + word.text if opens else word.text)
        opens = detach_opening_marks and (opens or not touches) and word.text[0] in OPENING_MARKS
        end = word.end
    return forms


def spaced_form(form: str) -> str:
    """Return a form as it is segmented: that of a detached word with its space alone."""
    return form[1:] if form.startswith(DETACHED) else form


#: A run with a joiner behind it: only a compound has one.
_COMPOUND = re.compile(f"[^{JOINERS}][^{JOINERS}]*+[{JOINERS}]")

#: Text of Latin letters and usual punctuation, in which one character alone follows others.
_EVERYDAY = re.compile("[\0-\u02ff\u2010-\u2027\u202f\u20ac]*+")
_SOFT_HYPHEN = "\u00ad"
_LETTER = r"[^\W_\u02bc]"  # of everyday text


@functools.cache
def _everyday_pattern() -> re.Pattern[str]:
    """Return an expression that finds in everyday text what `_pattern` finds.

    Everyday text has no ideographs, emoji or marks. Without their classes it compiles in 1 ms, of
    which the whole expression takes ten.
    """
    run = f"(?>(?:{_LETTER}++{_SOFT_HYPHEN}*+)+)"
    return re.compile(rf"{_run_of_words(run, _LETTER)}|(\S)\1*+{_SOFT_HYPHEN}*+")


@functools.cache
def _pattern() -> re.Pattern[str]:
    """Return the expression that finds words in any text.

    Compiled at first use: Python's `re` has no class of marks, so the Unicode tables are searched.
    """
    codes = itertools.chain.from_iterable(itertools.starmap(range, _BLOCKS_WITH_FOLLOWERS))
    return _expression("".join(_ranges(filter(_follows, codes))))


def _expression(followers: str) -> re.Pattern[str]:
    """Return an expression that finds words.

    `followers` are the characters that follow others, as the inside of a character class.
    Quantifiers are possessive (`++`) and groups atomic (`(?>…)`), so the time is linear in the
    length of any line. No group captures within one, and none is repeated by a possessive
    quantifier: Python 3.11 fails on the first ("0'0.0"), and before 3.11.5 on the second too.
    """
    letter = rf"[^\W_{_CJK}\u02bc]"
    follower = f"[{followers}]"
    run = f"(?>(?:{letter}++{follower}*+)+)"
    emoji_tail = rf"(?>(?:{follower}|[{_SKIN_TONES}])*)"
    return re.compile(
        rf"[0-9#*]\ufe0f?\u20e3{follower}*+"
        rf"|{_run_of_words(run, letter)}"
        rf"|[{_CJK}](?>(?:{follower}|[{_HALF_WIDTH_VOICING}])*)"
        rf"|{_REGIONAL}{{2}}{follower}*+"
        rf"|{_EMOJI}{emoji_tail}(?>(?:(?<=\u200d){_EMOJI}{emoji_tail})*)"
        rf"|(\S)\1*+{follower}*+"
    )


def _run_of_words(run: str, letter: str) -> str:
    """Match runs of letters joined by apostrophes, hyphens, or the points of a number."""
    number = r"(?<=\d)[.,:\u066b\u066c](?=\d)"
    return rf"{run}(?>(?:(?:[{JOINERS}](?={letter})|{number}){run})*)"


def _follows(code: int) -> bool:
    """Return whether a character belongs to the one before it: marks, and format characters.

    Not the zero-width space and the byte order mark, which separate words.
    """
    return unicodedata.category(chr(code)) in _FOLLOWING and code not in (0x200B, 0xFEFF)


_FOLLOWING = frozenset({"Mn", "Mc", "Me", "Cf"})
#: All of Unicode but the large blocks that have no such character.
_BLOCKS_WITH_FOLLOWERS = ((0xAD, 0x3100), (0xA600, 0xAC00), (0xFB00, 0x1F000), (0xE0000, 0xE0200))


def _ranges(codes: Iterable[int]) -> Iterator[str]:
    """Yield ascending code points as the ranges of a character class."""
    first = last = -2
    for code in codes:
        if code != last + 1:
            if first >= 0:
                yield f"{chr(first)}-{chr(last)}"
            first = code
        last = code
    if first >= 0:
        yield f"{chr(first)}-{chr(last)}"
