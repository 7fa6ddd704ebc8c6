"""French verb groups: ne, clitics, adverbs, and participles that agree."""

from dataclasses import dataclass

from grammar.complements import Complements
from grammar.conjugation import WITH_ETRE, conditional, future, imperfect, participle, present
from grammar.english import Verbal
from grammar.meaning import Clause
from grammar.tokens import En, Fr
from grammar.verbs import Head


@dataclass(slots=True)
class Core:
    """The French clause without its subject; `finite` is the index of the conjugated verb."""

    words: list[Fr]
    finite: int


def reflexive(clause: Clause, person: int, words: tuple[En, ...]) -> list[tuple[int, Fr]]:
    """me, te, se … of a reflexive verb, with its rank among the clitics."""
    if not clause.verb.reflexive:
        return []
    return [(1, Fr(("me", "te", "se", "nous", "vous", "se")[person], (), words))]


def in_order(clitics: list[tuple[int, Fr]]) -> list[Fr]:
    """Return the clitics in their order before a verb: me le, le lui, y en."""
    return [word for _, word in sorted(clitics, key=lambda item: item[0])]


def _finite_form(clause: Clause, verb: str, *, stative: bool) -> tuple[str, bool]:
    """Return the conjugated form, and whether a past participle follows it."""
    person, tense = clause.subject.person, clause.tense
    if clause.verb.frame == "exist":
        person = 2  # il y a, whatever there are
    if clause.head and clause.head.en == "would":
        return conditional(verb, person), False
    if tense == "perfect" or (tense == "past" and not stative):
        with_etre = verb in WITH_ETRE or (clause.verb.reflexive and not clause.head)
        return present("être" if with_etre else "avoir", person), True
    if tense in ("past", "imperfect"):
        return imperfect(verb, person), False
    if tense == "future":
        return future(verb, person), False
    return present(verb, person), False


def negation_of(
    clause: Clause, group: Verbal, complements: Complements, anymore: En | None
) -> tuple[list[Fr], list[Fr]]:
    """Return ne, and the negation after the finite verb; personne is one of the complements."""
    if not clause.negation:
        return [], []
    if clause.negation == "never":
        assert group.adverb
        never = (group.adverb,)
        return [Fr("ne", never)], [Fr("jamais", never)]
    negator = (group.negator,) if group.negator else ()
    helper = (group.auxiliary,) if group.dummy and group.auxiliary else ()
    ne = [Fr("ne", negator, helper)]
    if clause.negation == "anymore":
        assert anymore
        return ne, [Fr("plus", (anymore,), negator)]
    for word in complements.nothing + complements.nobody:
        word.maybe = negator
    if clause.negation in ("nothing", "nobody"):
        return ne, complements.nothing
    return ne, [Fr("pas", negator)]


def core_of(clause: Clause, group: Verbal, complements: Complements, anymore: En | None) -> Core:
    """Return ne, clitics, verb, pas and objects in their order."""
    head, verb = clause.head, clause.verb
    main = tuple(word for word in [group.main or group.auxiliary, *complements.particles] if word)
    finite_verb = head.fr if head else verb.fr
    form, compound = _finite_form(clause, finite_verb, stative=(head or verb).stative)
    helper = (group.auxiliary,) if group.auxiliary and group.main else ()
    ne, negative = negation_of(clause, group, complements, anymore)
    clitics = in_order(complements.clitics + reflexive(clause, clause.subject.person, main))
    adverbs = _adverbs(clause, group)
    if head:
        finite, between = _governing_verb(head, form, group, compound=compound)
        infinitive = Fr(verb.fr, main, tuple(group.governing[-1:]))
        tail = [*between, *clitics, infinitive]
        words = [*ne, finite, *negative, *adverbs, *tail]
        index = len(ne)
    elif compound:
        perfect = clause.tense == "perfect"
        finite = Fr(form, helper if perfect else (), () if perfect else (*main, *helper))
        agreeing = _participle(clause, complements)
        past_participle = Fr(agreeing, main)
        words = [*ne, *clitics, finite, *negative, *adverbs, past_participle]
        index = len(ne) + len(clitics)
    else:
        words = [*ne, *clitics, Fr(form, main, helper), *negative, *adverbs]
        index = len(ne) + len(clitics)
    if verb.noun:
        words.append(Fr(verb.noun, main))
    return Core([*words, *complements.nobody, *complements.after], index)


def _adverbs(clause: Clause, group: Verbal) -> list[Fr]:
    if clause.mid and group.adverb:
        return [Fr(clause.mid[1], (group.adverb,))]
    return []


def _governing_verb(head: Head, form: str, group: Verbal, *, compound: bool) -> tuple[Fr, list[Fr]]:
    """Return the finite verb before an infinitive, and the words between the two."""
    governing = group.governing
    helper = (group.auxiliary,) if group.auxiliary else ()
    if head.en == "would":
        return Fr(form, (*helper, governing[0])), []
    if not governing:
        return Fr(form, helper), []
    before = [Fr(head.before, governing[-1:] and (governing[-1],))] if head.before else []
    maybe = (*helper, governing[-1]) if head.en == "have" else helper
    if compound:
        past_participle = Fr(participle(head.fr), (governing[0],))
        return Fr(form, (), (governing[0], *helper)), [past_participle, *before]
    return Fr(form, (governing[0],), maybe), before


def _participle(clause: Clause, complements: Complements) -> str:
    verb, subject = clause.verb, clause.subject
    if verb.fr in WITH_ETRE or verb.reflexive:
        return participle(verb.fr, subject.gender, plural=subject.plural)
    gender, plural = clause.agreement or complements.agreement or ("m", False)
    return participle(verb.fr, gender, plural=plural)


def manner_of(clause: Clause, core: Core) -> list[En]:
    """Return the English adverb of manner; the French one follows the finite verb and pas."""
    if not clause.manner:
        return []
    words = [En(text) for text in clause.manner[0].split()]
    index = core.finite + (2 if clause.negation else 1)
    core.words.insert(index, Fr(clause.manner[1], tuple(words)))
    return words
