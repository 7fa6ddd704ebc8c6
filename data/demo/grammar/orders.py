"""Orders to vous and proposals to nous, with their clitics after the verb or before it."""

from dataclasses import replace

from grammar.adverbials import destination, oclock
from grammar.clauses import imperative
from grammar.meaning import Clause
from grammar.phrases import (
    Draw,
    NounPhrase,
    object_pronoun,
    person,
    preposition,
)
from grammar.scenes import ditransitive_clause, object_for
from grammar.tokens import Phrase, group, linked
from grammar.verbs import (
    BE,
    FORGET_TO,
    TRY_TO,
    verb,
    verbs,
)

#: The subject of an imperative: unspoken, and vous in French.
IMPERATIVE_SUBJECT = NounPhrase([], [], [], "m", plural=False, person=4, kind="pronoun")


def order(draw: Draw) -> Phrase:
    """Look it up → cherchez-le; don't look at them → ne les regardez pas."""
    ordinary = [one for one in verbs("direct") if one.en not in WITHOUT_IMPERATIVE]
    phrasal = [one for one in ordinary if one.particle]
    action = draw.pick(phrasal if draw.chance(0.45) else ordinary)
    clause = Clause(
        IMPERATIVE_SUBJECT,
        action,
        direct=object_for(draw, action, IMPERATIVE_SUBJECT, clitic=0.6, polite=True),
    )
    clause.negation = draw.weighted([("", 7), ("not", 2), ("never", 0.4)])
    if clause.direct and clause.direct.kind == "quantity":
        clause.negation = ""
    if draw.chance(0.1):
        clause.head = draw.pick([TRY_TO, FORGET_TO])
        clause.negation = "not" if clause.head is FORGET_TO else ""
    return _with_please(draw, imperative(clause, draw))


WITHOUT_IMPERATIVE = frozenset(
    ("like", "know", "lose", "see", "find", "hear", "love", "understand", "meet", "forget", "break")
)


def order_to_give(draw: Draw) -> Phrase:
    """Give it to me → donnez-le-moi; don't give it to him → ne le lui donnez pas."""
    clause = ditransitive_clause(draw, IMPERATIVE_SUBJECT, polite=True)
    has_quantity = clause.direct is not None and clause.direct.kind == "quantity"
    clause.negation = "not" if not has_quantity and draw.chance(0.2) else ""
    if draw.chance(0.15) and clause.verb.en in ("give", "bring"):
        who = object_pronoun(draw, human=True, polite=True)
        clause = Clause(IMPERATIVE_SUBJECT, clause.verb, indirect=who, some="some", shifted=True)
        clause.direct = None
        return _with_please(draw, _give_some(clause, draw))
    return _with_please(draw, imperative(clause, draw))


def _give_some(clause: Clause, draw: Draw) -> Phrase:
    """Give me some → donnez-m'en."""
    clause.verb = replace(clause.verb, frame="indirect")
    return imperative(clause, draw)


VERBS_WITH_SPEED = frozenset(["eat", "talk", "walk", "run", "swim", "leave", "work", "read", "get"])


def _order_adverbial(draw: Draw, clause: Clause) -> Phrase:
    """now, here, quickly, at noon, with me."""
    specs = ["now=maintenant", "here=ici", "tomorrow=demain", "hour", "with"]
    if clause.verb.en in VERBS_WITH_SPEED:
        specs = [*specs, "quickly=vite", "slowly=lentement"]
    spec = draw.pick(specs)
    if spec == "hour":
        return oclock(draw)
    if spec == "with":
        who = object_pronoun(draw, IMPERATIVE_SUBJECT, human=True, polite=True)
        return preposition("with", "avec", who)
    return linked(spec)


def order_to_act(draw: Draw) -> Phrase:
    """Get up → levez-vous; don't run → ne courez pas; go to the market."""
    kind = draw.weighted([("act", 5), ("go", 2), ("be", 1), ("talk", 2), ("some", 1)])
    if kind == "act":
        words = [one for one in verbs("none") if one.en != "fall"]
        clause = Clause(IMPERATIVE_SUBJECT, draw.pick(words))
        if draw.chance(0.45):
            clause.tail = _order_adverbial(draw, clause)
    elif kind == "go":
        clause = Clause(IMPERATIVE_SUBJECT, verb("go"))
        clause.there = draw.chance(0.3)
        if not clause.there:
            clause.tail = destination(draw)
        elif draw.chance(0.6):
            clause.tail = _order_adverbial(draw, clause)
    elif kind == "be":
        words = ["kind=gentil", "ready=prêt", "happy=heureux", "intelligent=intelligent"]
        clause = Clause(IMPERATIVE_SUBJECT, BE, tail=linked(draw.pick(words)))
        if draw.chance(0.3):
            clause.negation = "not"
            clause.tail = linked(draw.pick(["sad=triste", "late=en+retard"]))
            return imperative(clause, draw)
    elif kind == "talk":
        action = draw.pick([*verbs("indirect"), verb("think about")])
        who = (
            object_pronoun(draw, IMPERATIVE_SUBJECT, human=True, polite=True)
            if draw.chance(0.6)
            else person(draw, polite=True)
        )
        clause = Clause(IMPERATIVE_SUBJECT, action, indirect=who)
    else:
        clause = Clause(
            IMPERATIVE_SUBJECT,
            draw.pick([verb("take"), verb("buy"), verb("eat", "direct")]),
            some="some",
        )
    clause.negation = "not" if draw.chance(0.3) else ""
    return _with_please(draw, imperative(clause, draw))


def proposal(draw: Draw) -> Phrase:
    """Let's eat → mangeons; let's look at them → regardons-les."""
    together = replace(IMPERATIVE_SUBJECT, person=3, plural=True)
    kind = draw.weighted([("act", 3), ("direct", 4), ("go", 2)])
    if kind == "act":
        words = [one for one in verbs("none") if one.en not in ("fall", "cry", "come")]
        clause = Clause(together, draw.pick(words))
    elif kind == "go":
        clause = Clause(together, verb("go"), tail=destination(draw))
        clause.there = draw.chance(0.2)
        if clause.there:
            clause.tail = Phrase()
    else:
        action = draw.pick([one for one in verbs("direct") if one.en not in WITHOUT_IMPERATIVE])
        clause = Clause(
            together, action, direct=object_for(draw, action, together, clitic=0.5, polite=True)
        )
    return imperative(clause, draw, together=True)


def _with_please(draw: Draw, phrase: Phrase) -> Phrase:
    if not draw.chance(0.08):
        return phrase
    return phrase + linked(",=,") + group("please", "s' il vous plaît")
