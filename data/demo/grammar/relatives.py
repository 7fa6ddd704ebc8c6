"""Sentences that contain others: relative clauses, that, because, when, and."""

from dataclasses import replace

from grammar.adverbials import add_adverbial, destination, place_of
from grammar.clauses import statement
from grammar.meaning import Clause
from grammar.nouns import ADJECTIVES, IT, PERSONAL, adjectives_for
from grammar.phrases import (
    Draw,
    NounPhrase,
    both,
    name,
    noun_phrase,
    pronoun,
    subject,
    two_names,
)
from grammar.scenes import WITHOUT_PROGRESSIVE, any_clause, object_for, quality, with_timing
from grammar.tokens import En, Fr, Phrase, linked
from grammar.verbs import BE, BE_HAVING, BE_WEATHER, RAIN, SAYING, SNOW, Verb, verb, verbs

#: Verbs whose human subject and human object may follow each other in a chain.
AMONG_PEOPLE = tuple(
    verb(word)
    for word in ("see", "look at", "look for", "wait for", "love", "know", "help", "call",
                 "hear", )
)  # fmt: skip
OVER_THINGS = tuple(
    verb(word)
    for word in ("see", "look for", "buy", "sell", "find", "take", "carry", "like", "lose")
)
TELLING = tuple(verb(word, "direct") for word in ("read", "write", "like"))


def _relative_pronoun(antecedent: NounPhrase, french: str) -> NounPhrase:
    english = "who" if antecedent.human and french == "qui" else "that"
    word = En(english)
    return NounPhrase(
        [word],
        [],
        [Fr(french, (word,))],
        antecedent.gender,
        antecedent.plural,
        antecedent.person,
        "definite",
        antecedent.classes,
    )


def with_relative(draw: Draw, antecedent: NounPhrase, *, depth: int) -> NounPhrase:
    """Add a relative clause to `antecedent`, which contains `depth` - 1 more."""
    if depth < 1:
        return antecedent
    probability = 0.85 if depth > 1 else 0.6
    if draw.chance(probability if antecedent.human else 0.3):
        inside = _as_subject(draw, antecedent, depth)
    else:
        inside = _as_object(draw, antecedent)
    antecedent.en = [*antecedent.en, *inside.en]
    antecedent.fr = [*antecedent.fr, *inside.fr]
    antecedent.kind = "definite"
    return antecedent


def _as_subject(draw: Draw, antecedent: NounPhrase, depth: int) -> Phrase:
    """who sees the man → qui voit l'homme."""
    who = _relative_pronoun(antecedent, "qui")
    if depth == 1 and (draw.chance(0.35) or not antecedent.human):
        fitting = antecedent.human or adjectives_for(antecedent.classes, predicate=True)
        plain = len(antecedent.fr) == 1  # no second adjective: not the black shirt that is black
        is_place = not fitting or not plain or draw.chance(0.6)
        tail = place_of(draw, antecedent) if is_place else quality(draw, antecedent)
        clause = Clause(who, BE, tail=tail)
        clause.tense = draw.weighted([("present", 4), ("past", 1)])
        return statement(clause, draw)
    if not antecedent.human:
        return statement(Clause(who, BE, tail=place_of(draw, antecedent)), draw)
    action = draw.pick(AMONG_PEOPLE)
    if depth > 1:
        classes = draw.pick([("person",), ("person",), ("thing", "read")])
    else:
        classes = draw.pick([("person",), ("animal",), ("thing",)])
    if "person" not in classes:
        action = draw.pick([one for one in OVER_THINGS if one.en != "like"])
    whom = _definite(draw, *classes)
    while whom.last.text == antecedent.en[-1].text:
        whom = _definite(draw, *classes)
    clause = Clause(who, action, direct=with_relative(draw, whom, depth=depth - 1))
    clause.tense = _tense(draw, action)
    return statement(clause, draw)


