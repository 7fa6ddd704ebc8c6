r"""Raw text → its sentences, each as a span: where a paragraph may be cut for translation.

One function serves all languages. In doubt it does not cut, since half a sentence is translated
worse than two at once.

A sentence ends behind a run of marks, `. ! ? … 。 ！ ？` and those of Arabic, Urdu and Hindi, with
the closing quotes and brackets that touch it, and a » that French sets apart by a space. White
space has to follow, and then one of

    a letter that is not small    He left. She stayed.   مرحبا. أهلا     but not: Oh! he said
    a digit                       It rained. 300 came.
    what opens                    " ' “ ‘ „ « » ( [ { ¿ ¡ and their kin of other scripts

Behind 。 ！ ？ and ｡ themselves no white space is needed: 我爱你。你呢？ is two sentences. Behind a
closing quote it is, for there the sentence may go on: 「行く？」と言った。

A single full stop ends nothing

1. behind an abbreviation: Mr. Mrs. Dr. Prof. St. Mme. Mlle. · e.g. i.e. etc. vs. cf.; and before a
   digit No. p. pp. fig. vol. and the like, which elsewhere may be words (She said no. I went.);
2. behind a single letter, be it an initial or the last of letters with stops: J. Smith, M. Dupont,
   U.S. Army, 5 p.m. Monday (so `and I. You` is not cut either);
3. behind a number of one or two digits, as in a list or a German date: 1. Milk, der 3. Mai.

A stop inside a word or a number (3.14, a.b@c.fr) has no white space behind it. What holds no letter
and no digit (`. . .`) is no sentence: it belongs to the next one, or at the end to the last.
"""

import re

_MARKS = ".!?…。！？｡؟۔।॥"
_UNSPACED = "。！？｡"
_CLOSING = "\"'”’“‘»›«‹)\\]}」』）】》〉〕］｝"
_OPENING = frozenset("\"'“‘„‚«»‹›([{¿¡「『（【《〈〔［｛")

#: Marks, what closes behind them, and the white space that follows. Possessive: linear in the line.
_END = re.compile(rf"[{_MARKS}]++[{_CLOSING}]*+(?:\s[»›](?=\s|\Z))?(?P<space>\s*+)")
_SAYS_SOMETHING = re.compile(r"[^\W_]")

#: What stands before a full stop, as far as it matters: letters, digits and the stops among them;
#: and whether it hangs on another word or number, as the ends of isn't, allez-y and 8:30 do.
_BEFORE = re.compile(r"(?<![\w.])(?P<hangs>(?<=\w['’ʼ\-‐‑:,/]))?[\w.]+\Z")
_LONGEST_KNOWN = 12

#: What goes with a name, and so begins with a capital.
_TITLE = re.compile(
    "mrs?|ms|mx|drs?|prof|ste?|mt|ft|messrs|mgr|rev|hon|gen|col|maj|capt|cpt|lt|sgt|cpl|gov|sen|rep"
    "|pres|supt|mm|mmes?|mlles?|vve|sra?|srta|dña|hr|ing|jr|inc|ltd|co|corp|bros",
    re.IGNORECASE,
)
#: What anything may follow.
_SHORT = re.compile(
    "etc|vs|cf|viz|al|ca|approx|resp|incl|excl|env|bzw|usw|bspw|evtl|ggf|vgl", re.IGNORECASE
)
#: What may be a word, or an end, unless a number follows.
_NUMBERED = re.compile(
    "nos?|nr|pp|pg|figs?|vols?|arts?|chap|ch|sect?|eqs?|ex|tab|ver|ext|t[eé]l|apt"
    "|jan|feb|févr?|apr|avr|jul|juil|aug|sept?|oct|okt|nov|d[eé]c|dez",
    re.IGNORECASE,
)


def split(raw: str) -> tuple[tuple[int, int], ...]:
    """The (start, end) of each sentence of `raw`, in order; a text of white space alone has none.

    The spans tile the text but for the white space before, between and behind them, and each holds
    a letter or a digit unless the whole text has none.
    """
    spans: list[tuple[int, int]] = []
    start = len(raw) - len(raw.lstrip())
    said = _first_said(raw, start)
    for end in _END.finditer(raw):
        if said < end.start() and _begins(raw, end) and not _goes_on(raw, end):
            spans.append((start, end.start("space")))
            start = end.end()
            said = _first_said(raw, start)
    last = len(raw.rstrip())
    if spans and said == len(raw):  # punctuation alone
        start, _ = spans.pop()
    if start < last:
        spans.append((start, last))
    return tuple(spans)


def _first_said(raw: str, start: int) -> int:
    """Where the first letter or digit from `start` on is; the text's length if there is none."""
    found = _SAYS_SOMETHING.search(raw, start)
    return found.start() if found else len(raw)


def _begins(raw: str, end: re.Match[str]) -> bool:
    """Whether a sentence may begin behind the `end` of another."""
    sign = raw[end.end() : end.end() + 1]
    if end["space"]:
        return sign in _OPENING or (sign.isalnum() and not sign.islower())
    return end.group()[-1] in _UNSPACED and (sign in _OPENING or sign.isalnum())


def _goes_on(raw: str, end: re.Match[str]) -> bool:
    """Whether a full stop there is that of an abbreviation, an initial or a number."""
    if not end.group().startswith(".") or end.group().startswith(".."):
        return False
    found = _BEFORE.search(raw, max(0, end.start() - _LONGEST_KNOWN), end.start())
    if found is None:
        return False
    before = found.group()
    last = before.rpartition(".")[2]
    if last.isdecimal():
        return len(before) <= 2 and found["hangs"] is None
    return bool(
        (len(last) == 1 and last.isalpha() and found["hangs"] is None)
        or (_TITLE.fullmatch(last) and last[0].isupper())
        or _SHORT.fullmatch(last)
        or (_NUMBERED.fullmatch(last) and raw[end.end()].isdigit())
    )
