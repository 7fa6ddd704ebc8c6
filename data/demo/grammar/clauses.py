"""Whole clauses, both languages at once: statements, questions and orders."""

from dataclasses import replace

from grammar.complements import complements_of
from grammar.conjugation import imperative as imperative_form
from grammar.english import Verbal, contract, verbal
from grammar.french import Core, core_of, in_order, manner_of, negation_of, reflexive
from grammar.meaning import NEGATED_WITH_NOT, Clause, ambiguous
from grammar.nouns import Pronoun
from grammar.phrases import Draw, NounPhrase
from grammar.tokens import En, Fr, Phrase


def _groups(
    clause: Clause, draw: Draw, *, question: bool = False
) -> tuple[Verbal, list[En], Core, Phrase]:
    group = verbal(clause, draw, question=question)
    complements = complements_of(clause, draw)
    anymore = En("anymore") if clause.negation == "anymore" else None
    core = core_of(clause, group, complements, anymore)
    manner = manner_of(clause, core)
    tail = clause.tail + Phrase([anymore] if anymore else [])
    return group, [*complements.en, *manner], core, tail


def statement(clause: Clause, draw: Draw) -> Phrase:
    """Subject, verb, complements: `I do n't love you` — `je ne t' aime pas`."""
    if ambiguous(clause) and clause.negation not in NEGATED_WITH_NOT:
        clause = replace(clause, tense="perfect")
    group, english, core, tail = _groups(clause, draw)
    if group.rest or english or tail.en:  # not in: I know where you are
        contract(clause, group, draw)
    subject = clause.subject
    return Phrase(
        [*subject.en, *group.front, *group.rest, *english, *tail.en],
        [*subject.det, *subject.fr, *core.words, *tail.fr],
    )


def yes_no(clause: Clause, draw: Draw) -> Phrase:
    """A question: do → est-ce que; be, have, can and will → inversion."""
    group, english, core, tail = _groups(clause, draw, question=True)
    english_words = [*group.front, *clause.subject.en, *group.rest, *english, *tail.en]
    return Phrase(english_words, [*_interrogative(clause, group, core), *tail.fr])


def wh(word: Phrase, clause: Clause, draw: Draw, *, stylistic: bool = False) -> Phrase:
    """A question word before a question; `stylistic`: où est le livre, with a simple verb."""
    group, english, core, tail = _groups(clause, draw, question=True)
    english_words = [*word.en, *group.front, *clause.subject.en, *group.rest, *english, *tail.en]
    if stylistic:
        subject = clause.subject
        body = [*core.words, *subject.det, *subject.fr]
    else:
        body = _interrogative(clause, group, core)
    return Phrase(english_words, [*word.fr, *body, *tail.fr])


def _interrogative(clause: Clause, group: Verbal, core: Core) -> list[Fr]:
    subject = clause.subject
    if group.dummy:
        assert group.auxiliary
        do = (group.auxiliary,)
        marker = [Fr(text, (), do) for text in ("est", "-ce", "que")]
        return [*marker, *subject.det, *subject.fr, *core.words]
    finite = core.words[core.finite]
    before, after = core.words[: core.finite], core.words[core.finite + 1 :]
    if subject.pronoun:
        if subject.person == 0 and finite.text == "peux":
            finite.text = "puis"
        return [*before, finite, _inverted_pronoun(subject.pronoun, finite, subject), *after]
    pronoun = {
        ("m", False): "il", ("f", False): "elle", ("m", True): "ils", ("f", True): "elles",
    }[subject.gender, subject.plural]  # fmt: skip
    subject_pronoun = Fr(_with_hyphen(pronoun, finite.text), (), (subject.last,))
    return [*subject.det, *subject.fr, *before, finite, subject_pronoun, *after]


def _inverted_pronoun(who: Pronoun, finite: Fr, subject: NounPhrase) -> Fr:
    return Fr(_with_hyphen(who.fr, finite.text), tuple(subject.en))


def _with_hyphen(pronoun: str, finite: str) -> str:
    """-il, or -t-il after a vowel."""
    vowel = finite[-1] in "aeé" and pronoun[0] in "ie"
    return f"-t-{pronoun}" if vowel else f"-{pronoun}"


IMPERATIVE_CLITICS = {"me": "-moi", "te": "-toi"}


def imperative(clause: Clause, draw: Draw, *, together: bool = False) -> Phrase:
    """An order to vous, or with `together` to nous (`Let 's go`); the clause's subject is vous.

    Affirmative: clitics after the verb, direct before indirect. Negative: as in a statement.
    """
    group = Verbal(main=En(clause.head.en if clause.head else clause.verb.en))
    person = 3 if together else 4
    front: list[En] = [En("let"), En("'s")] if together else []
    if clause.negation == "never":
        group.adverb = En("never")
        front = [group.adverb]
    elif clause.negation:
        group.auxiliary, group.negator, group.dummy = En("do"), En("n't"), True
        if draw.chance(0.15):
            group.negator.text = "not"
        front = group.front
    governing = [group.main, En("to")] if clause.head and group.main else []
    if clause.head:
        group.governing, group.main = governing, En(clause.verb.en)
    complements = complements_of(clause, draw)
    anymore = En("anymore") if clause.negation == "anymore" else None
    main = tuple(word for word in [group.main, *complements.particles] if word)
    ne, negative = negation_of(clause, group, complements, anymore)
    clitics = complements.clitics + reflexive(clause, person, main)
    if clause.head:
        head = Fr(imperative_form(clause.head.fr, person), (governing[0],), tuple(front[:1]))
        before = [Fr(clause.head.before, (governing[1],))] if clause.head.before else []
        infinitive = Fr(clause.verb.fr, main, (governing[1],))
        french = [*ne, head, *negative, *before, *in_order(clitics), infinitive]
    else:
        helper = tuple(front) if together else tuple(front[:1]) if group.dummy else ()
        order = Fr(imperative_form(clause.verb.fr, person), main, helper)
        if clause.negation:
            french = [*ne, *in_order(clitics), order, *negative]
        else:
            french = [order, *_enclitic(clitics)]
    core = Core([*french, *complements.nobody, *complements.after], len(french) - 1)
    english = [*front, *governing, *[group.main], *complements.en]  # type: ignore[list-item]
    end = [anymore] if anymore else []
    return Phrase([*english, *clause.tail.en, *end], [*core.words, *clause.tail.fr])


def _enclitic(clitics: list[tuple[int, Fr]]) -> list[Fr]:
    """Hyphenated clitics after an imperative: le, la, les first; -m' before en."""
    ranks = {2: 0, 1: 1, 3: 1, 4: 2, 5: 3}
    words = [word for _, word in sorted(clitics, key=lambda item: ranks[item[0]])]
    result: list[Fr] = []
    for index, word in enumerate(words):
        text = IMPERATIVE_CLITICS.get(word.text, f"-{word.text}")
        before_en = index + 1 < len(words) and words[index + 1].text == "en"
        if before_en and text == "-moi":
            text = "-m'"
        elif result and result[-1].text == "-m'":
            text = word.text
        result.append(Fr(text, word.sure, word.maybe))
    return result
