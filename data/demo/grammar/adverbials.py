"""Adverbials of time, place, manner and company that fit the tense and the verb."""

from grammar.conjugation import WITH_ETRE
from grammar.meaning import Clause, Translation
from grammar.nouns import HE, NOUN_OF, NUMBERS, SHE, THEY, WE, YOU, I, nouns
from grammar.phrases import (
    Draw,
    NounPhrase,
    name,
    person,
    preposition,
    pronoun,
    town,
    with_determiner,
)
from grammar.tokens import En, Fr, Phrase, linked
from grammar.verbs import (
    GOING_TO,
)

DAYS = (("Monday", "lundi"), ("Tuesday", "mardi"), ("Friday", "vendredi"), ("Sunday", "dimanche"))
MID: dict[str, tuple[Translation, ...]] = {
    "present": (("always", "toujours"), ("often", "souvent"), ("sometimes", "parfois")),
    "past": (("often", "souvent"),),
    "perfect": (("already", "déjà"),),
    "progressive": (("still", "encore"),),
}
MANNERS: tuple[Translation, ...] = (("well", "bien"), ("badly", "mal"), ("a lot", "beaucoup"))
VERBS_WITH_MANNER = frozenset(
    [
        "sleep",
        "work",
        "sing",
        "dance",
        "swim",
        "play",
        "eat",
        "laugh",
        "cry",
        "read",
    ]
)


def _week(english: str, french: str) -> Phrase:
    """last week → la semaine dernière."""
    which, week = En(english), En("week")
    return Phrase(
        [which, week],
        [Fr("la", (), (week,)), Fr("semaine", (week,)), Fr(french, (which,))],
    )


def _day(draw: Draw) -> Phrase:
    """on Monday → lundi."""
    english, french = draw.pick(DAYS)
    on, day = En("on"), En(english)
    return Phrase([on, day], [Fr(french, (day,), (on,))])


def _part_of_day(draw: Draw) -> Phrase:
    """in the morning → le matin; at night → la nuit."""
    if draw.chance(0.3):
        at, night = En("at"), En("night")
        return Phrase([at, night], [Fr("la", (), (at, night)), Fr("nuit", (night,))])
    english, french = draw.pick([("morning", "matin"), ("evening", "soir")])
    within, the, part = En("in"), En("the"), En(english)
    return Phrase([within, the, part], [Fr("le", (the,), (within,)), Fr(french, (part,))])


def oclock(draw: Draw, english: str = "at") -> Phrase:
    """at three o'clock → à trois heures."""
    if draw.chance(0.2):
        return linked(f"{english}=à " + draw.pick(["noon=midi", "midnight=minuit"]))
    return linked(f"{english}=à") + hour(draw)


def hour(draw: Draw) -> Phrase:
    """three o'clock → trois heures."""
    number, french = draw.pick([("one", "une"), *NUMBERS[:-1]])
    hours = "heure" if number == "one" else "heures"
    return linked(f"{number}={french} o'clock={hours}")


def time_adverbial(draw: Draw, tense: str, people: frozenset[str] | None = None) -> Phrase:
    """Return a time that fits the tense, or with `people` (of the clause) perhaps a companion."""
    today = ["today=aujourd'hui", "this=ce evening=soir", "tonight=ce+soir"]
    if tense in ("past", "imperfect"):
        specs = ["yesterday=hier", "yesterday=hier", "this=ce morning=matin", "last"]
    elif tense == "future":
        specs = ["tomorrow=demain", "tomorrow=demain", *today, "next", "day", "hour"]
    elif tense == "progressive":
        specs = ["now=maintenant", "today=aujourd'hui", *(["with"] if people is not None else [])]
    else:
        specs = ["every=tous+les day=jours", "here=ici", "part", "hour", "today=aujourd'hui"]
    spec = draw.pick(specs)
    makers = {
        "last": lambda: _week("last", "dernière"),
        "next": lambda: _week("next", "prochaine"),
        "day": lambda: _day(draw),
        "hour": lambda: oclock(draw),
        "part": lambda: _part_of_day(draw),
        "with": lambda: companion(draw, people or frozenset()),
    }
    return makers[spec]() if spec in makers else linked(spec)


def people_in(clause: Clause) -> frozenset[str]:
    """Return the words of the people in the clause."""
    parts = (clause.subject, clause.direct, clause.indirect)
    return frozenset(word.text for part in parts if part for word in part.en)


def companion(draw: Draw, people: frozenset[str]) -> Phrase:
    """with him, without Marie: a person who is not in the clause."""
    english, french = draw.pick([("with", "avec"), ("with", "avec"), ("without", "sans")])
    if people & {"I", "we", "me", "us"}:
        people |= {"I", "we"}
    others = [one for one in (I, YOU, HE, SHE, WE, THEY) if not people & {one.en, one.en_object}]
    if draw.chance(0.5):
        return preposition(english, french, pronoun(draw.pick(others), case="object"))
    who = person(draw)
    while who.last.text in people:
        who = person(draw)
    return preposition(english, french, who)


PLACES = (("in", "dans"), ("behind", "derrière"), ("in front of", "devant"), ("near", "près de"))
SURFACES = (("on", "sur"), ("under", "sous"), ("next to", "à côté de"))