def _as_object(draw: Draw, antecedent: NounPhrase) -> Phrase:
    """that the man sees → que l'homme voit; the participle agrees with the antecedent."""
    que = _relative_pronoun(antecedent, "que")
    actions: tuple[Verb, ...] = OVER_THINGS
    if antecedent.human:
        actions = AMONG_PEOPLE
    elif "read" in antecedent.classes:
        actions = TELLING
    action = draw.pick(actions)
    who = pronoun(draw.pick(PERSONAL)) if draw.chance(0.55) else _definite(draw, "person")
    if draw.chance(0.2):
        who = name(draw)
    clause = Clause(who, action, agreement=(antecedent.gender, antecedent.plural))
    clause.tense = _tense(draw, action)
    return Phrase(que.en, que.fr) + statement(clause, draw)


def _tense(draw: Draw, action: Verb) -> str:
    if action.stative:
        return "present"
    if action.en in ("lose", "find", "sell"):
        return "past"
    progressive = 0.0 if action.en in ("see", "hear", "find") else 2.0
    return draw.weighted([("present", 3.0), ("progressive", progressive), ("past", 3.0)])


def _definite(draw: Draw, *classes: str) -> NounPhrase:
    return noun_phrase(draw, *classes, det="the", plural=0.2, adjective=0.12, owner=0)


def relative(draw: Draw, depth: int | None = None) -> Phrase:
    """The woman who sees the man … sleeps; I know the woman who sees the man who …"""
    if depth is None:
        depth = draw.weighted([(1, 5), (2, 3.5), (3, 3)])
    classes = draw.weighted([(("person",), 5), (("thing",), 2), (("read",), 1), (("animal",), 1)])
    whom = _definite(draw, *classes)
    human = whom.human
    whom = with_relative(draw, whom, depth=depth if human else 1)
    if draw.chance(0.4):
        if human and draw.chance(0.5):
            action = draw.pick([one for one in verbs("none") if one.en not in ("come", "fall")])
            clause = with_timing(draw, Clause(whom, action), heads=0)
            if clause.negation not in ("", "not"):
                clause.negation = ""
        else:
            clause = Clause(whom, BE, tail=quality(draw, whom))
        return statement(clause, draw)
    who = subject(draw, pronouns=0.7)
    if human:
        action = draw.pick(AMONG_PEOPLE)
    else:
        action = draw.pick(OVER_THINGS if "thing" in whom.classes else AMONG_PEOPLE[:3])
    clause = Clause(who, action, direct=whom)
    clause.tense = _tense(draw, action)
    clause.negation = "not" if draw.chance(0.12) else ""
    return statement(clause, draw)


# ---------------------------------------------------------------- conjunctions


def reported_speech(draw: Draw) -> Phrase:
    """I know that he is tired → je sais qu'il est fatigué."""
    matrix = Clause(subject(draw, pronouns=0.8), draw.pick(SAYING))
    matrix.tense = "present"
    clause = any_clause(draw, subject(draw))
    clause.mid = None
    if matrix.verb.en == "hope" and clause.tense not in ("present", "future"):
        clause.tense = "future" if clause.verb.frequent and not clause.head else "present"
        clause.negation = "not" if clause.negation else ""
    matrix.tail = linked("that=que") + statement(clause, draw)
    return statement(matrix, draw)


def indirect_question(draw: Draw) -> Phrase:
    """I don't know where she lives → je ne sais pas où elle habite."""
    matrix = Clause(subject(draw, pronouns=0.85), SAYING[0])
    matrix.negation = "not" if draw.chance(0.6) else ""
    inner = Clause(
        subject(draw),
        draw.pick([verb("work"), verb("sleep"), verb("eat", "none"), verb("go"), verb("live"), BE]),
    )
    if inner.verb.frame in ("place", "town") or inner.verb is BE:
        word = "where=où"
        inner.tense = "progressive" if inner.verb.en == "go" else "present"
    else:
        word = draw.pick(["where=où", "why=pourquoi", "when=quand"])
        inner.tense = draw.pick(["present", "past"])
    if draw.chance(0.25):
        word = "why=pourquoi"
        inner = Clause(inner.subject, BE, tail=quality(draw, inner.subject))
    question = statement(inner, draw)
    if word == "where=où" and inner.verb is BE and not inner.subject.pronoun:
        n_subject = len(inner.subject.det + inner.subject.fr)
        question.fr = question.fr[n_subject:] + question.fr[:n_subject]  # où sont les garçons
    matrix.tail = linked(word) + question
    return statement(matrix, draw)


