"""Detect a line in another language than expected, by the most frequent words of both.

Languages are named as in recipes: "en", "fr-CA".
"""

import functools
from collections.abc import Iterable
from typing import NamedTuple

#: English names of the languages in `_WORDS`.
NAMES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "pt": "Portuguese",
}

#: The most frequent words of each language: those that are rare in a line of another language, then
#: those that occur there in names and titles (*La Paz*, *Bank of America*). A word that is common
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
    "es": (
        "yo tú usted ustedes nosotros ellos ellas está están estoy soy eres somos muy pero más "
        "también porque cuando donde dónde qué quién cómo con por para una unos unas hay tiene "
        "tengo hacer hasta desde entre sobre sin así ahora siempre nunca aquí allí gracias hola "
        "buenos buenas sí ese esa esto estos estas mi su sus fue había ser nada algo todo",
        "el la los las de del y en un es se lo le al no que",
    ),
    "it": (
        "io lui lei noi voi loro sono sei siamo siete hanno abbiamo che non più molto anche perché "
        "quando dove cosa chi come con per della delle degli nella nel sulla dal dalla gli uno "
        "questo questa questi quello quella ma mio mia suo sua essere avere stato era fare grazie "
        "buongiorno ciao sempre mai qui ora così tutto niente dell' nell' all' un'",
        "il la le i lo di del e in un è si al da no l' d' c'",
    ),
    "pt": (
        "eu você vocês ele ela nós eles elas não são está estão estou sou somos muito mas mais "
        "também porque quando onde quem como com por para uma umas uns em pelo pela foi tem tenho "
        "fazer até desde entre sobre sem agora sempre nunca aqui obrigado obrigada olá bom isso "
        "isto seu sua meu minha ser pode tudo nada ao aos",
        "o a os as de do da dos das e no na um é se que",
    ),
}  # fmt: skip

#: Minimum share of frequent words in a line, and how many times as many as those of the expected
#: language they must be.
_MIN_SHARE, _MIN_RATIO = 0.15, 2

_APOSTROPHES = str.maketrans("’ʼ", "''")


class _Pair(NamedTuple):
    """The words of a language that another does not have: the reliable ones, and all."""

    reliable: frozenset[str]
    all: frozenset[str]


def language_name(language: str) -> str | None:
    """Return the English name of a language; None for one without words here."""
    return NAMES.get(primary_language(language))


def primary_language(language: str) -> str:
    """Return the language without its region: "fr" of "fr-CA"."""
    return language.lower().replace("_", "-").partition("-")[0]


def frequent_words(language: str) -> frozenset[str]:
    """Return the most frequent words of a language of `NAMES`, in lower case."""
    return frozenset(" ".join(_WORDS[language]).split())


def looks_like(words: Iterable[str], language: str, *, expected: str) -> bool:
    """Return whether the words of a line are of `language` and not of the `expected` one.

    False in doubt, and for a language without words here.
    """
    pair = primary_language(language), primary_language(expected)
    if not (pair[0] in _WORDS and pair[1] in _WORDS) or pair[0] == pair[1]:
        return False
    other, own = _distinct_words(*pair), _distinct_words(*reversed(pair))
    letters = [w for word in words if (w := _normalize(word)).strip("'").isalpha()]
    reliable = sum(word in other.reliable for word in letters)
    count = sum(word in other.all for word in letters)
    expected_count = sum(word in own.all for word in letters)
    return (
        (reliable >= 1 or count >= 2)
        and count >= _MIN_SHARE * len(letters)
        and count > _MIN_RATIO * expected_count
    )


def _normalize(word: str) -> str:
    return word.lower().translate(_APOSTROPHES).strip("-")


@functools.cache
def _distinct_words(language: str, other: str) -> _Pair:
    """Return the words of a language that the other does not have."""
    others = frequent_words(other)
    reliable = frozenset(_WORDS[language][0].split())
    return _Pair(reliable - others, frequent_words(language) - others)
