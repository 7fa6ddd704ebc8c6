"""Plausible clauses: tenses, objects and negations that fit a verb."""

from grammar.adverbials import add_adverbial, destination, place_of
from grammar.conjugation import past, past_participle
from grammar.meaning import Clause, ambiguous
from grammar.nouns import IT, THEY, adjectives_for, nouns
from grammar.phrases import (
    Draw,
    NounPhrase,
    noun_phrase,
    object_pronoun,
    person,
    pronoun,
    with_determiner,
)
from grammar.tokens import En, Fr, Phrase, linked
from grammar.verbs import (
    BE,
    CAN,
    FORGET_TO,
    GOING_TO,
    HAVE,
    HAVE_TO,
    LIKE_TO,
    MUST,
    START_TO,
    TRY_TO,
    WANT,
    WANT_TO,
    WOULD_LIKE,
    Head,
    Verb,
    verb,
    verbs,
)

WITHOUT_PROGRESSIVE = frozenset(["see", "hear", "understand", "forget", "find", "break"])
PAST_PROGRESSIVE = frozenset(["sleep", "work", "talk", "eat", "play", "read", "wait", "listen"])
INVOLUNTARY = frozenset(["fall", "lose", "forget", "break", "hear"])
HEADS: tuple[tuple[Head, float], ...] = (
    (CAN, 6), (MUST, 4), (WANT_TO, 6), (WOULD_LIKE, 4), (HAVE_TO, 3), (LIKE_TO, 2), (TRY_TO, 2),
    (FORGET_TO, 1), (START_TO, 1), (GOING_TO, 6),
)  # fmt: skip
Timing = tuple[str, Head | None]


def has_perfect(action: Verb) -> bool:
    """Return whether the corpus has the perfect of a verb; rare English participles are
    excluded."""
    return action.frequent or past(action.en) == past_participle(action.en)


def timing(draw: Draw, action: Verb, *, heads: float = 0.15, is_question: bool = False) -> Timing:
    """Return a tense for this verb, and perhaps a verb that governs it."""
    if action.stative:
        ahead = 1.0 if action.frequent else 0.0
        return draw.weighted([("present", 7.0), ("past", 2.0), ("future", ahead)]), None
    if draw.chance(heads):
        choices = [(GOING_TO, 2.0), (CAN, 1.0)] if action.en in INVOLUNTARY else HEADS
        head = draw.weighted(choices)
        if is_question and head in (FORGET_TO, TRY_TO, MUST):
            head = WANT_TO
        past = head in (TRY_TO, FORGET_TO, START_TO) or (head is WANT_TO and draw.chance(0.2))
        return "past" if past else "present", head
    progressive = 0.0 if action.en in WITHOUT_PROGRESSIVE else 3.0
    imperfect = 0.6 if action.en in PAST_PROGRESSIVE else 0.0
    tense = draw.weighted(
        [
            ("present", 3.0),
            ("progressive", progressive),
            ("past", 3.0),
            ("perfect", 1.0 if has_perfect(action) else 0.0),
            ("imperfect", imperfect),
            ("future", 1.0 if action.frequent else 0.0),
        ]
    )
    return tense, None


def negation(draw: Draw, clause: Clause, *, often: float = 0.2) -> str:
    """Return a negation that fits the clause's tense and object, or none."""
    has_quantity = clause.direct is not None and clause.direct.kind == "quantity"
    if has_quantity or clause.head is HAVE_TO or not draw.chance(often):
        return ""
    if draw.chance(0.7) or (clause.head and clause.head.auxiliary):
        return "not"
    choices: list[tuple[str, float]] = [("not", 1)]
    if clause.tense in ("present", "past", "perfect", "future") and not clause.head:
        choices.append(("never", 3))
    if clause.tense in ("present", "progressive") and not clause.head:
        choices.append(("anymore", 2))
    objects = clause.direct and clause.verb.frame == "direct" and not clause.head
    if objects and clause.verb not in (HAVE, WANT) and not clause.verb.stative:
        has_person = set(clause.verb.objects) & {"person"}
        choices.append(("nobody" if has_person else "nothing", 3))
        if clause.verb.en in ("see", "hear", "find", "understand"):
            choices.append(("nothing", 3))
    return draw.weighted(choices)


# ---------------------------------------------------------------- objects


def thing_for(draw: Draw, action: Verb, *, polite: bool = False) -> NounPhrase:
    """Return a direct object that fits the verb."""
    classes = [kind for kind in action.objects if nouns(kind)]
    kind = draw.pick(classes)
    if kind in ("person", "kin"):
        return person(draw, polite=polite)
    if kind == "animal":
        return noun_phrase(draw, "animal", polite=polite)
    noun = draw.pick(nouns(kind))
    mass = not noun.en_plural
    is_liking = action.en in ("love", "like", "hate")
    if mass and kind in ("eat", "drink", "dish"):
        if is_liking:
            return with_determiner(noun, "generic")
        return with_determiner(noun, draw.weighted([("some", 3), ("bare", 2), ("the", 2)]))
    if is_liking and draw.chance(0.5) and kind in ("food", "animal", "read"):
        return with_determiner(noun, "generic", plural=True)
    if noun.en_plural and draw.chance(0.15):
        det = draw.pick(["some", "a lot of", "a few", "several", "many", "too many", "some"])
        return with_determiner(noun, det, plural=True)
    return noun_phrase(draw, kind, polite=polite)