def supposition(draw: Draw) -> Phrase:
    """Maybe she is sick → peut-être qu'elle est malade."""
    maybe = En("maybe")
    first = Phrase([maybe], [Fr("peut-être", (maybe,)), Fr("que", (), (maybe,))])
    return first + statement(any_clause(draw, subject(draw)), draw)


#: Why people do things: a state and the verbs it makes plausible.
CAUSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tired", ("sleep", "rest", "go to bed", "go home", "stay", "sit down", "go")),
    ("happy", ("sing", "dance", "laugh", "smile", "play", "help")),
    ("sad", ("cry", "leave", "walk", "wait", "write", "read", "call")),
    ("sick", ("stay", "rest", "sleep", "go home", "go to bed", "call", "go")),
    ("alone", ("cry", "read", "eat", "walk", "listen to", "look for", "call")),
    ("busy", ("work", "hurry", "leave", "write", "stay", "clean")),
    ("rich", ("buy", "buy", "help", "pay for", "sell")),
    ("hungry=faim", ("eat", "eat", "buy food", "go home", "go", "cut")),
    ("thirsty=soif", ("drink", "drink", "ask for")),
    ("cold=froid", ("put on", "put on", "go home", "run", "close", "drink")),
    ("hot=chaud", ("take off", "take off", "swim", "open", "rest", "drink")),
    ("afraid=peur", ("cry", "run", "leave", "close", "wait for", "call", "look for")),
    ("sleepy=sommeil", ("sleep", "rest", "go to bed", "go home", "turn off")),
    ("it cold=froid", ("put on", "close", "stay", "hurry", "buy", "go home")),
    ("it hot=chaud", ("take off", "open", "swim", "walk", "rest", "go")),
    ("rain", ("stay", "run", "go home", "close", "hurry", "work")),
    ("snow", ("stay", "play", "laugh", "go out", "go", "put on", "sing")),
)


def _action_and_cause(draw: Draw, who: NounPhrase, *, past: bool = False) -> tuple[Clause, Clause]:
    """An action and the state that explains it, in the present or the past."""
    state, actions = draw.pick(CAUSES)
    action = draw.pick(actions)
    clause = _action_clause(draw, who, action)
    slow = clause.verb.en in WITHOUT_PROGRESSIVE
    clause.tense = "past" if past else "present" if slow else draw.pick(["present", "progressive"])
    cause = _state_clause(draw, _pronoun_of(who), state)
    if past:
        cause.tense = "imperfect" if cause.verb in (RAIN, SNOW) else "past"
    return clause, cause


def _action_clause(draw: Draw, who: NounPhrase, action: str) -> Clause:
    if action == "go":
        return Clause(who, verb("go"), tail=destination(draw))
    if action == "buy food":
        food = noun_phrase(draw, "food", det="some", plural=2, adjective=0)
        return Clause(who, verb("buy"), direct=food)
    bare = [one for one in verbs("none") if f"{one.en} {one.particle}".strip() == action]
    if bare and (action not in ("eat", "read", "wait") or draw.chance(0.5)):
        return Clause(who, bare[0])
    action_verb = verb(action, "direct")
    return Clause(who, action_verb, direct=object_for(draw, action_verb, who, clitic=0.5))


def _state_clause(draw: Draw, who: NounPhrase, state: str) -> Clause:
    if state in ("rain", "snow"):
        return Clause(pronoun(IT), {"rain": RAIN, "snow": SNOW}[state], tense="progressive")
    if state.startswith("it "):
        return Clause(pronoun(IT), BE_WEATHER, tail=linked(state.removeprefix("it ")))
    if "=" in state:
        return Clause(who, BE_HAVING, tail=linked(state))
    adjective = next(one for one in ADJECTIVES if one.en == state)
    word = En(adjective.en)
    form = adjective.agreeing(who.gender, plural=who.plural)
    return Clause(who, BE, tail=Phrase([word], [Fr(form, (word,))]))


