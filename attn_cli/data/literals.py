r"""Numbers, addresses, code and emoji: what is copied and not translated.

Knows text and two languages; no vocabulary. A *literal* is a span of a line. Before a line is
translated each literal becomes a numbered placeholder, and afterwards it is put back, numbers in
the target language's way. Two sorts have placeholders of their own, since a figure and a name stand
in different company: `N_FIGURES` and `N_OTHERS`.

    figures  1,250 · 12.5% · $12.50 · -5 · 10:30 · 2024-01-15 · 3-1 · 1/2 · 06 12 34 56 78
    others   https://a.b/c · a@b.fr · example.com · @name · #tag · `code` · {name} · %s · <b> ·
             /etc/hosts · notes.txt · COVID-19 · MP3 · my_name · emoji

A figure is the digits and the marks between them; letters behind it are a word of its line (19 th,
25 kg), and a currency sign before a word of scale is too ($ 5 million). In a number's own way
`1,250` is English, `1 250` French; what is not certain (dates, versions, telephones, `1.250` in
French) is copied as it is. Expressions are compiled when the first line needs one.
"""

import functools
import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from attn_cli.config import Recipe

#: Placeholders of a line: figures first, then others.
N_FIGURES, N_OTHERS = 10, 6
N_PLACEHOLDERS = N_FIGURES + N_OTHERS

#: One pair in so many that share a name has it replaced, so that names are learnt as literals too.
NAME_INTERVAL = 8

_NBSP = "\u00a0"
_SPACES = "\u00a0\u202f\u2009"  # in figures, beside the plain space


class LiteralSpan(NamedTuple):
    """A span of a line that is copied; `key` is equal for two literals that say the same."""

    start: int
    end: int
    key: str
    is_figure: bool


class NumberStyle(NamedTuple):
    """How a language writes numbers: marks of decimals and thousands, what precedes %, and whether
    a currency sign follows its number."""

    decimal: str
    group: str
    before_percent: str
    sign_follows: bool


_STYLES = {
    "en": NumberStyle(".", ",", "", False),
    "fr": NumberStyle(",", _NBSP, _NBSP, True),
    "de": NumberStyle(",", ".", _NBSP, True),
    "es": NumberStyle(",", ".", _NBSP, True),
    "it": NumberStyle(",", ".", "", True),
    "pt": NumberStyle(",", ".", "", True),
}


