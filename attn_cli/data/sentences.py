r"""Split raw text into sentences, each a span, so that a paragraph is translated by sentences.

One function serves all languages. In doubt it does not cut, since half a sentence is translated
worse than two at once.

A sentence ends behind a run of marks, `. ! ? … 。 ！ ？` and those of Arabic, Urdu and Hindi, with
the closing quotes and brackets that touch it, and a French » after a space. White space must
follow, and then one of

    a letter, not lower case    He left. She stayed.   مرحبا. أهلا   not: Oh! he said
    a digit                     It rained. 300 came.
    an opening mark             " ' “ ‘ „ « » ( [ { ¿ ¡ and those of other scripts

Behind 。 ！ ？ and ｡ no white space is needed: 我爱你。你呢？ is two sentences. Behind a closing
quote it is, since the sentence may continue there: 「行く？」と言った。

A single full stop ends nothing

1. behind an abbreviation: Mr. Mrs. Dr. Prof. St. Mme. Mlle. · e.g. i.e. etc. vs. cf.; and before a
   digit No. p. pp. fig. vol. and the like, which elsewhere may be words (She said no. I went.);
2. behind a single letter, be it an initial or the last of letters with stops: J. Smith, M. Dupont,
   U.S. Army, 5 p.m. Monday (so `and I. You` is not cut either);
3. behind a number of one or two digits, as in a list or a German date: 1. Milk, der 3. Mai.

A stop inside a word or a number (3.14, a.b@c.fr) has no white space behind it. Text without a
letter or a digit (`. . .`) is no sentence: it belongs to the next one, or at the end to the last.
But the mark of a list item, a heading or a quotation, at the start of the line and with white space
behind it, has its own span: - Milk, ## Contents, > He left.
"""

import re

_MARKS = ".!?…。！？｡؟۔।॥"
_UNSPACED = "。！？｡"
_CLOSING = "\"'”’“‘»›«‹)\\]}」』）】》〉〕］｝"
_OPENING = frozenset("\"'“‘„‚«»‹›([{¿¡「『（【《〈〔［｛")

#: Marks, closing quotes behind them, and white space. Possessive: linear in the line's length.
_END = re.compile(rf"[{_MARKS}]++[{_CLOSING}]*+(?:\s[»›](?=\s|\Z))?(?P<space>\s*+)")
#: Marks of Markdown and bullets.
_ITEM_MARKS = "[#>*+•‣◦▪–—-]++"
_ITEM = re.compile(rf"(?P<mark>{_ITEM_MARKS}(?>(?:\s++{_ITEM_MARKS})*))\s++")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")

#: Letters, digits and stops before a full stop; `joined` if an apostrophe, hyphen or the like joins
#: them to another word or number, as the ends of isn't, allez-y and 8:30.
_BEFORE = re.compile(r"(?<![\w.])(?P<joined>(?<=\w['’ʼ\-‐‑:,/]))?[\w.]+\Z")
_LONGEST_ABBREVIATION = 12

#: Abbreviations before a name, with a capital. These expressions are compiled at first use.
_TITLE = (
    "mrs?|ms|mx|drs?|prof|ste?|mt|ft|messrs|mgr|rev|hon|gen|col|maj|capt|cpt|lt|sgt|cpl|gov|sen|rep"
    "|pres|supt|mm|mmes?|mlles?|vve|sra?|srta|dña|hr|ing|jr|inc|ltd|co|corp|bros"
)
#: Abbreviations before any word.
_SHORT = "etc|vs|cf|viz|al|ca|approx|resp|incl|excl|env|bzw|usw|bspw|evtl|ggf|vgl"
#: Abbreviations before a number; without one they may be words.
_NUMBERED = (
    "nos?|nr|pp|pg|figs?|vols?|arts?|chap|ch|sect?|eqs?|ex|tab|ver|ext|t[eé]l|apt"
    "|jan|feb|févr?|apr|avr|jul|juil|aug|sept?|oct|okt|nov|d[eé]c|dez"
)


def split(raw: str) -> tuple[tuple[int, int], ...]:
    """Return the (start, end) of each sentence of `raw`, in order; () for white space alone.

    The spans cover the text except white space before, between and behind them. Each has a letter
    or a digit, unless it is the mark of an item or the whole text has none.
    """
    spans: list[tuple[int, int]] = []
    start = len(raw) - len(raw.lstrip())
    letter = _next_letter(raw, start)
    item = _ITEM.match(raw, start)
    if item and letter < len(raw):
        spans.append(item.span("mark"))
        start = item.end()
    for end in _END.finditer(raw):
        if letter < end.start() and _begins(raw, end) and not _is_abbreviation(raw, end):
            spans.append((start, end.start("space")))
            start = end.end()
            letter = _next_letter(raw, start)
    last = len(raw.rstrip())
    if spans and letter == len(raw):  # punctuation alone
        start, _ = spans.pop()
    if start < last:
        spans.append((start, last))
    return tuple(spans)


def _next_letter(raw: str, start: int) -> int:
    """Return the index of the first letter or digit from `start` on, else the text's length."""
    letter = _LETTER_OR_DIGIT.search(raw, start)
    return letter.start() if letter else len(raw)


def _begins(raw: str, end: re.Match[str]) -> bool:
    """Return whether a sentence may begin behind the `end` of another."""
    following = raw[end.end() : end.end() + 1]
    if end["space"]:
        return following in _OPENING or (following.isalnum() and not following.islower())
    return end.group()[-1] in _UNSPACED and (following in _OPENING or following.isalnum())


def _is_abbreviation(raw: str, end: re.Match[str]) -> bool:
    """Return whether a full stop belongs to an abbreviation, an initial or a number."""
    if not end.group().startswith(".") or end.group().startswith(".."):
        return False
    token = _BEFORE.search(raw, max(0, end.start() - _LONGEST_ABBREVIATION), end.start())
    if token is None:
        return False
    before = token.group()
    last = before.rpartition(".")[2]
    if last.isdecimal():
        return len(before) <= 2 and token["joined"] is None
    return bool(
        (len(last) == 1 and last.isalpha() and token["joined"] is None)
        or (last[:1].isupper() and re.fullmatch(_TITLE, last, re.IGNORECASE))
        or re.fullmatch(_SHORT, last, re.IGNORECASE)
        or (raw[end.end()].isdigit() and re.fullmatch(_NUMBERED, last, re.IGNORECASE))
    )