def object_for(
    draw: Draw, action: Verb, owner: NounPhrase | None, *, clitic: float, polite: bool = False
) -> NounPhrase:
    """Return a direct object: a pronoun with the probability `clitic`, or a noun phrase."""
    if not draw.chance(clitic):
        thing = thing_for(draw, action, polite=polite)
        return _other_person(draw, owner, polite=polite) if thing.kind == "name" else thing
    if action.human:
        return object_pronoun(draw, owner, human=True, polite=polite)
    if set(action.objects) & {"person", "kin"}:
        return object_pronoun(draw, owner, polite=polite)
    things = [IT] if action.en == "drink" else [IT, IT, THEY]
    return pronoun(draw.pick(things), case="object")


def receiver_for(draw: Draw, owner: NounPhrase | None, *, polite: bool = False) -> NounPhrase:
    """Return the person to whom something is given or told."""
    if draw.chance(0.6):
        return object_pronoun(draw, owner, human=True, polite=polite)
    return _other_person(draw, owner, polite=polite)


def _other_person(draw: Draw, owner: NounPhrase | None, *, polite: bool = False) -> NounPhrase:
    """Return a person other than the subject."""
    owner_words = {word.text for word in owner.en} if owner else set()
    whom = person(draw, polite=polite, plural=0.15)
    while whom.kind == "name" and whom.last.text in owner_words:
        whom = person(draw, polite=polite, plural=0.15)
    return whom


# ---------------------------------------------------------------- clauses


def with_timing(
    draw: Draw, clause: Clause, *, heads: float = 0.15, is_question: bool = False
) -> Clause:
    """Return the clause with a sampled tense, governing verb and negation."""
    clause.tense, clause.head = timing(draw, clause.verb, heads=heads, is_question=is_question)
    if ambiguous(clause):
        clause.tense = "perfect"
    clause.negation = negation(draw, clause, often=0.05 if is_question else 0.2)
    return clause


def transitive_clause(draw: Draw, who: NounPhrase, *, clitic: float = 0.5) -> Clause:
    """Someone does something to something."""
    action = draw.pick(verbs("direct"))
    return Clause(who, action, direct=object_for(draw, action, who, clitic=clitic))


def ditransitive_clause(draw: Draw, who: NounPhrase, *, polite: bool = False) -> Clause:
    """Someone gives something to someone."""
    action = draw.pick(verbs("give"))
    receiver = receiver_for(draw, who, polite=polite)
    thing = object_for(draw, action, who, clitic=0.5, polite=polite)
    fixed_order = action.en == "explain" or thing.pronoun
    shifted = not fixed_order and draw.chance(0.9 if receiver.pronoun else 0.3)
    return Clause(who, action, direct=thing, indirect=receiver, shifted=shifted)


def indirect_object_clause(draw: Draw, who: NounPhrase, *, polite: bool = False) -> Clause:
    """Someone talks to, answers or thinks about someone."""
    action = draw.pick([*verbs("indirect"), *verbs("indirect"), *verbs("de", "à")])
    return Clause(who, action, indirect=receiver_for(draw, who, polite=polite))


def intransitive_clause(draw: Draw, who: NounPhrase) -> Clause:
    """Someone does something that concerns no one else."""
    return Clause(who, draw.pick(verbs("none")))


def motion_clause(draw: Draw, who: NounPhrase) -> Clause:
    """Someone goes to a place."""
    clause = Clause(who, verb("go"))
    if draw.chance(0.12):
        clause.there = True
    else:
        clause.tail = destination(draw)
    return clause


def state_clause(draw: Draw, who: NounPhrase) -> Clause:
    """A state of someone or something, or its existence."""
    human = who.pronoun is not None or who.human
    fitting = human or adjectives_for(who.classes, predicate=True)
    if not fitting or draw.chance(0.25):
        return Clause(who, BE, tail=place_of(draw, who))
    return Clause(who, BE, tail=quality(draw, who))


def any_clause(draw: Draw, who: NounPhrase, *, is_question: bool = False) -> Clause:
    """Return a clause of any of these kinds with a human subject, a tense and adverbials."""
    maker = draw.weighted(
        [
            (transitive_clause, 5),
            (ditransitive_clause, 1.5),
            (indirect_object_clause, 2),
            (intransitive_clause, 3),
            (motion_clause, 1),
            (state_clause, 2),
        ]
    )
    clause = with_timing(draw, maker(draw, who), is_question=is_question)
    if maker is intransitive_clause:
        add_adverbial(draw, clause, often=0.6)
    elif maker in (transitive_clause, indirect_object_clause, motion_clause):
        add_adverbial(draw, clause, often=0.15)
    return clause


def quality(draw: Draw, who: NounPhrase) -> Phrase:
    """A predicate adjective that agrees with its subject, maybe with very or too."""
    human = who.pronoun is not None or who.human
    classes = frozenset({"person", "adult"}) if human else who.classes
    adjective = draw.pick(adjectives_for(classes, predicate=True))
    word = En(adjective.en)
    form = adjective.agreeing(who.gender, plural=who.plural)
    phrase = Phrase([word], [Fr(form, (word,))])
    if adjective.comparative != "-" and draw.chance(0.2):
        return linked(draw.pick(["very=très", "too=trop"])) + phrase
    return phrase
