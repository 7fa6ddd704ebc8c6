r"""Find literals: numbers, addresses, code and emoji in one line of text.

    figures  1,250 · 12.5% · $12.50 · -5 · 10:30 · 3:30 pm · 2024-01-15 · 3-1 · 1/2 · 06 12 34 56 78
    others   https://a.b/c · a@b.fr · example.com · @name · #tag · `code` · {name} · %s · <b> ·
             /etc/hosts · notes.txt · COVID-19 · MP3 · my_name · emoji

A figure is the digits and the marks between them; letters behind it are a word of its line (19 th,
25 kg), and a currency sign before a word of scale is too ($ 5 million). `1,250` is an
English number, `1 250` a French one; an ambiguous figure (dates, versions, telephone numbers,
`1.250` in French) is copied unchanged. Expressions are compiled at first use.
"""

import functools
import re
from typing import NamedTuple

from attn_cli.data import day_times
from attn_cli.data.day_times import SPACES, DayTimeFormat

_NBSP = "\u00a0"


class LiteralSpan(NamedTuple):
    """A span of a line that is copied; two literals of the same meaning have the same `key`."""

    start: int
    end: int
    key: str
    is_figure: bool


class NumberStyle(NamedTuple):
    """The format of numbers in a language: the marks of decimals and thousands, the text before
    a percent sign, whether a currency sign follows its number, and how times of day are written,
    None if their figures are found alone."""

    decimal: str
    group: str
    before_percent: str
    sign_follows: bool
    day_times: DayTimeFormat | None = None


STYLES = {
    "en": NumberStyle(".", ",", "", False, day_times.ENGLISH),
    "fr": NumberStyle(",", _NBSP, _NBSP, True, day_times.FRENCH),
    "de": NumberStyle(",", ".", _NBSP, True),
    "es": NumberStyle(",", ".", _NBSP, True),
    "it": NumberStyle(",", ".", "", True),
    "pt": NumberStyle(",", ".", "", True),
}


def find(raw: str, style: NumberStyle | None) -> list[LiteralSpan]:
    """Return the literals of a line in order; its language has that style of numbers."""
    if not compiled(_MAY_HOLD).search(raw):
        return []
    literals: list[LiteralSpan] = []
    if compiled(_HINTS).search(raw):
        literals = [
            LiteralSpan(*span, raw[span[0] : span[1]], False)
            for match in compiled(_OTHER, re.VERBOSE | re.IGNORECASE).finditer(raw)
            if (span := _trim(raw, match))
        ]
    if not compiled(DIGIT_PATTERN).search(raw):
        return literals
    start = 0
    for literal in [*literals, LiteralSpan(len(raw), len(raw), "", False)]:
        literals += _figures(raw, start, literal.start, style)
        start = literal.end
    return sorted(literals)


