"""Whether a line is in a language that one did not expect, by the commonest words of both.

Knows words; no vocabulary and no network. Languages are named as in recipes: "en", "fr-CA".
"""

import functools
from collections.abc import Iterable
from typing import NamedTuple

#: English names of the languages whose commonest words are known.
NAMES = {
    "de": "German",
    "en": "English",
    "fr": "French",
}

#: The commonest words of each language: those that hardly occur in a line of another language, then
#: those that do as parts of names and titles (*La Paz*, *Bank of America*). A word that is common
#: in English and French alike (*on*, *but*, *main*) is in neither.
_WORDS = {
    "en": (
        "to is are was were be been being have has had it he she they we you my your his her their "
        "our its this that these those with from not do does did will would can could should may "
        "might must what where when why how who which there here if for by at than then any some "
        "yes hello hi thanks thank please good morning n't 'm 're 've 'll so very just about "
        "because into them him us get got know want love let go going been too also only other "
        "more most such both each between after before under while during through out up over",
        "the of and in i no 's new all one an his be",
    ),
    "fr": (
        "je tu vous nous ils elles ont sont suis êtes avec mais très être avoir cette cet ces leur "
        "leurs notre votre nos vos mon qui que quoi quand où pourquoi parce aussi encore toujours "
        "jamais rien tous toute toutes même était étaient c' j' qu' n' s' t' m' est pas dans sur "
        "fait comme bonjour bonsoir merci oui salut voilà ça cela celui peut peux doit dois faut "
        "avez avons aime veux veut vais va alors donc puis sans chez entre depuis pendant après "
        "avant sous vers été aujourd'hui beaucoup peu bien trop moins là ici comment quel quelle "
        "quels quelles aux mes tes ses moi toi lui eux",
        "le la les de du des et en au un une il elle ce se ne te ma ta sa l' d' si non y ou par",
    ),
    "de": (
        "ich du wir ihr sie nicht ist sind war waren sein haben hat hatte mit und oder aber auch "
        "ein eine einen einem einer kein keine das dem den auf für über unter wenn weil wie wer "
        "warum wo hier dort sehr noch schon nur mehr als bei nach aus werden wird wurde kann muss "
        "so guten morgen danke bitte ja hallo mein dein unser euch uns mich dich mir dir zum zur",
        "der die von im des am es er zu",
    ),
}  # fmt: skip

#: The least share of the words of a line that are common ones, and how many times the evidence for
#: the expected language they have to outweigh.
_LEAST_SHARE, _OUTWEIGHS = 0.15, 2

_APOSTROPHES = str.maketrans("’ʼ", "''")


class _Pair(NamedTuple):
    """The words of a language that are none of another's: the sure ones, and all."""

    sure: frozenset[str]
    all: frozenset[str]


def language_name(language: str) -> str | None:
    """The English name of a language, None for one whose words are not known."""
    return NAMES.get(primary_language(language))


def primary_language(language: str) -> str:
    """The language without its region: "fr" of "fr-CA"."""
    return language.lower().replace("_", "-").partition("-")[0]


def looks_like(words: Iterable[str], language: str, *, expected: str) -> bool:
    """Whether the words of a line say that it is in `language` and not in the `expected` one.

    False where the words of one of them are not known, and in doubt.
    """
    pair = primary_language(language), primary_language(expected)
    if not (pair[0] in _WORDS and pair[1] in _WORDS) or pair[0] == pair[1]:
        return False
    other, own = _distinct(*pair), _distinct(*reversed(pair))
    spoken = [w for word in words if (w := _plain(word)).strip("'").isalpha()]
    sure = sum(word in other.sure for word in spoken)
    found = sum(word in other.all for word in spoken)
    against = sum(word in own.all for word in spoken)
    return (
        (sure >= 1 or found >= 2)
        and found >= _LEAST_SHARE * len(spoken)
        and found > _OUTWEIGHS * against
    )


def _plain(word: str) -> str:
    return word.lower().translate(_APOSTROPHES).strip("-")


@functools.cache
def _distinct(language: str, other: str) -> _Pair:
    """The words of a language that the other does not have."""
    sure, all_words = (
        set(" ".join(parts).split()) for parts in (_WORDS[language][:1], _WORDS[language])
    )
    others = set(" ".join(_WORDS[other]).split())
    return _Pair(frozenset(sure - others), frozenset(all_words - others))
