"""Data: verbs of both languages, their objects, and the verbs that govern an infinitive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """An English verb with its particle, and the French verb that translates it.

    `frame` are its complements: `none`, `direct`, `indirect` (à in French), `give` (both), `place`,
    `de` or `à` (a French preposition before a strong pronoun). `objects` are noun classes.
    `separable`: look it up, but look at it. `stative`: no progressive, and its past is the
    imparfait. `frequent` ones also occur in the futur and the imparfait. `noun`: the noun of the
    French expression (need: avoir besoin).
    """

    en: str
    particle: str
    fr: str
    frame: str
    objects: tuple[str, ...] = ()
    separable: bool = False
    reflexive: bool = False
    stative: bool = False
    frequent: bool = False
    noun: str = ""

    @property
    def human(self) -> bool:
        """Whether it takes human objects only."""
        return bool(self.objects) and set(self.objects) <= {"person", "kin"}


ANYTHING = ("person", "kin", "animal", "thing", "landmark")
HUMAN = ("person", "kin")

# english [particle] = french | frame | object classes | flags: s separable, r reflexive,
# t stative, f frequent
_VERBS = """
see = voir | direct | person kin animal thing vehicle place landmark | f
look at = regarder | direct | person kin animal thing vehicle landmark |
look for = chercher | direct | person kin pet thing building |
look up = chercher | direct | lookup | s
wait for = attendre | direct | person kin wait |
listen to = écouter | direct | person kin sing |
love = aimer | direct | person kin animal read food eat drink | t
like = aimer | direct | person kin animal read food eat drink place | t
know = connaître | direct | person kin read place | t
eat = manger | direct | eat food | f
drink = boire | direct | drink |
read = lire | direct | read | f
write = écrire | direct | write |
buy = acheter | direct | thing vehicle eat drink food wear | f
sell = vendre | direct | thing vehicle food pet |
find = trouver | direct | pet thing lookup |
lose = perdre | direct | thing |
take = prendre | direct | thing food |
open = ouvrir | direct | open |
close = fermer | direct | open |
wash = laver | direct | pet wear vehicle container |
help = aider | direct | person kin | f
call = appeler | direct | person kin | f
understand = comprendre | direct | person kin explain say |
forget = oublier | direct | thing lookup kin |
carry = porter | direct | thing container |
wear = porter | direct | wear |
break = casser | direct | switch container repair |
repair = réparer | direct | repair |
clean = nettoyer | direct | room container |
visit = visiter | direct | building |
choose = choisir | direct | thing wear food vehicle |
finish = finir | direct | read |
hear = entendre | direct | person kin animal sing |
cut = couper | direct | eat food |
invite = inviter | direct | person kin |
meet = rencontrer | direct | person kin |
sing = chanter | direct | sing |
learn = apprendre | direct | lookup sing |
pick up = ramasser | direct | thing | s
turn on = allumer | direct | switch | s
turn off = éteindre | direct | switch | s
put down = poser | direct | thing | s
put on = mettre | direct | wear | s
take off = enlever | direct | wear | s
throw away = jeter | direct | thing food | s
pay for = payer | direct | thing food |
ask for = demander | direct | food drink lookup |
talk to = parler | indirect | person kin | f
write to = écrire | indirect | person kin |
answer = répondre | indirect | person kin |
smile at = sourire | indirect | person kin |
give = donner | give | thing food eat drink | f
show = montrer | give | thing read vehicle |
send = envoyer | give | thing read |
bring = apporter | give | thing food eat drink |
tell = raconter | give | tell |
explain = expliquer | give | explain |
sleep = dormir | none | | f
work = travailler | none | | f
sing = chanter | none | |
dance = danser | none | |
cry = pleurer | none | |
laugh = rire | none | |
run = courir | none | |
swim = nager | none | |
smile = sourire | none | |
play = jouer | none | |
walk = marcher | none | |
eat = manger | none | | f
read = lire | none | |
wait = attendre | none | |
listen = écouter | none | |
talk = parler | none | | f
arrive = arriver | none | | f
leave = partir | none | |
come = venir | none | | f
come back = revenir | none | |
come in = entrer | none | |
go out = sortir | none | |
go home = rentrer | none | |
fall = tomber | none | |
stay = rester | none | |
get up = lever | none | | r
wake up = réveiller | none | | r
go to bed = coucher | none | | r
get dressed = habiller | none | | r
hurry = dépêcher | none | | r
rest = reposer | none | | r
sit down = asseoir | none | | r
remember = souvenir | de | person kin | rt
think about = penser | à | person kin |
go = aller | place | | f
live = habiter | town | | t
"""


def _verb(line: str) -> Verb:
    pair, frame, objects, flags = (part.strip() for part in line.split("|"))
    english, french = pair.split(" = ")
    word, _, particle = english.partition(" ")
    return Verb(
        word,
        particle,
        french,
        frame,
        tuple(objects.split()),
        separable="s" in flags,
        reflexive="r" in flags,
        stative="t" in flags,
        frequent="f" in flags,
    )


def _rows(table: str) -> list[str]:
    rows = (
        row if row.count("|") == 3 else row + "|" * (3 - row.count("|"))
        for row in table.split("\n")
        if row
    )
    return list(rows)


VERBS: tuple[Verb, ...] = tuple(_verb(row) for row in _rows(_VERBS))

BE = Verb("be", "", "être", "be", stative=True, frequent=True)
BE_FARING = Verb("be", "", "aller", "be", stative=True)  # how are you? comment vas-tu ?
BE_HAVING = Verb("be", "", "avoir", "be", stative=True, frequent=True)  # I am hungry, j'ai faim
BE_WEATHER = Verb("be", "", "faire", "be", stative=True, frequent=True)  # it is cold
HAVE = Verb("have", "", "avoir", "direct", ("thing", "vehicle", "pet"), stative=True, frequent=True)
WANT = Verb("want", "", "vouloir", "direct", ("food", "eat", "drink", "thing"), stative=True)
NEED = Verb("need", "", "avoir", "de", ("thing", "eat", "drink"), stative=True, noun="besoin")
DO = Verb("do", "", "faire", "direct", frequent=True)
EXIST = Verb("be", "", "avoir", "exist", stative=True, frequent=True)  # there is, il y a
RAIN = Verb("rain", "", "pleuvoir", "none", frequent=True)
SNOW = Verb("snow", "", "neiger", "none", frequent=True)
SAYING: tuple[Verb, ...] = (
    Verb("know", "", "savoir", "none", stative=True),
    Verb("think", "", "penser", "none", stative=True),
    Verb("believe", "", "croire", "none", stative=True),
    Verb("say", "", "dire", "none"),
    Verb("hope", "", "espérer", "none", stative=True),
)
SPEAK = Verb("speak", "", "parler", "none", frequent=True)


def verbs(*frames: str) -> list[Verb]:
    """Return the verbs of these frames, in the order of the list."""
    return [verb for verb in VERBS if verb.frame in frames]


def verb(english: str, frame: str = "") -> Verb:
    """Return the verb of this English spelling, particle included."""
    return next(
        entry
        for entry in VERBS
        if f"{entry.en} {entry.particle}".strip() == english and frame in ("", entry.frame)
    )


@dataclass(frozen=True, slots=True)
class Head:
    """A verb before an infinitive: `try to` → essayer de.

    `auxiliary`: an English modal, without do or to. `before` is the French preposition.
    """

    en: str
    fr: str
    before: str = ""
    auxiliary: bool = False
    stative: bool = False


CAN = Head("can", "pouvoir", auxiliary=True, stative=True)
MUST = Head("must", "devoir", auxiliary=True, stative=True)
WOULD_LIKE = Head("would", "vouloir", auxiliary=True, stative=True)
WANT_TO = Head("want", "vouloir", stative=True)
HAVE_TO = Head("have", "devoir", stative=True)
LIKE_TO = Head("like", "aimer", stative=True)
TRY_TO = Head("try", "essayer", "de")
FORGET_TO = Head("forget", "oublier", "de")
START_TO = Head("start", "commencer", "à")
GOING_TO = Head("going", "aller", auxiliary=True, stative=True)
