"""Data: nouns, names, pronouns, lists of determiners, and adjectives, with rules of agreement.

A noun's classes (`read`, `eat`, `wear` …) select the verbs that take it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun in both languages; `plural` is empty for mass nouns and the like."""

    en: str
    en_plural: str
    fr: str
    fr_plural: str
    gender: str
    classes: frozenset[str]


# english|plural|french|plural|gender|classes; "-" for no plural, "+" adds -s; _ joins words
_NOUNS = """
man|men|homme|+|m|person adult
woman|women|femme|+|f|person adult
boy|+|garçon|+|m|person
girl|+|fille|+|f|person
child|children|enfant|+|m|person
teacher|+|professeur|+|m|person adult job
doctor|+|médecin|+|m|person adult job
student|+|étudiant|+|m|person adult job
baker|+|boulanger|+|m|person adult job
farmer|+|fermier|+|m|person adult
lady|ladies|dame|+|f|person adult
nurse|+|infirmière|+|f|person
father|-|père|-|m|kin
mother|-|mère|-|f|kin
brother|+|frère|+|m|kin
sister|+|sœur|+|f|kin
son|+|fils|fils|m|kin
uncle|+|oncle|+|m|kin
aunt|+|tante|+|f|kin
grandmother|-|grand-mère|-|f|kin
friend|+|ami|+|m|kin
neighbor|+|voisin|+|m|kin
cat|+|chat|+|m|animal pet
dog|+|chien|+|m|animal pet
bird|+|oiseau|oiseaux|m|animal pet
horse|+|cheval|chevaux|m|animal pet
cow|+|vache|+|f|animal
mouse|mice|souris|souris|f|animal
rabbit|+|lapin|+|m|animal pet
elephant|+|éléphant|+|m|animal
book|+|livre|+|m|thing read write
letter|+|lettre|+|f|thing read write
newspaper|+|journal|journaux|m|thing read
story|stories|histoire|+|f|read write tell
song|+|chanson|+|f|sing write lookup
key|+|clé|+|f|thing
photo|+|photo|+|f|thing
umbrella|+|parapluie|+|m|thing colored
bag|+|sac|+|m|thing open colored heavy container
box|boxes|boîte|+|f|thing open colored heavy container
hat|+|chapeau|chapeaux|m|thing wear colored dear
coat|+|manteau|manteaux|m|thing wear colored dear heavy
shirt|+|chemise|+|f|thing wear colored dear
dress|dresses|robe|+|f|thing wear colored dear
shoe|+|chaussure|+|f|thing wear colored dear
cup|+|tasse|+|f|thing colored container
knife|knives|couteau|couteaux|m|thing
plate|+|assiette|+|f|thing colored container
phone|+|téléphone|+|m|thing switch repair colored dear
computer|+|ordinateur|+|m|thing switch repair dear heavy
lamp|+|lampe|+|f|thing switch repair colored dear
radio|+|radio|+|f|thing switch repair
car|+|voiture|+|f|vehicle repair colored dear
bike|+|vélo|+|m|vehicle repair colored dear
chair|+|chaise|+|f|thing repair colored heavy
watch|watches|montre|+|f|thing repair dear
flower|+|fleur|+|f|thing colored
ticket|+|billet|+|m|thing
card|+|carte|+|f|thing
gift|+|cadeau|cadeaux|m|thing
door|+|porte|+|f|open part colored
window|+|fenêtre|+|f|open part
word|+|mot|+|m|lookup say
name|+|nom|+|m|lookup say
number|-|numéro|-|m|lookup
address|addresses|adresse|+|f|lookup
question|+|question|+|f|explain
answer|+|réponse|+|f|lookup say
problem|+|problème|+|m|explain
train|+|train|+|m|wait
bus|-|bus|-|m|wait
house|+|maison|+|f|place building inside
school|+|école|+|f|place building inside
garden|-|jardin|-|m|place inside
park|-|parc|-|m|place inside
station|-|gare|-|f|place building
church|-|église|-|f|place building inside
market|-|marché|-|m|place
beach|-|plage|-|f|place
hospital|-|hôpital|-|m|place building inside
hotel|+|hôtel|+|m|place building inside
kitchen|-|cuisine|-|f|place room inside
office|-|bureau|-|m|place room inside
village|+|village|+|m|place inside
shop|+|magasin|+|m|place building inside
library|-|bibliothèque|-|f|place building inside
museum|-|musée|-|m|place building inside
tree|+|arbre|+|m|landmark
bridge|-|pont|-|m|landmark
table|-|table|-|f|landmark
river|-|rivière|-|f|landmark
bread|-|pain|-|m|mass eat
meat|-|viande|-|f|mass eat
cheese|-|fromage|-|m|mass eat
rice|-|riz|-|m|mass eat
soup|-|soupe|-|f|mass eat dish
chocolate|-|chocolat|-|m|mass eat
water|-|eau|-|f|mass drink
milk|-|lait|-|m|mass drink
coffee|-|café|-|m|mass drink dish
tea|-|thé|-|m|mass drink dish
wine|-|vin|-|m|mass drink
apple|+|pomme|+|f|food
orange|+|orange|+|f|food
egg|+|œuf|+|m|food
cake|+|gâteau|gâteaux|m|food dish
strawberry|strawberries|fraise|+|f|food
carrot|+|carotte|+|f|food
potato|potatoes|pomme_de_terre|pommes_de_terre|f|food
banana|+|banane|+|f|food
French|-|français|-|m|language
English|-|anglais|-|m|language
Italian|-|italien|-|m|language
Spanish|-|espagnol|-|m|language
"""


