r"""Raw text → the words a person would point at, each with its span in the text.

Knows nothing of pieces, vocabularies or languages: one function serves them all, and where the
conventions of two languages meet, the more specific rule wins.

A *run* is letters and digits with the combining marks and format characters (joiners, soft hyphen,
variation selectors) that follow them. Words are, in this order of preference:

    run          Häuser   can be NFD   हिन्दी   3rd
    compound     runs joined by one apostrophe, hyphen, middle dot or gershayim: O'Neill, T-shirt,
                 vingt-et-un, col·lecció; and numbers: 3.14, 1,000, 10:30, 1'000, 2024-01-15
    CJK          each ideograph or kana by itself (Hangul is spaced and makes runs)
    emoji        each by itself: a ZWJ sequence, a flag, a keycap, with skin tone and selectors
    the rest     punctuation and symbols one by one, but a run of the same one together: ... !! --

White space (what `str.isspace` says) separates words and belongs to none; every other character
belongs to exactly one word, in order. Scripts without spaces other than CJK (Thai, Khmer, Lao)
give a run a phrase. Addresses are not special, unless they are named as literals: `a.b@c.fr` is
`a . b @ c . fr`.

A compound is then cut, ignoring case; `'` stands for U+0027, U+2019 and U+02BC, `-` for the hyphens
U+002D, U+2010 and U+2011:

1. English contractions and possessives, from the right, as in the Penn treebank:
   it 's · we 're · I 'll · I 'd 've · I 'm · do n't · ca n't · wo n't (`cannot` stays whole).
2. French and Italian elisions, from the left: c' d' j' l' m' n' s' t' qu' jusqu' lorsqu' puisqu'
   quoiqu' · dell' nell' all' sull' dall' coll' un' quest' quell'. So d' you, s' il, c' qu' il, and
   l' 11; but O'Neill, o'clock, y'all, quelqu'un, presqu'île, aujourd'hui stay whole.
3. French clitics behind a verb: cherchez -le · donnez -le -moi · a -t-il · donne -m' en. The whole
   end of the compound must be clitics, the rest one run (or `y-…`, `sous-…`), and the verb's last
   letters must fit the first clitic, as French grammar has it:

       -t-il -t-elle -t-on                    any verb                    a-t-il, sera-t-on
       -t-en -t-y                             va                          va-t-en
       -je                                    -e -é -i -s -x              ai-je, puis-je, veux-je
       -tu                                    -s -x                       as-tu, peux-tu
       -il -elle                              -t -d                       fait-il, prend-elle
       -on                                    vowel or n r s + t, vowel + nd, -erd -ord
       -ils -elles                            -nt                         sont-ils
       -ce                                    -t, sera                    est-ce, sera-ce
       -le -la -les -lui -leur -moi -toi      -e -s -z, va                donne-moi, prends-le
       -nous -vous -m'en -t'en -l'y           -e -s -z, va                allez-vous, va-t'en
       -y -en                                 one -s or -z, va            allons-y, prends-en

   So add-on, carry-on, check-in, Shangri-La, tra-la-la, arc-en-ciel, peut-être, moi-même, celui-ci,
   garde-à-vous stay whole, and so do `rendez-vous` and what follows a preposition (`chez-moi`).
"""

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from attn_cli.types import Word

_APOSTROPHE = "['\u2019\u02bc]"
_HYPHEN = "[-\u2010\u2011]"
#: What may stand once between two runs of a compound: apostrophes, hyphens, U+00B7, U+05F3, U+05F4.
_JOINERS = "'\u2019\u02bc\\-\u2010\u2011\u00b7\u05f3\u05f4"

#: Letters (for Python) that are words by themselves: ideographs, kana, and their iteration marks.
_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u3096\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
_HALF_WIDTH_VOICING = "\uff9e\uff9f"
_REGIONAL = "[\U0001f1e6-\U0001f1ff]"
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
_EMOJI = "[\u2194\u2195\u231a-\u23ff\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff]"

_CONTRACTION = re.compile(
    rf"(?<![{_JOINERS}])(?:n{_APOSTROPHE}t|{_APOSTROPHE}(?:s|re|ll|ve|d|m))\Z", re.IGNORECASE
)
_LONGEST_CONTRACTION = 3

