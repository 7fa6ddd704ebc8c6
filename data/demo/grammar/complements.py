"""Objects on both sides: clitics before the French verb, or phrases after it."""

from dataclasses import dataclass, field, replace

from grammar.meaning import Clause
from grammar.phrases import Draw, NounPhrase, preposition
from grammar.tokens import En, Fr


@dataclass(slots=True)
class Complements:
    """The words after the English verb, and their French before and after the verb."""

    en: list[En] = field(default_factory=list)
    clitics: list[tuple[int, Fr]] = field(default_factory=list)  # rank, word
    after: list[Fr] = field(default_factory=list)
    particles: list[En] = field(default_factory=list)  # belong to the verb
    agreement: tuple[str, bool] | None = None
    nothing: list[Fr] = field(default_factory=list)  # rien
    nobody: list[Fr] = field(default_factory=list)  # personne


def _clitic(phrase: NounPhrase, *, dative: bool, preposition: list[En]) -> tuple[int, Fr]:
    who = phrase.pronoun
    assert who
    text = who.dative if dative else who.direct
    rank = (3 if dative else 2) if who.third else 1
    return rank, Fr(text, tuple(phrase.en), tuple(preposition))


def _under_negation(phrase: NounPhrase) -> NounPhrase:
    """A direct object under negation: un, du, des → de, and some → any."""
    if phrase.kind not in ("a", "some", "bare"):
        return phrase
    first = phrase.det[0]
    if phrase.kind == "some":
        phrase.en[0].text = "any"
    return replace(phrase, det=[Fr("de", first.sure, first.maybe)])


def complements_of(clause: Clause, draw: Draw) -> Complements:
    """Return the complements of the clause's verb, by its frame."""
    verb = clause.verb
    if verb.frame == "give":
        result = _ditransitive(clause)
    elif verb.frame == "indirect":
        result = _indirect(clause)
    elif verb.frame in ("de", "à"):
        result = _with_preposition(clause)
    else:
        result = _direct(clause, draw)
    if verb.frame == "exist":
        result.clitics.append((4, Fr("y", tuple(clause.subject.en))))
    if clause.there:
        there = En("there")
        result.en.append(there)
        result.clitics.append((4, Fr("y", (there,))))
    if clause.some:
        _en(clause, result)
    return result


def _en(clause: Clause, result: Complements) -> None:
    """`I want some` → j'en veux; `I have two` → j'en ai deux."""
    english, _, french = clause.some.partition("=")
    some = En("any" if clause.negation and english == "some" else english)
    result.en.append(some)
    result.clitics.append((5, Fr("en", () if french else (some,), (some,) if french else ())))
    if french:
        result.after.append(Fr(french, (some,)))


def _direct(clause: Clause, draw: Draw) -> Complements:
    verb, direct_object = clause.verb, clause.direct
    particles = [En(text) for text in verb.particle.split()]
    result = Complements(particles=particles)
    if clause.negation in ("nothing", "nobody") and verb.frame == "direct":
        _negative_object(clause, result)
        return result
    if direct_object is None:
        result.en = list(particles)
        return result
    if clause.negation:
        direct_object = _under_negation(direct_object)
    if verb.separable and (
        direct_object.pronoun or (len(direct_object.en) < 4 and draw.chance(0.4))
    ):
        result.en = [*direct_object.en, *particles]
    else:
        result.en = [*particles, *direct_object.en]
    if direct_object.pronoun:
        result.clitics.append(_clitic(direct_object, dative=False, preposition=[]))
        result.agreement = (direct_object.gender, direct_object.plural)
    else:
        result.after = [*direct_object.det, *direct_object.fr]
    return result


def _negative_object(clause: Clause, result: Complements) -> None:
    """n't … anything → ne … rien, n't … anyone → ne … personne."""
    word = En("anything" if clause.negation == "nothing" else "anyone")
    result.en = [*result.particles, word]
    if clause.negation == "nothing":
        result.nothing = [Fr("rien", (word,))]
    else:
        result.nobody = [Fr("personne", (word,))]


def _indirect(clause: Clause) -> Complements:
    indirect_object = clause.indirect
    words = [En(text) for text in clause.verb.particle.split()]
    if indirect_object is None:
        return Complements(en=words)
    if indirect_object.pronoun:
        clitic = _clitic(indirect_object, dative=True, preposition=words)
        return Complements(en=[*words, *indirect_object.en], clitics=[clitic])
    to = Fr("à", tuple(words), () if words else (indirect_object.last,))
    return Complements(
        en=[*words, *indirect_object.en], after=[to, *indirect_object.det, *indirect_object.fr]
    )


def _with_preposition(clause: Clause) -> Complements:
    indirect_object = clause.indirect
    assert indirect_object
    if clause.negation and indirect_object.kind == "some":
        indirect_object.en[0].text = "any"
    phrase = preposition(clause.verb.particle, clause.verb.frame, indirect_object)
    if not clause.verb.particle:
        phrase.fr[0].maybe += (indirect_object.last,)
    return Complements(en=phrase.en, after=phrase.fr)


def _ditransitive(clause: Clause) -> Complements:
    thing, receiver = clause.direct, clause.indirect
    assert thing
    if clause.negation:
        thing = _under_negation(thing)
    result = Complements()
    to = [] if clause.shifted or receiver is None else [En("to")]
    if thing.pronoun:
        result.clitics.append(_clitic(thing, dative=False, preposition=[]))
        result.agreement = (thing.gender, thing.plural)
    else:
        result.after = [*thing.det, *thing.fr]
    if receiver is None:
        result.en = list(thing.en)
        return result
    if receiver.pronoun:
        result.clitics.append(_clitic(receiver, dative=True, preposition=to))
    else:
        toward = Fr("à", tuple(to), () if to else (receiver.last,))
        result.after = [*result.after, toward, *receiver.det, *receiver.fr]
    result.en = [*receiver.en, *thing.en] if clause.shifted else [*thing.en, *to, *receiver.en]
    return result
