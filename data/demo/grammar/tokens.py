"""Words, links between them, and the spelling of a sentence.

The grammar writes English words (`En`) and French words (`Fr`); a French word has its links to the
English words that it translates. `finish` applies French spelling (contraction, then elision) and
converts the links to indices, so that the gold alignment is exact.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

ELIDING = frozenset(["je", "me", "te", "se", "le", "la", "ne", "de", "que", "ce"])
CONTRACTIONS = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}
ASPIRATED = frozenset(["huit", "haut", "haute", "hauts", "hautes"])


@dataclass(eq=False, slots=True)
class En:
    """One English word of a sentence; compared by identity."""

    text: str


@dataclass(eq=False, slots=True)
class Fr:
    """One French word, and the English words of its links: `sure` and `maybe` (possible)."""

    text: str
    sure: tuple[En, ...] = ()
    maybe: tuple[En, ...] = ()
    article: bool = False


@dataclass(slots=True)
class Phrase:
    """A part of both sides."""

    en: list[En] = field(default_factory=list)
    fr: list[Fr] = field(default_factory=list)

    def __add__(self, other: "Phrase") -> "Phrase":
        return Phrase(self.en + other.en, self.fr + other.fr)


@dataclass(frozen=True, slots=True)
class Pair:
    """A finished pair: the words of both sides, the gold links, and the rule that made it."""

    en: tuple[str, ...]
    fr: tuple[str, ...]
    sure: frozenset[tuple[int, int]]
    possible: frozenset[tuple[int, int]]
    construction: str

    @property
    def english(self) -> str:
        """The English text."""
        return join_english(self.en)

    @property
    def french(self) -> str:
        """The French text."""
        return join_french(self.fr)

    @property
    def gold(self) -> str:
        """The links in Pharaoh form, `S-T` for sure and `S?T` for possible, by target word."""
        marks = [(t, s, "-") for s, t in self.sure] + [(t, s, "?") for s, t in self.possible]
        return " ".join(f"{s}{mark}{t}" for t, s, mark in sorted(marks))


def link(text: str, *, article: bool = False) -> Phrase:
    """Return a phrase of one English and one French word, `english=french`, with a sure link."""
    english, french = text.split("=")
    word = En(english)
    return Phrase([word], [Fr(french, (word,), article=article)])


def group(english: str, french: str) -> Phrase:
    """Return a phrase of several words on a side, with sure links between all words of both
    sides."""
    words = [En(text) for text in english.split()]
    return Phrase(words, [Fr(text, tuple(words)) for text in french.split()])


def linked(spec: str) -> Phrase:
    """Return a phrase from `the=la night=nuit`: word by word, in the same order on both sides.

    `+` joins several words of a side (`in+front+of=devant`), `~word` is a possible link.
    """
    phrase = Phrase()
    for item in spec.split():
        english, french = item.split("=")
        phrase += group(english.replace("+", " "), french.replace("+", " "))
    return phrase


def starts_with_vowel(text: str) -> bool:
    """Return whether a French word elides the one before it: it begins with a vowel or a mute h."""
    first = unicodedata.normalize("NFD", text.lower().replace("œ", "o"))[:1]
    if text.lower() in ASPIRATED:
        return False
    return first in "aeiouh" or text.lower() == "y"


def contract(words: Sequence[Fr]) -> list[Fr]:
    """de + le → du, à + les → aux and so on; the links of both words stay."""
    result: list[Fr] = []
    following = [*(word.text for word in words[1:]), "."]
    for word, after in zip(words, following, strict=True):
        if word.text == "le" and starts_with_vowel(after):
            result.append(word)
            continue
        contraction = CONTRACTIONS.get((result[-1].text, word.text)) if result else None
        if contraction and word.article:
            before = result.pop()
            result.append(Fr(contraction, before.sure + word.sure, before.maybe + word.maybe))
        else:
            result.append(word)
    return result


def elide(words: Sequence[Fr]) -> list[str]:
    """Return the texts of `words`, with je → j' and so on before a vowel, and si → s' before
    il(s)."""
    texts = [word.text for word in words]
    for index, (text, following) in enumerate(pairwise(texts)):
        si = text == "si" and following in ("il", "ils")
        if si or (text in ELIDING and starts_with_vowel(following)):
            texts[index] = text[:-1] + "'"
    return texts


def capitalize(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the words with a capital at the start of the sentence."""
    first, *rest = texts
    return (first[:1].upper() + first[1:], *rest)


def finish(phrase: Phrase, construction: str) -> Pair:
    """Spell the phrase and index its links."""
    french = contract(phrase.fr)
    position = {id(word): index for index, word in enumerate(phrase.en)}
    assert len(position) == len(phrase.en), "an English word stands twice"
    sure = {(position[id(en)], t) for t, fr in enumerate(french) for en in fr.sure}
    maybe = {(position[id(en)], t) for t, fr in enumerate(french) for en in fr.maybe}
    return Pair(
        capitalize(word.text for word in phrase.en),
        capitalize(elide(french)),
        frozenset(sure),
        frozenset(maybe - sure),
        construction,
    )


def join_english(words: Sequence[str]) -> str:
    """Return the text of words: contractions and punctuation follow the word before them without a
    space."""
    text = ""
    for word in words:
        is_attached = not text or word in (".", "?", "!", ",", "n't") or word.startswith("'")
        text += word if is_attached else " " + word
    return text


def join_french(words: Sequence[str]) -> str:
    """Return the text of words: no space after `j'` nor before `-le` and `.`, but before ` ?`."""
    text = ""
    for word in words:
        is_attached = not text or text.endswith("'") or word in (".", ",") or word.startswith("-")
        text += word if is_attached else " " + word
    return text