def reason(draw: Draw) -> Phrase:
    """I eat because I am hungry → je mange parce que j'ai faim."""
    clause, cause = _action_and_cause(draw, subject(draw, pronouns=0.7), past=draw.chance(0.35))
    word = En("because")
    joint = Phrase([word], [Fr("parce", (word,)), Fr("que", (word,))])
    return statement(clause, draw) + joint + statement(cause, draw)


def _pronoun_of(who: NounPhrase) -> NounPhrase:
    """The pronoun that repeats a subject: Marie … elle; the English they stays ils."""
    if who.pronoun:
        return pronoun(who.pronoun)
    for candidate in PERSONAL:
        if candidate.person == who.person and (who.plural or candidate.gender == who.gender):
            return pronoun(candidate)
    return pronoun(IT)


def circumstance(draw: Draw) -> Phrase:
    """When it is cold, I drink tea; he reads a book when he is alone; if you are tired …"""
    who = subject(draw, pronouns=0.7)
    clause, cause = _action_and_cause(draw, who)
    clause.tense = cause.tense = "present"
    phrase = linked(draw.pick(["when=quand", "if=si"])) + statement(cause, draw)
    if draw.chance(0.4) and who.pronoun:
        return phrase + linked(",=,") + statement(clause, draw)
    return statement(clause, draw) + phrase


def conjunction(draw: Draw) -> Phrase:
    """He is eating but I am not hungry → il mange mais je n'ai pas faim."""
    past = draw.chance(0.3)
    first, cause = _action_and_cause(draw, subject(draw, pronouns=0.8), past=past)
    others = [one for one in PERSONAL if one.person != first.subject.person]
    second = pronoun(draw.pick(others))
    if draw.chance(0.5) or cause.verb in (RAIN, SNOW, BE_WEATHER):
        end, _ = _action_and_cause(draw, second, past=past)
        word = "and=et"
    else:
        end = replace(cause, subject=second)
        adjective = next((one for one in ADJECTIVES if one.en == cause.tail.en[0].text), None)
        if cause.verb is BE and adjective:
            end = _state_clause(draw, second, adjective.en)
            end.tense = cause.tense
        end.negation = "not"
        word = "but=mais"
    return statement(first, draw) + linked(word) + statement(end, draw)


def coordination(draw: Draw) -> Phrase:
    """Marie and Paul eat bread and cheese → Marie et Paul mangent du pain et du fromage."""
    who = two_names(draw) if draw.chance(0.5) else subject(draw)
    kind = draw.pick(["eat", "drink", "thing", "person", "animal"])
    is_consumption = kind in ("eat", "drink")
    fitting = [one for one in verbs("direct") if kind in one.objects and not one.separable]
    clause = Clause(who, verb(kind, "direct") if is_consumption else draw.pick(fitting))
    det = draw.pick(["some", "bare", "the"]) if is_consumption else ""
    subject_words = {word.text for word in who.en}
    first = second = _member(draw, clause.verb, kind, det)
    while first.last.text in subject_words:
        first = _member(draw, clause.verb, kind, det)
    while second.last.text in {first.last.text, *subject_words}:
        second = _member(draw, clause.verb, kind, det)
    clause.direct = both(first, second)
    clause = with_timing(draw, clause)
    clause.negation = ""
    add_adverbial(draw, clause, often=0.1)
    return statement(clause, draw)


def _member(draw: Draw, action: Verb, kind: str, det: str) -> NounPhrase:
    """A simple member of a coordination; food and drink share their determiner."""
    if det:
        return noun_phrase(draw, kind, det=det, adjective=0)
    if kind == "person" and draw.chance(0.5):
        return name(draw)
    det = draw.pick(["the", "a", "my"]) if kind == "thing" and not action.stative else "the"
    plural = 0 if det == "a" else 0.25
    return noun_phrase(draw, kind, det=det, plural=plural, adjective=0.1, owner=0)
