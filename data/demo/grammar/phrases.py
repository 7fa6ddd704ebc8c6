"""Noun phrases: determiners, adjectives and their order, possession.

Every function takes a `Draw`, the only source of random numbers.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from grammar.nouns import (
    HE,
    IT,
    NAMES,
    NUMBERS,
    PERSONAL,
    POLITE_YOUR,
    POSSESSIVES,
    SHE,
    THEY,
    TOWNS,
    YOU,
    Adjective,
    Noun,
    Pronoun,
    adjectives_for,
    nouns,
)
from grammar.tokens import En, Fr, Phrase, starts_with_vowel

Item = TypeVar("Item")


class Draw:
    """Seeded random choices, from `random()` alone, whose sequence is the same in all Python
    versions."""

    def __init__(self, seed: int) -> None:
        self._stream = random.Random(seed)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._stream.random() < probability

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of the items, with equal probability."""
        return items[int(self._stream.random() * len(items))]

    def weighted(self, items: Sequence[tuple[Item, float]]) -> Item:
        """Return one of the items, by weight."""
        point = self._stream.random() * sum(weight for _, weight in items)
        for item, weight in items:
            point -= weight
            if point < 0:
                return item
        return items[-1][0]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return the items in a random order."""
        return [
            item
            for _, _, item in sorted(
                (self._stream.random(), index, item) for index, item in enumerate(items)
            )
        ]


@dataclass(slots=True)
class NounPhrase:
    """A noun phrase on both sides; `det` are the French determiners, `fr` the words after them.

    `kind` determines its rules: `definite`, `some` and `a` (which become de under negation),
    `bare` (some without an English word), `generic`, `quantity`, `name` or `pronoun`.
    """

    en: list[En]
    det: list[Fr]
    fr: list[Fr]
    gender: str
    plural: bool
    person: int
    kind: str
    classes: frozenset[str] = field(default_factory=frozenset)
    pronoun: Pronoun | None = None

    @property
    def human(self) -> bool:
        """Whether who refers to it, and not that."""
        return self.kind == "name" or bool(self.classes & {"person", "kin"})

    @property
    def phrase(self) -> Phrase:
        """Both sides as one phrase."""
        return Phrase(list(self.en), self.det + self.fr)

    @property
    def last(self) -> En:
        """The last word of the English phrase without a relative clause: its head."""
        return self.en[-1]


def pronoun(who: Pronoun, *, case: str = "subject") -> NounPhrase:
    """Return a personal pronoun, as `subject`, or as `object`, whose French belongs to the verb."""
    en = En(who.en if case == "subject" else who.en_object)
    plural = who.person in (3, 5)
    fr = Fr(who.fr if case == "subject" else who.strong, (en,))
    return NounPhrase([en], [], [fr], who.gender, plural, who.person, "pronoun", pronoun=who)


def name(draw: Draw) -> NounPhrase:
    """Return a proper name."""
    text, gender = draw.pick(NAMES)
    en = En(text)
    return NounPhrase([en], [], [Fr(text, (en,))], gender, plural=False, person=2, kind="name")


def with_determiner(
    noun: Noun, det: str, *, plural: bool = False, adjective: Adjective | None = None
) -> NounPhrase:
    """Return a noun with a determiner and perhaps an adjective.

    `det` is one of the keys of `_determiner`, a possessive (`my`), a number (`two`) or `None`.
    """
    head = En(noun.en_plural if plural else noun.en)
    texts = (noun.fr_plural if plural else noun.fr).split("_")
    body = [Fr(text, (head,)) for text in texts]
    en = [head]
    prenominal = adjective is not None and adjective.prenominal
    if adjective is not None:
        quality = En(adjective.en)
        vowel = starts_with_vowel(texts[0])
        form = adjective.agreeing(noun.gender, plural=plural, vowel=prenominal and vowel)
        word = Fr(form, (quality,))
        en = [quality, head]
        body = [word, *body] if prenominal else [*body, word]
    en_det, fr_det, kind = _determiner(det, noun.gender, body[0].text, plural=plural, head=head)
    if det == "a" and en[0].text[0].lower() in "aeiou":
        en_det[0].text = "an"
    if prenominal and fr_det and fr_det[0].text == "des":
        fr_det[0].text = "de"
    return NounPhrase(
        en_det + en, fr_det, body, noun.gender, plural, 5 if plural else 2, kind, noun.classes
    )


def _agreeing_form(forms: str, gender: str, *, plural: bool, vowel: bool) -> str:
    masculine, feminine, many = forms.split()
    if plural:
        return many
    return masculine if gender == "m" or vowel else feminine


def _definite(gender: str, *, plural: bool) -> str:
    return "les" if plural else {"m": "le", "f": "la"}[gender]


def _partitive(
    gender: str, *, plural: bool, sure: tuple[En, ...], maybe: tuple[En, ...]
) -> list[Fr]:
    if plural:
        return [Fr("des", sure, maybe)]
    return [Fr("de", sure, maybe), Fr(_definite(gender, plural=False), sure, maybe, article=True)]


_SIMPLE = {
    "this": "ce cette ces",
    "that": "ce cette ces",
    "every": "chaque chaque -",
    "several": "- - plusieurs",
    "which": "quel quelle quels",
}
_QUANTITIES = {
    "a lot of": ("beaucoup", "de"),
    "too many": ("trop", ""),
    "many": ("beaucoup", ""),
    "how many": ("combien", ""),
}


def _determiner(  # noqa: C901 - a list of cases, each of two lines
    det: str, gender: str, following: str, *, plural: bool, head: En
) -> tuple[list[En], list[Fr], str]:
    """Return English words, French words, and the kind of the noun phrase."""
    vowel = starts_with_vowel(following)
    possessive = dict([*POSSESSIVES, ("your+", POLITE_YOUR[1])])
    numbers = dict(NUMBERS)
    words = [En(text) for text in det.replace("your+", "your").split()]
    if plural and det in ("this", "that"):
        words[0].text = {"this": "these", "that": "those"}[det]
    sure = tuple(words)
    if det in possessive:
        forms = possessive[det]
        if det in ("our", "their", "your+"):
            vowel = False
        text = _agreeing_form(forms, gender, plural=plural, vowel=vowel)
        return words, [Fr(text, sure)], "definite"
    if det in numbers:
        return words, [Fr(numbers[det], sure)], "quantity"
    if det in _QUANTITIES:
        french, of = _QUANTITIES[det]
        quantity = sure[:-1] if of else sure
        de = Fr("de", sure[-1:]) if of else Fr("de", (), sure[-1:])
        return words, [Fr(french, quantity), de], "quantity"
    if det == "the":
        return words, [Fr(_definite(gender, plural=plural), sure, article=True)], "definite"
    if det == "all the":
        every = {"m": "tous", "f": "toutes"}[gender]
        return words, [Fr(every, sure[:1]), Fr("les", sure[1:], article=True)], "definite"
    if det == "a few":
        return words, [Fr("quelques", sure)], "quantity"
    if det == "a":
        return words, [Fr("un" if gender == "m" else "une", sure)], "a"
    if det == "some":
        return words, _partitive(gender, plural=plural, sure=sure, maybe=()), "some"
    if det == "bare":
        return [], _partitive(gender, plural=plural, sure=(), maybe=(head,)), "bare"
    if det == "generic":
        article = Fr(_definite(gender, plural=plural), (), (head,), article=True)
        return [], [article], "generic"
    if det == "none":
        return [], [], "definite"
    text = _agreeing_form(_SIMPLE[det], gender, plural=plural, vowel=False)
    if det in ("this", "that") and vowel and gender == "m" and not plural:
        text = "cet"
    if det == "which" and plural and gender == "f":
        text = "quelles"
    return words, [Fr(text, sure)], "definite"


def with_possessor(thing: Noun, owner: NounPhrase, *, plural: bool = False) -> NounPhrase:
    """`Marie's book`: le livre de Marie. The article has no English word of its own."""
    result = with_determiner(thing, "generic", plural=plural)
    mark = En("'s")
    result.det[0].maybe = (mark, *result.det[0].maybe)
    return replace(
        result,
        en=[*owner.en, mark, *result.en],
        fr=[*result.fr, Fr("de", (mark,)), *owner.det, *owner.fr],
        kind="definite",
    )


def determiner_for(draw: Draw, noun: Noun, *, plural: bool, polite: bool) -> str:
    """Return a determiner for a noun of this kind, valid in any position of a sentence."""
    your = "your+" if polite else "your"
    owner = draw.pick(["my", your, "his", "her", "our", "their"])
    if "kin" in noun.classes:
        return owner
    if "mass" in noun.classes:
        return draw.weighted([("the", 5), ("this", 1), (owner, 1)])
    if plural:
        number = draw.pick(NUMBERS)[0]
        weights = [("the", 6), (owner, 2), ("this", 1), ("that", 1), (number, 2), ("all the", 1)]
    else:
        weights = [("the", 9), ("a", 5), (owner, 3), ("this", 1), ("that", 1)]
    wild = "animal" in noun.classes and "pet" not in noun.classes
    if wild or "person" in noun.classes or "place" in noun.classes or "landmark" in noun.classes:
        weights = [(det, weight) for det, weight in weights if det not in (owner,)]
    return draw.weighted(weights)


OWNABLE = frozenset({"kin", "thing", "wear", "read", "lookup", "building"})


def noun_phrase(
    draw: Draw,
    *classes: str,
    det: str | None = None,
    plural: float = 0.3,
    adjective: float = 0.25,
    polite: bool = False,
    owner: float = 0.06,
) -> NounPhrase:
    """Return a noun phrase of one of the classes; the floats are the probabilities of additions."""
    noun = draw.pick(nouns(*classes))
    many = bool(noun.en_plural) and draw.chance(plural)
    has_owner = draw.chance(0.3 if "kin" in noun.classes else owner)
    if det is None and has_owner and noun.classes & OWNABLE:
        return with_possessor(noun, possessor(draw, polite=polite), plural=many)
    det = det or determiner_for(draw, noun, plural=many, polite=polite)
    suitable = adjectives_for(noun.classes)
    use = suitable and "kin" not in noun.classes and draw.chance(adjective)
    modifier = draw.pick(suitable) if use else None
    return with_determiner(noun, det, plural=many, adjective=modifier)


def possessor(draw: Draw, *, polite: bool = False) -> NounPhrase:
    """Return the owner of a thing: mostly a name, else a relative or a person of a profession."""
    if draw.chance(0.6):
        return name(draw)
    if draw.chance(0.6):
        det = draw.pick(["my", "your+" if polite else "your", "his", "her"])
        return with_determiner(draw.pick(nouns("kin")), det)
    return with_determiner(draw.pick(nouns("job")), "the")


AUDIENCE = (("the", 7.0), ("this", 1.0), ("that", 1.0), ("a", 0.8))


def person(draw: Draw, *, polite: bool = False, plural: float = 0.2) -> NounPhrase:
    """Return a person who is not a pronoun."""
    if draw.chance(0.4):
        return name(draw)
    kind = draw.pick(["person", "person", "kin"])
    det = None if kind == "kin" else draw.weighted(AUDIENCE)
    return noun_phrase(
        draw,
        kind,
        det=det,
        plural=plural if det != "a" else 0,
        polite=polite,
        adjective=0.15,
    )


def subject(draw: Draw, *, pronouns: float = 0.6) -> NounPhrase:
    """Return the subject of a human action."""
    if draw.chance(pronouns):
        return pronoun(draw.pick(PERSONAL))
    if draw.chance(0.08):
        return two_names(draw)
    return person(draw)


def two_names(draw: Draw) -> NounPhrase:
    """`Marie and Paul`: two different people."""
    first, second = name(draw), name(draw)
    while second.last.text == first.last.text:
        second = name(draw)
    return both(first, second)


def both(first: NounPhrase, second: NounPhrase) -> NounPhrase:
    """`Marie and Paul`, a plural; it is masculine if one of them is."""
    gender = "f" if first.gender == second.gender == "f" else "m"
    joint = En("and")
    return NounPhrase(
        [*first.en, joint, *second.en],
        [],
        [*first.det, *first.fr, Fr("et", (joint,)), *second.det, *second.fr],
        gender,
        plural=True,
        person=5,
        kind="definite",
        classes=first.classes or frozenset({"person"}),
    )


def object_pronoun(
    draw: Draw, owner: NounPhrase | None = None, *, human: bool = False, polite: bool = False
) -> NounPhrase:
    """Return an object pronoun of another person than the subject (I … me would be reflexive)."""
    owner_person = owner.person if owner else -1
    same = {0, 3} if owner_person in (0, 3) else {owner_person}  # I … us would be as odd
    choices = [who for who in PERSONAL if who.person not in same]
    if polite:
        choices = [who for who in choices if who is not YOU]
    if not human:
        choices = [*choices, IT, IT]
    if owner and owner.person in (2, 5):
        choices = [*choices, HE, SHE, THEY]
    return pronoun(draw.pick(choices), case="object")


def preposition(en: str, fr: str, complement: NounPhrase) -> Phrase:
    """Return a prepositional phrase; after de, the partitive des and du disappear."""
    words = [En(text) for text in en.split()]
    sure = tuple(words)
    prepositions = [Fr(text, sure) for text in fr.split()]
    det = complement.det
    if fr.endswith("de") and complement.kind in ("some", "bare"):
        prepositions[-1].sure += det[0].sure
        prepositions[-1].maybe += det[0].maybe
        det = []
    return Phrase([*words, *complement.en], [*prepositions, *det, *complement.fr])


def town(draw: Draw, english: str = "in") -> Phrase:
    """`in Paris`, `to Canada`: the French preposition belongs to the name."""
    text, french = draw.pick(TOWNS)
    preposition_word, town_word = En(english), En(text)
    first, second = french.split()
    return Phrase(
        [preposition_word, town_word], [Fr(first, (preposition_word,)), Fr(second, (town_word,))]
    )