def place_of_thing(draw: Draw) -> Phrase:
    """The place of a thing: on the table, in the kitchen, under the tree."""
    if draw.chance(0.4):
        english, french = draw.pick(SURFACES)
        return preposition(english, french, with_determiner(NOUN_OF["table"], "the"))
    room = draw.pick(["kitchen", "office", "house", "garden", "school", "hotel", "shop"])
    return preposition("in", "dans", with_determiner(NOUN_OF[room], "the"))


def place_of_building(draw: Draw) -> Phrase:
    """The place of a building: in Paris, near the river."""
    if draw.chance(0.4):
        return town(draw)
    english, french = draw.pick((*PLACES[1:], ("next to", "à côté de")))
    place = draw.pick(nouns("landmark")[1:] + nouns("building"))
    return preposition(english, french, with_determiner(place, "the"))


def place_of(draw: Draw, who: NounPhrase) -> Phrase:
    """A place that fits a noun of this kind."""
    if who.pronoun or who.human or "animal" in who.classes:
        return place_adverbial(draw)
    return place_of_building(draw) if "place" in who.classes else place_of_thing(draw)


def place_adverbial(draw: Draw) -> Phrase:
    """A place to be: here, at school, behind the house, in Paris, at Marie's house."""
    kind = draw.weighted(
        [("house", 1), ("town", 2), ("set", 2), ("place", 5), ("at", 2), ("table", 2)]
    )
    if kind == "house":
        owner, at, mark, house = name(draw), En("at"), En("'s"), En("house")
        chez = Fr("chez", (at, house), (mark,))
        return Phrase([at, *owner.en, mark, house], [chez, *owner.fr])
    if kind == "town":
        return town(draw)
    if kind == "set":
        return draw.pick([lambda: linked("here=ici"), at_home, at_school])()
    if kind == "at":
        return preposition("at", "à", with_determiner(draw.pick(nouns("building")), "the"))
    if kind == "table":
        english, french = draw.pick(SURFACES)
        place = draw.pick(
            [noun for noun in nouns("landmark") if noun.en in ("table", "tree", "bridge")]
        )
        if place.en != "table" and english == "on":
            english, french = "under", "sous"
        return preposition(english, french, with_determiner(place, "the"))
    english, french = draw.pick(PLACES)
    kind = {"in": "inside", "near": "place"}.get(english, "building")
    return preposition(english, french, with_determiner(draw.pick(nouns(kind)), "the"))


def at_home() -> Phrase:
    """at home → à la maison."""
    at, home = En("at"), En("home")
    article = Fr("la", (), (home,), article=True)
    return Phrase([at, home], [Fr("à", (at,)), article, Fr("maison", (home,))])


def at_school(english: str = "at") -> Phrase:
    """at school → à l'école."""
    at, school = En(english), En("school")
    article = Fr("la", (), (school,), article=True)
    return Phrase([at, school], [Fr("à", (at,)), article, Fr("école", (school,))])


def destination(draw: Draw) -> Phrase:
    """to the market, to school, to Paris, to the doctor's: the destination of a journey."""
    kind = draw.weighted([("place", 6), ("town", 2), ("school", 1)])
    if kind == "town":
        return town(draw, "to")
    if kind == "school":
        return at_school("to")
    place = draw.pick([noun for noun in nouns("place") if "room" not in noun.classes])
    return preposition("to", "à", with_determiner(place, "the"))


def add_adverbial(draw: Draw, clause: Clause, *, often: float) -> None:
    """Add an adverb before the verb, one of manner, or a time or place, to a clause without any."""
    if not draw.chance(often):
        return
    tense = "future" if clause.head is GOING_TO else clause.tense
    free = not clause.head and not clause.negation
    if clause.verb.stative or clause.negation == "anymore" or clause.verb.particle == "in":
        return
    choices: list[tuple[str, float]] = [("when", 2)]
    if clause.head and clause.head is not GOING_TO:
        choices = [("where", 1)] if clause.verb.frame == "none" else []
    action = clause.verb.frame == "none" and clause.verb.fr not in WITH_ETRE
    is_durative = tense != "progressive" or (action and not clause.verb.reflexive)  # not again
    if free and tense in MID and not clause.verb.stative and is_durative:
        choices.append(("mid", 2))
    if clause.verb.en in VERBS_WITH_MANNER and clause.verb.frame == "none" and not clause.head:
        choices.append(("manner", 3))
    if clause.verb.frame == "none" and not clause.verb.reflexive:
        choices.append(("where", 1))
    if not choices:
        return
    kind = draw.weighted(choices)
    if kind == "mid":
        clause.mid = draw.pick(MID[tense])
    elif kind == "manner":
        clause.manner = MANNERS[2] if clause.verb.en in ("cry", "laugh") else draw.pick(MANNERS)
    elif kind == "when" and tense != "perfect":
        without_object = clause.verb.frame in ("none", "place")
        clause.tail = clause.tail + time_adverbial(
            draw, tense, people_in(clause) if without_object else None
        )
    elif kind == "where" and clause.verb.en not in ("go", "come", "fall", "leave", "get"):
        clause.tail = clause.tail + place_adverbial(draw)
