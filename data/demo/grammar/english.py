"""English verb groups: auxiliaries, do, not and the contractions."""

from dataclasses import dataclass, field

from grammar.conjugation import be_form, gerund, past, past_participle, third
from grammar.meaning import NEGATED_WITH_NOT, Clause
from grammar.phrases import Draw
from grammar.tokens import En
from grammar.verbs import Head, Verb


@dataclass(slots=True)
class Verbal:
    """The English verb group: `front` moves before the subject in a question."""

    auxiliary: En | None = None
    dummy: bool = False  # the auxiliary is do
    negator: En | None = None
    adverb: En | None = None  # never, often
    governing: list[En] = field(default_factory=list)  # want to, going to
    main: En | None = None

    @property
    def front(self) -> list[En]:
        """Auxiliary and not."""
        return [word for word in (self.auxiliary, self.negator) if word]

    @property
    def rest(self) -> list[En]:
        """The words after the subject."""
        main = [self.main] if self.main else []
        return [*([self.adverb] if self.adverb else []), *self.governing, *main]


def verbal(clause: Clause, draw: Draw, *, question: bool = False) -> Verbal:
    """Return the verb group of a statement, or of a question, which needs do more often."""
    group = Verbal()
    person = clause.subject.person
    if clause.head and clause.head.auxiliary:
        _modal(group, clause.head, clause.verb, person)
    elif clause.tense == "future":
        group.auxiliary, group.main = En("will"), En(clause.verb.en)
    elif clause.tense == "perfect":
        group.auxiliary = En("has" if person == 2 else "have")
        group.main = En(past_participle(clause.verb.en))
    elif clause.verb.en == "be" and not clause.head:
        group.auxiliary = En(be_form(clause.tense, person))
    elif clause.tense in ("progressive", "imperfect"):
        be_tense = "present" if clause.tense == "progressive" else "past"
        group.auxiliary, group.main = En(be_form(be_tense, person)), En(gerund(clause.verb.en))
    else:
        needs_do = question or clause.negation in NEGATED_WITH_NOT
        _simple(group, clause, person, needs_do=needs_do)
    if clause.negation == "never":
        group.adverb = En("never")
    elif clause.mid:
        group.adverb = En(clause.mid[0])
    if clause.negation in NEGATED_WITH_NOT:
        _negate(group, draw, question=question)
    return group


def _modal(group: Verbal, head: Head, verb: Verb, person: int) -> None:
    group.main = En(verb.en)
    if head.en == "going":
        group.auxiliary = En(be_form("present", person))
        group.governing = [En("going"), En("to")]
    else:
        group.auxiliary = En(head.en)
        group.governing = [En("like"), En("to")] if head.en == "would" else []


def _simple(group: Verbal, clause: Clause, person: int, *, needs_do: bool) -> None:
    base = clause.head.en if clause.head else clause.verb.en
    finite = En(base)
    if needs_do:
        group.dummy = True
        group.auxiliary = En("did" if clause.tense == "past" else "does" if person == 2 else "do")
    elif clause.tense == "past":
        finite.text = past(base)
    elif person == 2:
        finite.text = third(base)
    if clause.head:
        group.governing = [finite, En("to")]
        group.main = En(clause.verb.en)
    else:
        group.main = finite


def _negate(group: Verbal, draw: Draw, *, question: bool) -> None:
    assert group.auxiliary
    auxiliary = group.auxiliary.text
    is_full_form = auxiliary == "am" or (auxiliary != "can" and not question and draw.chance(0.15))
    group.negator = En("not" if is_full_form else "n't")
    if not is_full_form:
        group.auxiliary.text = {"can": "ca", "will": "wo"}.get(auxiliary, auxiliary)


CONTRACTIONS = {
    "am": "'m", "are": "'re", "is": "'s", "has": "'s", "have": "'ve", "will": "'ll", "would": "'d",
}  # fmt: skip


def contract(clause: Clause, group: Verbal, draw: Draw) -> None:
    """I am → I 'm, often, if the subject is a pronoun and there is no n't."""
    text = group.auxiliary.text if group.auxiliary else ""
    without_contraction = not group.negator or group.negator.text == "not"
    if clause.subject.en[-1].text == "there" and text == "are":
        return
    if (
        clause.subject.pronoun
        and text in CONTRACTIONS
        and without_contraction
        and draw.chance(0.65)
    ):
        assert group.auxiliary
        group.auxiliary.text = CONTRACTIONS[text]