_ELISION = re.compile(
    rf"(?!n{_APOSTROPHE}t\Z)"  # the "n't" of text that is already cut
    rf"(?:[cdjlmnst]|(?:jus|lors|puis|quoi)?qu|(?:de|ne|a|su|da|co|que)ll|un|quest){_APOSTROPHE}",
    re.IGNORECASE,
)

_CLITICS = re.compile(
    rf"""
    (?! (?:chez|entre|sans|dans|apr[eè]s|sous|vers) {_HYPHEN} [^{_JOINERS}]+ \Z
      | rendez {_HYPHEN} vous \Z )
    (?: (?:y|sous) {_HYPHEN} )?
    [^{_JOINERS}]+
    (?P<clitics>
      (?: {_HYPHEN} t (?:{_HYPHEN}|{_APOSTROPHE}) (?:ils?|elles?|on)
        | (?<=va) {_HYPHEN} t {_HYPHEN} (?:en|y)
        | (?<=[eéisx]) {_HYPHEN} je
        | (?<=[sx]) {_HYPHEN} tu
        | (?<=[td]) {_HYPHEN} (?:il|elle)
        | (?: (?<=[aeiouyéèêâîôûnrs]t) | (?<=[aeiouyé]nd) | (?<=[eo]rd) ) {_HYPHEN} on
        | (?<=nt) {_HYPHEN} (?:ils|elles)
        | (?: (?<=t) | (?<=sera) ) {_HYPHEN} ce
        | (?: (?<=[esz]) | (?<=va) ) {_HYPHEN}
          (?: l(?:es?|a) | lui | leur | moi | toi | nous | vous | [mtl]{_APOSTROPHE}(?:en|y) )
        | (?: (?<=[^sz][sz]) | (?<=va) ) {_HYPHEN} (?:en|y)
      ) (?= {_HYPHEN} | \Z )
      (?: {_HYPHEN}
          (?: l(?:es?|a) | lui | leur | moi | toi | nous | vous | en | y
            | [mtl]{_APOSTROPHE}(?:en|y) )
          (?= {_HYPHEN} | \Z )
      )*
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CLITIC = re.compile(
    rf"{_HYPHEN}t(?:{_HYPHEN}|{_APOSTROPHE}(?!en|y))\w+"
    rf"|{_HYPHEN}[mtl]{_APOSTROPHE}|{_HYPHEN}?\w+",
    re.IGNORECASE,
)


def split(raw: str, literals: Sequence[tuple[int, int]] = ()) -> tuple[Word, ...]:
    """The words of `raw`, in order; a text of spaces alone has none.

    Each of the `literals`, ascending spans of it, is one word, and what is glued to it another.
    """
    if literals:
        return _split_around(raw, literals)
    words: list[Word] = []
    add = words.append
    pattern = _everyday_pattern() if _EVERYDAY.fullmatch(raw) else _pattern()
    for match in pattern.finditer(raw):
        text, start = match.group(), match.start()
        if _COMPOUND.match(text):
            parts = _known_parts(text) if len(text) <= _LONGEST_KNOWN else _parts(text)
            for first, last in parts:
                add(Word(text[first:last], start + first, start + last))
        else:
            add(Word(text, start, match.end()))
    return tuple(words)


def _split_around(raw: str, literals: Sequence[tuple[int, int]]) -> tuple[Word, ...]:
    """The words of a text whose literals are read as digits, then cut where literals begin and
    end: so d'1,250 and 2019's are cut as everyday words are."""
    digits: list[str] = []
    place = 0  # in the text with digits
    spans: list[tuple[int, int, int]] = []  # where the digit is, and the literal in `raw`
    end = 0
    for first, last in literals:
        digits += [raw[end:first], "0"]
        place += first - end
        spans.append((place, first, last))
        place += 1
        end = last
    digits.append(raw[end:])
    words: list[Word] = []
    following = iter(spans)
    digit, first, last = next(following)
    shift = 0  # from the text with digits to `raw`, behind the last literal
    for word in split("".join(digits)):
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


def surface_forms(words: Iterable[Word]) -> list[str]:
    """Each word's text, with a space in front unless it is glued to the word before it.

    The first word has a space too, so that a word is spelt alike wherever it stands in a sentence.
    `words` are those of one text, as `split` gives them: only white space lies between two of them.
    """
    spelt: list[str] = []
    end = -1
    for word in words:
        spelt.append(word.text if word.start == end else " " + word.text)
        end = word.end
    return spelt


def _parts(compound: str) -> tuple[tuple[int, int], ...]:
    """Where a compound's words are: half-open spans that tile it."""
    first, last = 0, len(compound)
    head: list[tuple[int, int]] = []
    tail: list[tuple[int, int]] = []
    while True:
        near_end = max(first + 1, last - _LONGEST_CONTRACTION)
        found = _CONTRACTION.search(compound, near_end, last)
        if not found:
            break
        tail.append((found.start(), last))
        last = found.start()
    while found := _ELISION.match(compound, first, last):
        if found.end() == last:
            break
        head.append((first, found.end()))
        first = found.end()
    if found := _CLITICS.fullmatch(compound, first, last):
        start = found.start("clitics")
        middle = [clitic.span() for clitic in _CLITIC.finditer(compound, start, last)]
        head += [(first, start), *middle]
    else:
        head.append((first, last))
    return (*head, *reversed(tail))


#: Compounds recur; the cache is bounded in entries and, by the longest one kept, in memory.
_known_parts = functools.lru_cache(maxsize=1 << 14)(_parts)
_LONGEST_KNOWN = 64


#: A word that begins as a run does and has a joiner in it, as nothing but a compound has.
_COMPOUND = re.compile(f"[^{_JOINERS}][^{_JOINERS}]*+[{_JOINERS}]")

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
    run = f"(?:{_LETTER}++{_SOFT_HYPHEN}*+)++"
    return re.compile(rf"{_run_of_words(run, _LETTER)}|(\S)\1*+{_SOFT_HYPHEN}*+")


@functools.cache
def _pattern() -> re.Pattern[str]:
    """The expression that finds words in any text.

    Compiled when first used, since Python's `re` knows no class of marks and the Unicode tables
    have to be asked for one.
    """
    asked = itertools.chain.from_iterable(itertools.starmap(range, _BLOCKS_WITH_FOLLOWERS))
    return _expression("".join(_ranges(filter(_follows, asked))))


def _expression(followers: str) -> re.Pattern[str]:
    """The one expression that finds words.

    `followers` is what a class of characters that follow others holds. Quantifiers are possessive
    (`++`), so a hostile line costs no more than any other line of its length. No group captures
    within one: Python 3.11 loses count of it then ("0'0.0").
    """
    letter = rf"[^\W_{_CJK}\u02bc]"
    follower = f"[{followers}]"
    run = f"(?:{letter}++{follower}*+)++"
    emoji_tail = rf"(?:{follower}|[{_SKIN_TONES}])*+"
    return re.compile(
        rf"[0-9#*]\ufe0f?\u20e3{follower}*+"
        rf"|{_run_of_words(run, letter)}"
        rf"|[{_CJK}](?:{follower}|[{_HALF_WIDTH_VOICING}])*+"
        rf"|{_REGIONAL}{{2}}{follower}*+"
        rf"|{_EMOJI}{emoji_tail}(?:(?<=\u200d){_EMOJI}{emoji_tail})*+"
        rf"|(\S)\1*+{follower}*+"
    )


def _run_of_words(run: str, letter: str) -> str:
    """Match runs of letters joined by apostrophes, hyphens, or the points of a number."""
    number = r"(?<=\d)[.,:\u066b\u066c](?=\d)"
    return rf"{run}(?:(?:[{_JOINERS}](?={letter})|{number}){run})*+"


def _follows(code: int) -> bool:
    """Whether a character belongs to whatever it follows: marks, and format characters.

    Not the zero-width space and the byte order mark, which do separate what is around them.
    """
    return unicodedata.category(chr(code)) in _FOLLOWING and code not in (0x200B, 0xFEFF)


_FOLLOWING = frozenset({"Mn", "Mc", "Me", "Cf"})
#: All of Unicode but the large blocks that have no such character.
_BLOCKS_WITH_FOLLOWERS = ((0xAD, 0x3100), (0xA600, 0xAC00), (0xFB00, 0x1F000), (0xE0000, 0xE0200))


def _ranges(codes: Iterable[int]) -> Iterator[str]:
    """Ascending code points as the ranges of a character class."""
    first = last = -2
    for code in codes:
        if code != last + 1:
            if first >= 0:
                yield f"{chr(first)}-{chr(last)}"
            first = code
        last = code
    if first >= 0:
        yield f"{chr(first)}-{chr(last)}"