def _plural(singular: str, plural: str) -> str:
    return {"+": singular + "s", "-": ""}.get(plural, plural)


def _parse(line: str) -> Noun:
    en, en_plural, fr, fr_plural, gender, classes = line.split("|")
    return Noun(
        en,
        _plural(en, en_plural),
        fr,
        _plural(fr, fr_plural),
        gender,
        frozenset(classes.split()),
    )


NOUNS: tuple[Noun, ...] = tuple(_parse(line) for line in _NOUNS.split("\n") if line)
NOUN_OF: dict[str, Noun] = {noun.en: noun for noun in NOUNS}


def nouns(*classes: str) -> list[Noun]:
    """Return the nouns of any of the classes, in the order of the list."""
    return [noun for noun in NOUNS if noun.classes & set(classes)]


#: Names and their grammatical gender.
NAMES: tuple[tuple[str, str], ...] = (
    ("Marie", "f"),
    ("Paul", "m"),
    ("Anna", "f"),
    ("Thomas", "m"),
    ("Alice", "f"),
    ("Louis", "m"),
    ("Sophie", "f"),
    ("Lucas", "m"),
)

#: English city or country, and the French place with its preposition.
TOWNS: tuple[tuple[str, str], ...] = (
    ("Paris", "à Paris"),
    ("London", "à Londres"),
    ("Lyon", "à Lyon"),
    ("Rome", "à Rome"),
    ("France", "en France"),
    ("Italy", "en Italie"),
    ("Spain", "en Espagne"),
    ("Canada", "au Canada"),
)


@dataclass(frozen=True, slots=True)
class Pronoun:
    """A personal pronoun; `person` counts 0 je to 5 ils, and 4 is the vous of imperatives."""

    person: int
    en: str
    en_object: str
    fr: str
    direct: str
    dative: str
    strong: str
    gender: str = "m"

    @property
    def third(self) -> bool:
        """Whether its clitics are those of the third person (le, lui …)."""
        return self.person in (2, 5)


I = Pronoun(0, "I", "me", "je", "me", "me", "moi")  # noqa: E741 - it is the word
YOU = Pronoun(1, "you", "you", "tu", "te", "te", "toi")
HE = Pronoun(2, "he", "him", "il", "le", "lui", "lui")
SHE = Pronoun(2, "she", "her", "elle", "la", "lui", "elle", "f")
IT = Pronoun(2, "it", "it", "il", "le", "y", "cela")
WE = Pronoun(3, "we", "us", "nous", "nous", "nous", "nous")
THEY = Pronoun(5, "they", "them", "ils", "les", "leur", "eux")
PERSONAL: tuple[Pronoun, ...] = (I, YOU, HE, SHE, WE, THEY)

#: The possessor's English word and its French forms: before m, f, plural.
POSSESSIVES: tuple[tuple[str, str], ...] = (
    ("my", "mon ma mes"),
    ("your", "ton ta tes"),
    ("his", "son sa ses"),
    ("her", "son sa ses"),
    ("our", "notre notre nos"),
    ("their", "leur leur leurs"),
)
POLITE_YOUR = ("your", "votre votre vos")

NUMBERS: tuple[tuple[str, str], ...] = (
    ("two", "deux"),
    ("three", "trois"),
    ("four", "quatre"),
    ("five", "cinq"),
    ("six", "six"),
    ("seven", "sept"),
    ("eight", "huit"),
    ("nine", "neuf"),
    ("ten", "dix"),
    ("eleven", "onze"),
    ("twelve", "douze"),
)
AGES: tuple[tuple[str, str], ...] = (
    *NUMBERS,
    ("twenty", "vingt"),
    ("twenty-two", "vingt-deux"),
    ("thirty", "trente"),
    ("thirty-five", "trente-cinq"),
    ("forty", "quarante"),
)
YEARS: tuple[str, ...] = ("1984", "1995", "2010")