@dataclass(frozen=True)
class LiteralRules:
    """The literals of a source and a target language, given as in "en" and "fr-CA".

    Numbers of a language that is not known are copied as they are.
    """

    source: str = ""
    target: str = ""

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> "LiteralRules | None":
        """Those of a recipe's languages, None where it copies none."""
        return cls(recipe.source, recipe.target) if recipe.tokenizer.literals else None

    def find(self, raw: str) -> list[LiteralSpan]:
        """The literals of a source line, in order; no two overlap."""
        return find(raw, self._styles[0])

    def find_in_target(self, raw: str) -> list[LiteralSpan]:
        """The literals of a target line."""
        return find(raw, self._styles[1])

    def rewrite(self, text: str, *, is_figure: bool) -> str:
        """A literal of a source line as the target language writes it."""
        source, target = self._styles
        if not is_figure or source is None or target is None or source == target:
            return text
        return _rewritten(text, source, target)

    def match(
        self, source: str, target: str
    ) -> tuple[list["NumberedLiteral"], list["NumberedLiteral"]]:
        """The literals that both lines have, each with the number of its placeholder, in order.

        One that occurs on one side more often than on the other is no match.
        """
        ours = self.find(source)
        theirs = self.find_in_target(target) if ours else []
        return _matched(ours, theirs, chance=None)

    def match_for_training(
        self, source: str, target: str
    ) -> tuple[list["NumberedLiteral"], list["NumberedLiteral"]]:
        """The same for a pair to learn from.

        The numbers are drawn by the text itself, from all that there are, and in some pairs a name
        of both sides is a literal.
        """
        ours = self.find(source)
        chance = zlib.crc32(source.encode("utf-8", "surrogatepass"))
        takes_name = chance % NAME_INTERVAL == 0
        if not (ours or takes_name):
            return [], []
        theirs = self.find_in_target(target)
        if takes_name and (names := _shared_name(source, target, ours, theirs)):
            ours, theirs = sorted([*ours, names[0]]), sorted([*theirs, names[1]])
        return _matched(ours, theirs, chance=chance // NAME_INTERVAL)

    @functools.cached_property
    def _styles(self) -> tuple[NumberStyle | None, NumberStyle | None]:
        source, target = (
            _STYLES.get(re.split("[-_]", name.lower())[0]) for name in (self.source, self.target)
        )
        return (source, target) if source and target else (None, None)


class NumberedLiteral(NamedTuple):
    """A literal of a line and the number of its placeholder."""

    start: int
    end: int
    number: int


_MARK = "\t"  # in no form of a word, for white space separates words


def add_mark(form: str, number: int) -> str:
    """The form of a literal that is learnt as placeholder `number`; the form itself stays in it."""
    space = form[: len(form) - len(form.lstrip(" "))]
    return f"{space}{_MARK}{number:02d}{form[len(space) :]}"


def remove_mark(text: str) -> str:
    """A form, or several in a row, as they were before `add_mark`."""
    return re.sub(r"\t\d\d", "", text, flags=re.ASCII) if _MARK in text else text


def placeholder_number(form: str) -> int | None:
    """The placeholder of a form that `add_mark` gave, None for any other form."""
    if _MARK not in form:
        return None
    mark, digits = form.removeprefix(" ")[:1], form.removeprefix(" ")[1:3]
    if mark != _MARK or not (digits.isascii() and digits.isdecimal() and len(digits) == 2):
        return None
    return int(digits) if int(digits) < N_PLACEHOLDERS else None


def assign_placeholders(literals: Sequence[LiteralSpan]) -> list[NumberedLiteral]:
    """The literals of a line with their placeholders in order, up to the first that finds none."""
    figure, other = iter(range(N_FIGURES)), iter(range(N_FIGURES, N_PLACEHOLDERS))
    placed = []
    for literal in literals:
        number = next(figure if literal.is_figure else other, None)
        if number is None:
            break
        placed.append(NumberedLiteral(literal.start, literal.end, number))
    return placed


def cut_points(raw: str, literals: Sequence[LiteralSpan]) -> list[int]:
    """Where to cut a line, so that each part has placeholders for its literals: at the last mark
    or space before one that finds none."""
    places: list[int] = []
    used = [0, 0]
    end = 0
    for literal in literals:
        if used[literal.is_figure] == (N_FIGURES if literal.is_figure else N_OTHERS):
            between = raw[end : literal.start]
            gaps = [*re.finditer(r"[,;:.!?…]\s+", between)] or [*re.finditer(r"\s+", between)]
            places.append(end + gaps[-1].end() if gaps else literal.start)
            used = [0, 0]
        used[literal.is_figure] += 1
        end = literal.end
    return places


def _shared(ours: Sequence[LiteralSpan], theirs: Sequence[LiteralSpan]) -> Counter[str]:
    """The keys that occur equally often on both sides."""
    mine, other = (Counter(each.key for each in side) for side in (ours, theirs))
    return Counter({key: count for key, count in mine.items() if other[key] == count})


def _matched(
    ours: Sequence[LiteralSpan], theirs: Sequence[LiteralSpan], *, chance: int | None
) -> tuple[list[NumberedLiteral], list[NumberedLiteral]]:
    shared = _shared(ours, theirs)
    if not shared:
        return [], []
    numbers = _numbers(ours, shared, chance)
    return _placed(ours, numbers), _placed(theirs, numbers)


def _numbers(
    ours: Sequence[LiteralSpan], shared: Counter[str], chance: int | None
) -> dict[str, list[int]]:
    """For each key its placeholders, one an occurrence: in order, or drawn by chance, in steps
    from where it says. A key without enough of them left has none.
    """
    numbers: dict[str, list[int]] = {}
    used = [0, 0]
    for literal in ours:
        key, count = literal.key, shared[literal.key]
        first, size = (0, N_FIGURES) if literal.is_figure else (N_FIGURES, N_OTHERS)
        place = 0 if literal.is_figure else 1
        if key in numbers or not count or used[place] + count > size:
            continue
        start, step = 0, 1
        if chance is not None:
            steps = [step for step in range(1, size) if math.gcd(step, size) == 1]
            start, step = chance, steps[chance // size % len(steps)]
        numbers[key] = [first + (start + step * (used[place] + n)) % size for n in range(count)]
        used[place] += count
    return numbers


def _placed(
    literals: Sequence[LiteralSpan], numbers: dict[str, list[int]]
) -> list[NumberedLiteral]:
    left = {key: iter(each) for key, each in numbers.items()}
    return [
        NumberedLiteral(literal.start, literal.end, next(left[literal.key]))
        for literal in literals
        if literal.key in left
    ]


def _shared_name(
    source: str, target: str, ours: Sequence[LiteralSpan], theirs: Sequence[LiteralSpan]
) -> tuple[LiteralSpan, LiteralSpan] | None:
    """The first name that both lines write once, outside of their literals."""
    name = _compiled(_NAME)
    mine, other = Counter(name.findall(source)), Counter(name.findall(target))
    for text, count in mine.items():
        if count == 1 and other[text] == 1:
            places = []
            for raw, literals in ((source, ours), (target, theirs)):
                found = next(each for each in name.finditer(raw) if each.group() == text)
                literal = LiteralSpan(*found.span(), text, False)
                if any(each.start < literal.end and literal.start < each.end for each in literals):
                    break
                places.append(literal)
            else:
                return places[0], places[1]
    return None


# Finding


def find(raw: str, style: NumberStyle | None) -> list[LiteralSpan]:
    """The literals of a line whose language writes numbers in that style, in order."""
    if not _compiled(_MAY_HOLD).search(raw):
        return []
    found: list[LiteralSpan] = []
    if _compiled(_HINTS).search(raw):
        found = [
            LiteralSpan(*span, raw[span[0] : span[1]], False)
            for match in _compiled(_OTHER, re.VERBOSE | re.IGNORECASE).finditer(raw)
            if (span := _trimmed(raw, match))
        ]
    if not _compiled(DIGIT_PATTERN).search(raw):
        return found
    start = 0
    for literal in [*found, LiteralSpan(len(raw), len(raw), "", False)]:
        found += _figures(raw, start, literal.start, style)
        start = literal.end
    return sorted(found)


def _trimmed(raw: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Where a literal is without the marks that end its sentence."""
    start, end = match.span()
    if match.lastgroup == "address":
        while end > start and (raw[end - 1] in ".,;:!?'\"»”’…" or _closes_nothing(raw[start:end])):
            end -= 1
    return (start, end) if end > start else None


def _closes_nothing(text: str) -> bool:
    """Whether a text ends with a bracket that it has not opened."""
    opening = {")": "(", "]": "[", "}": "{"}.get(text[-1])
    return opening is not None and text.count(text[-1]) > text.count(opening)


def _figures(raw: str, start: int, end: int, style: NumberStyle | None) -> list[LiteralSpan]:
    """The figures, and the words with digits in them, between two places of a line."""
    found = []
    for match in _compiled(_FIGURE, re.VERBOSE).finditer(raw, start, end):
        span = match.span()
        text = match.group()
        is_word = match["word"] is not None
        found.append(LiteralSpan(*span, text if is_word else _key(text, style), not is_word))
    return found


def _key(text: str, style: NumberStyle | None) -> str:
    """What a figure says, whatever the language: two that are equal say the same."""
    if style is None:
        return text
    parts = _parts(text, style)
    if parts is None:
        time = _compiled(_TIME).fullmatch(text)
        plain = f"{time[1]}:{time[2]}" if time else text
        return plain.translate(_PLAIN_MARKS)
    return f"{parts.sign}{parts.currency}{parts.whole}.{parts.fraction}{parts.percent}"


class _Number(NamedTuple):
    """A number in parts: all but `is_grouped` are text, empty where there is none."""

    sign: str
    currency: str
    whole: str
    fraction: str
    percent: str
    is_grouped: bool


def _parts(text: str, style: NumberStyle) -> _Number | None:
    """A number in the style's own way; None for what is another, or no number at all."""
    found = _number_pattern(style).fullmatch(text)
    if found is None:
        return None
    whole = re.sub(r"\D", "", found["whole"])
    if (before := found["before"]) and found["after"]:
        return None
    return _Number(
        (found["sign"] or "").translate(_PLAIN_MARKS),
        before or found["after"] or "",
        whole,
        found["fraction"] or "",
        found["percent"] or "",
        is_grouped=whole != found["whole"],
    )


def _rewritten(text: str, source: NumberStyle, target: NumberStyle) -> str:
    parts = _parts(text, source)
    if parts is None:
        time = _compiled(_TIME).fullmatch(text)
        return f"{time[1]}:{time[2]}" if time and target.decimal == "." else text
    whole = parts.whole
    if parts.is_grouped:
        whole = f"{int(whole):,}".replace(",", target.group) if whole.isascii() else text
    number = whole + (target.decimal + parts.fraction if parts.fraction else "")
    if parts.percent:
        number += target.before_percent + parts.percent
    if not parts.currency:
        return parts.sign + number
    if target.sign_follows:
        return f"{parts.sign}{number}{_NBSP}{parts.currency}"
    return f"{parts.sign}{parts.currency}{number}"


# Expressions

_ODD_DIGIT = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2089\u2150-\u218b\u2460-\u249b"  # ² ½ ①
_ODD = "\u2194-\u2bff\ufdd0-\ufdef\ufe0f\u20e3\U00010000-\U0010ffff"  # where emoji are
#: A digit in any script, and the like of ² and ½.
DIGIT_PATTERN = rf"[\d{_ODD_DIGIT}]"

#: What a line without literals has nothing of.
_MAY_HOLD = (
    rf"[0-9@#`{{%<\\_/&~{_ODD_DIGIT}\u0660-\u1fff\ua620-\uabff{_ODD}\uff10-\uff19]"
    r"|\.[a-zA-Z]|[:;][-()DP]"
)

#: What no figure has: only a line with one of them is searched for other literals.
_HINTS = rf"[@#`{{%<\\_&~{_ODD}]|//|/\w|\.[a-zA-Z]|[:;]-?[()DP]"

_NAME = r"(?<![\w'’@#.-])[^\W\d_a-z][^\W\d_A-Z]{2,}(?![\w@])"

_EMOJI = (
    "[\u2194-\u21aa\u231a-\u23ff\u25aa-\u25fe\u2600-\u27bf\u2934-\u2935\u2b05-\u2b55"
    "\U0001f000-\U0001faff]"
)
_TAIL = "[\ufe0e\ufe0f\u200d\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*+"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_DOMAINS = (
    "com|org|net|edu|gov|int|info|biz|io|dev|app|ai|eu|fr|de|uk|us|ca|be|ch|es|it|nl|ru|jp|cn|in"
    "|au|br|tv|me|co"
)
_FILES = (
    "txt|md|rst|pdf|docx?|xlsx?|pptx?|odt|ods|csv|tsv|json|jsonl|xml|ya?ml|toml|ini|cfg|conf|log"
    "|html?|css|js|ts|jsx|tsx|py|ipynb|c|cc|cpp|h|hpp|rs|go|java|rb|php|sh|bat|exe|dll|so|zip|tar"
    "|gz|bz2|xz|7z|rar|png|jpe?g|gif|svg|webp|mp3|mp4|wav|avi|mkv|mov|sql|db|tex|bib|onnx|iso|deb"
    "|rpm"
)

_OTHER = rf"""
    ``[^\t\n]+?`` | `[^`\t\n]+`
  | (?P<address>
        (?:https?|ftp|file)://[^\s<>"«»“”`]+ | mailto:[^\s<>"«»]+
      | (?<![\w@.-])www\.[^\s<>"«»“”`]+
      | (?<![\w@./-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{_DOMAINS})\b(?![\w@-]|\.[a-z])
        (?:[/:?\#][^\s<>"«»“”`]*)?
      | (?<![\w./\\])(?:~|\.{{1,2}})/[^\s<>"«»“”`|]*
      | (?<![\w./\\<])(?:/[\w.@+%=-]+){{2,}}/?
      | (?<!\w)[a-z]:\\[^\s<>"|?*«»]*
      | (?<![\w./@\\-])(?:[\w-]+[/\\])*[\w-]+(?:\.[\w-]+)*\.(?:{_FILES})(?![\w/\\])
    )
  | (?<![\w.+-])[\w.+-]*\w@\w[\w-]*(?:\.[\w-]+)*\.\w[\w-]*
  | \{{\{{[^{{}}\n\t]*\}}\}} | [$\#]?\{{[\w.:!,\ \[\]'"|-]*\}}
  | %\(\w+\)[-+\#0\ ]*\d*(?:\.\d+)?[a-z]
  | (?<![\w%])%(?:\d+\$)?[-+\#0]*\d*(?:\.\d+)?[sdifgxuc@](?!\w)
  | </?[a-z][^<>\n\t]{{0,200}}> | &(?:[a-z]\w*|\#\w+);
  | (?<![\w@.])@\w(?:[\w.-]*\w)? | (?<![\w#&])\#\w(?:[\w-]*\w)?
  | [0-9#*]\ufe0f?\u20e3{_TAIL}
  | (?:{_FLAG}|{_EMOJI}){_TAIL} (?:\ ?(?:{_FLAG}|{_EMOJI}){_TAIL})*+
  | (?<!\S)[:;]-?[()DP](?!\S)
  | [\ufdd0-\ufdef]+
  | (?<![\w'’-])\w*[^\W_]_+(?:\w*[^\W_])?(?!\w) | (?<!\w)_+[^\W_]\w*
"""

#: Letters that may hang on a figure and are a word of the line: ordinals, decades, units.
_SUFFIX = r"(?:[^\W\dA-Z_]{1,4}|[CKF]|k?Wh?|[km]?Hz|[km]?V|[kmc]?L|m?Ah?)(?!\w)"
_SCALE = (
    r"(?:[^\W\d_]|[\s-]?(?:thousand|hundred|million|billion|trillion|bn"
    r"|mille|millier|milliard|mio|mrd|tausend)s?)"
)
_SPACE = f"[ {_SPACES}]"
_RUN = r"\d+(?:[.,:/'’×٫٬‐‑–−-]\d+)*"
_GROUPED = rf"\d{{1,3}}(?:{_SPACE}\d{{3}}(?!\d))+(?:[.,]\d+)?"
_CLOCK = rf"\d{{1,2}}(?:[hH]|{_SPACE}[hH]{_SPACE})\d{{2}}(?!\w)"

_FIGURE = rf"""
    (?P<word> (?<!\w) (?!{_CLOCK})
        (?: (?!\d+{_SUFFIX}) (?=\w*[^\W\d_]) (?=\w*\d) \w+(?:\.\d+)*
          | (?=\w*[{_ODD_DIGIT}]) \w+
          | (?<![-–‑/.])[^\W\d_a-z][^\W\d_]*(?:[-–‑/.][^\W_]+)*
            [-–‑][^\W_]*\d[^\W_]*(?:[-–‑.][^\W_]+)* ) )
  | (?<!\w) (?!{_GROUPED}(?![ .-]?\d))
    [+(]?\d{{1,4}}\)? (?:[ .{_SPACES}-]\(?\d{{2,4}}\)?){{3,}} (?!\w)
  | (?:(?<![\w.,)\]}}%'’-])[-−+±])?
    (?P<currency>[$€£¥₹](?={_SPACE}?(?:{_GROUPED}|{_RUN})(?!{_SCALE})){_SPACE}?)?
    (?: {_CLOCK} | {_GROUPED} | {_RUN} )
    (?(currency) | (?: {_SPACE}?(?:[%‰](?!\w) | [$€£¥₹](?!\w)) )?)
  | [{_ODD_DIGIT}]+
"""
_PLAIN_MARKS = str.maketrans("\u2010\u2011\u2013\u2212\u2019\u00a0\u202f\u2009", "----'   ")
_TIME = rf"(\d{{1,2}})(?:[hH]|{_SPACE}[hH]{_SPACE})(\d{{2}})"


@functools.cache
def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, flags)


@functools.cache
def _number_pattern(style: NumberStyle) -> re.Pattern[str]:
    """The expression of one number in that style, with a currency sign or a percent sign."""
    groups = [rf"[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+"]
    if style.group in ".,":
        groups.append(rf"[1-9]\d{{0,2}}(?:[{style.group}]\d{{3}})+")
    return re.compile(
        rf"(?P<sign>[-−+±]?)(?:(?P<before>[$€£¥₹]){_SPACE}?)?"
        rf"(?P<whole>{'|'.join(groups)}|\d+)(?:[{style.decimal}](?P<fraction>\d+))?"
        rf"(?:{_SPACE}?(?P<percent>[%‰])|{_SPACE}?(?P<after>[$€£¥₹]))?",
        re.ASCII,
    )