def _trim(raw: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Return the span of a literal without the marks that end its sentence."""
    start, end = match.span()
    if match.lastgroup == "address":
        text = match.group()
        unopened = {mark: text.count(mark) - text.count(_BRACKETS[mark]) for mark in _BRACKETS}
        while end > start:
            mark = raw[end - 1]
            if unopened.get(mark, 0) > 0:
                unopened[mark] -= 1
            elif mark not in _SENTENCE_MARKS:
                break
            end -= 1
    return (start, end) if end > start else None


_BRACKETS = {")": "(", "]": "[", "}": "{"}
_SENTENCE_MARKS = ".,;:!?'\"»”’…"


def _figures(raw: str, start: int, end: int, style: NumberStyle | None) -> list[LiteralSpan]:
    """Return the figures, and the words with digits, between two positions of a line."""
    figures = []
    for match in compiled(_FIGURE, re.VERBOSE).finditer(raw, start, end):
        first, last = match.span()
        if match["word"] is not None:
            figures.append(LiteralSpan(first, last, match.group(), False))
            continue
        if style is not None and style.day_times is not None:
            last = style.day_times.end(raw, first, last, end)
        figures.append(LiteralSpan(first, last, _key(raw[first:last], style), True))
    return figures


def _key(text: str, style: NumberStyle | None) -> str:
    """Return the value of a figure in a form that is the same in every language."""
    if style is None:
        return text
    parts = _parts(text, style)
    if parts is None:
        if style.day_times is not None and (day_time := style.day_times.read(text)):
            return day_times.ENGLISH.write(day_time)
        time = compiled(_TIME).fullmatch(text)
        plain = f"{time[1]}:{time[2]}" if time else text
        return plain.translate(_PLAIN_MARKS)
    return f"{parts.sign}{parts.currency}{parts.whole}.{parts.fraction}{parts.percent}"


class _Number(NamedTuple):
    """The parts of a number: texts, empty for a part that is missing."""

    sign: str
    currency: str
    whole: str
    fraction: str
    percent: str
    is_grouped: bool


def _parts(text: str, style: NumberStyle) -> _Number | None:
    """Return the parts of a number written in this style; None for any other text."""
    match = _number_pattern(style).fullmatch(text)
    if match is None:
        return None
    whole = re.sub(r"\D", "", match["whole"])
    if (before := match["before"]) and match["after"]:
        return None
    return _Number(
        (match["sign"] or "").translate(_PLAIN_MARKS),
        before or match["after"] or "",
        whole,
        match["fraction"] or "",
        match["percent"] or "",
        is_grouped=whole != match["whole"],
    )


def rewrite_number(text: str, source: NumberStyle, target: NumberStyle) -> str:
    """Return a number, price or time of one style as the other writes it; else the text itself."""
    parts = _parts(text, source)
    if parts is None:
        day_time = source.day_times.read(text) if source.day_times else None
        if day_time and target.day_times:
            return target.day_times.write(day_time)
        time = compiled(_TIME).fullmatch(text)
        return f"{time[1]}:{time[2]}" if time and target.decimal == "." else text
    whole = parts.whole
    if parts.is_grouped:  # not by int(), which refuses more than 4,300 digits
        first = len(whole) % 3
        groups = [whole[:first]] if first else []
        groups += [whole[place : place + 3] for place in range(first, len(whole), 3)]
        whole = target.group.join(groups)
    number = whole + (target.decimal + parts.fraction if parts.fraction else "")
    if parts.percent:
        number += target.before_percent + parts.percent
    if not parts.currency:
        return parts.sign + number
    if target.sign_follows:
        return f"{parts.sign}{number}{_NBSP}{parts.currency}"
    return f"{parts.sign}{parts.currency}{number}"


_ODD_DIGIT = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2089\u2150-\u218b\u2460-\u249b"  # ² ½ ①
_ODD = "\u2194-\u2bff\ufdd0-\ufdef\ufe0f\u20e3\U00010000-\U0010ffff"  # where emoji are
#: A digit in any script, and the like of ² and ½.
DIGIT_PATTERN = rf"[\d{_ODD_DIGIT}]"

#: A line without any of these has no literal.
_MAY_HOLD = (
    rf"[0-9@#`{{%<\\_/&~{_ODD_DIGIT}\u0660-\u1fff\ua620-\uabff{_ODD}\uff10-\uff19]"
    r"|\.[a-zA-Z]|[:;][-()DP]"
)

#: Only a line with one of these is searched for literals that are no figures.
_HINTS = rf"[@#`{{%<\\_&~{_ODD}]|//|/\w|\.[a-zA-Z]|[:;]-?[()DP]"

NAME_PATTERN = r"(?<![\w'’@#.-])[^\W\d_a-z][^\W\d_A-Z]{2,}(?![\w@])"

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
  | (?:{_FLAG}|{_EMOJI}){_TAIL} (?>(?:\ ?(?:{_FLAG}|{_EMOJI}){_TAIL})*)
  | (?<!\S)[:;]-?[()DP](?!\S)
  | [\ufdd0-\ufdef]+
  | (?<![\w'’-])\w*[^\W_]_+(?:\w*[^\W_])?(?!\w) | (?<!\w)_+[^\W_]\w*
"""

#: Letters behind a figure that are a word of the line: ordinals, decades, units.
_SUFFIX = r"(?:[^\W\dA-Z_]{1,4}|[AP]M|[CKF]|k?Wh?|[km]?Hz|[km]?V|[kmc]?L|m?Ah?)(?!\w)"
_SCALE = (
    r"(?:[^\W\d_]|[\s-]?(?:thousand|hundred|million|billion|trillion|bn"
    r"|mille|millier|milliard|mio|mrd|tausend)s?)"
)
_SPACE = f"[ {SPACES}]"
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
    [+(]?\d{{1,4}}\)? (?:[ .{SPACES}-]\(?\d{{2,4}}\)?){{3,}} (?!\w)
  | (?:(?<![\w.,)\]}}%'’-])[-−+±])?
    (?P<currency>[$€£¥₹](?={_SPACE}?(?:{_GROUPED}|{_RUN})(?!{_SCALE})){_SPACE}?)?
    (?: {_CLOCK} | {_GROUPED} | {_RUN} )
    (?(currency) | (?: {_SPACE}?(?:[%‰](?!\w) | [$€£¥₹](?!\w)) )?)
  | [{_ODD_DIGIT}]+
"""
_PLAIN_MARKS = str.maketrans("\u2010\u2011\u2013\u2212\u2019\u00a0\u202f\u2009", "----'   ")
_TIME = rf"(\d{{1,2}})(?:[hH]|{_SPACE}[hH]{_SPACE})(\d{{2}})"


@functools.cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile an expression once, when it is first needed."""
    return re.compile(pattern, flags)


@functools.cache
def _number_pattern(style: NumberStyle) -> re.Pattern[str]:
    """Return the expression of a number in this style, with a currency or percent sign."""
    groups = [rf"[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+"]
    if style.group in ".,":
        groups.append(rf"[1-9]\d{{0,2}}(?:[{style.group}]\d{{3}})+")
    return re.compile(
        rf"(?P<sign>[-−+±]?)(?:(?P<before>[$€£¥₹]){_SPACE}?)?"
        rf"(?P<whole>{'|'.join(groups)}|\d+)(?:[{style.decimal}](?P<fraction>\d+))?"
        rf"(?:{_SPACE}?(?P<percent>[%‰])|{_SPACE}?(?P<after>[$€£¥₹]))?",
        re.ASCII,
    )