@dataclass(frozen=True, slots=True)
class Adjective:
    """An adjective, its French forms, whether it precedes the noun, and the nouns that it fits."""

    en: str
    masculine: str
    feminine: str
    before_vowel: str
    prenominal: bool
    suits: frozenset[str]
    comparative: str

    def agreeing(self, gender: str, *, plural: bool, vowel: bool = False) -> str:
        """Return the French form; `vowel` is true if a noun with an initial vowel follows."""
        form = self.masculine if gender == "m" else self.feminine
        if not plural:
            return self.before_vowel if vowel and gender == "m" else form
        if form.endswith(("s", "x")):
            return form
        return form + ("x" if form.endswith("eau") else "s")


# english|masculine|feminine|place|suits|comparative; "+" doubles nothing but adds -e
_ADJECTIVES = """
big|grand|+|pre|colored container vehicle place animal landmark part|bigger
tall|grand|+|pre|person|taller
small|petit|+|pre|person thing vehicle place animal food landmark part|smaller
beautiful|beau bel|belle|pre|person thing vehicle place animal landmark|more
old|vieux vieil|vieille|pre|adult thing vehicle place animal landmark|older
new|nouveau nouvel|nouvelle|pre|thing vehicle building|-
young|jeune|jeune|pre|adult|younger
good|bon|bonne|pre|read eat food drink job|better
pretty|joli|+|pre|wear vehicle place flower landmark sing|prettier
red|rouge|rouge|post|colored|-
green|vert|+|post|colored|-
blue|bleu|+|post|colored|-
black|noir|+|post|colored pet|-
white|blanc|blanche|post|colored pet|-
expensive|cher|chère|post|dear|more
heavy|lourd|+|post|heavy|heavier
clean|propre|propre|post|wear container vehicle room|cleaner
dirty|sale|sale|post|wear container vehicle room pet|dirtier
empty|vide|vide|post|container place|-
open|ouvert|+|post|open building|-
closed|fermé|+|post|open building|-
interesting|intéressant|+|post|read explain|more
difficult|difficile|difficile|post|explain lookup|more
easy|facile|facile|post|explain|easier
hot|chaud|+|post|drink eat|-
cold|froid|+|post|drink eat|-
tired|fatigué|+|post|person animal|more
happy|heureux|heureuse|post|person animal|happier
sad|triste|triste|post|person animal read sing|sadder
sick|malade|malade|post|person animal|-
rich|riche|riche|post|person|richer
poor|pauvre|pauvre|post|person|poorer
strong|fort|+|post|person animal|stronger
famous|célèbre|célèbre|post|person|more
kind|gentil|gentille|post|person|-
intelligent|intelligent|+|post|person animal|more
ready|prêt|+|post|person|-
alone|seul|+|post|person|-
busy|occupé|+|post|person|-
French|français|+|post|person read|-
English|anglais|+|post|person read|-
Italian|italien|italienne|post|person|-
"""
#: Adjectives that only follow the verb to be: `a poor man` would be `un pauvre homme`, too.
PREDICATIVE = frozenset(
    ["tired", "sick", "happy", "ready", "alone", "busy", "poor", "open", "closed"]
)

#: Nouveau only stands before a noun: le livre est neuf.
ATTRIBUTIVE = frozenset(["new"])


def _adjective(line: str) -> Adjective:
    en, masculine, feminine, place, suits, comparative = line.split("|")
    masculine, _, before_vowel = masculine.partition(" ")
    return Adjective(
        en,
        masculine,
        masculine + "e" if feminine == "+" else feminine,
        before_vowel or masculine,
        place == "pre",
        frozenset(suits.split()),
        comparative,
    )


ADJECTIVES: tuple[Adjective, ...] = tuple(
    _adjective(line) for line in _ADJECTIVES.split("\n") if line
)


def adjectives_for(classes: frozenset[str], *, predicate: bool = False) -> list[Adjective]:
    """Return the adjectives that fit a noun of these classes, with the noun or as a predicate."""
    classes = {"person", "adult"} | classes if "kin" in classes else classes
    return [
        adjective
        for adjective in ADJECTIVES
        if adjective.suits & classes
        and adjective.en not in (ATTRIBUTIVE if predicate else PREDICATIVE)
    ]
