"""The meaning of a clause, without words and their order in either language."""

from dataclasses import dataclass, field

from grammar.phrases import NounPhrase
from grammar.tokens import Phrase
from grammar.verbs import Head, Verb

Translation = tuple[str, str]


@dataclass(slots=True)
class Clause:
    """The meaning of a clause, independent of the words of either language.

    `tense`: present, progressive, past, perfect, imperfect (was …-ing) or future. `negation`: not,
    never, anymore, nothing, nobody or none. `tail` follows all objects. `mid` (often, souvent) is
    before the English verb and after the finite French one; `manner` (well, bien) ends the English
    clause and follows the finite French verb. `agreement` is the gender and the number of a direct
    object before the clause (que, combien de). `there` and `some` require y and en. `shifted` is
    the order of `give Marie the book`.
    """

    subject: NounPhrase
    verb: Verb
    tense: str = "present"
    head: Head | None = None
    negation: str = ""
    direct: NounPhrase | None = None
    indirect: NounPhrase | None = None
    tail: Phrase = field(default_factory=Phrase)
    mid: Translation | None = None
    manner: Translation | None = None
    agreement: tuple[str, bool] | None = None
    there: bool = False
    some: str = ""
    shifted: bool = False


NEGATED_WITH_NOT = ("not", "anymore", "nothing", "nobody")


def ambiguous(clause: Clause) -> bool:
    """Return whether the form of the simple past is that of the present: I read, you cut."""
    alike = clause.verb.en in ("read", "put", "cut") and clause.subject.person != 2
    return alike and clause.tense == "past" and not clause.head
