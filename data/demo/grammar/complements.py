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


def _clitic(what: NounPhrase, *, dative: bool, preposition: list[En]) -> tuple[int, Fr]:
    who = what.pronoun
    assert who
    text = who.dative if dative else who.direct
    rank = (3 if dative else 2) if who.third else 1
    return rank, Fr(text, tuple(what.en), tuple(preposition))


def _weakened(what: NounPhrase) -> NounPhrase:
    """A direct object under negation: un, du, des → de, and some → any."""
    if what.kind not in ("a", "some", "bare"):
        return what
    first = what.det[0]
    if what.kind == "some":
        what.en[0].text = "any"
    return replace(what, det=[Fr("de", first.sure, first.maybe)])


def complements_of(clause: Clause, draw: Draw) -> Complements:
    """Return the complements of the clause's verb, by its frame."""
    verb = clause.verb
    if verb.frame == "give":
        result = _giving(clause)
    elif verb.frame == "indirect":
        result = _indirect(clause)
    elif verb.frame in ("de", "à"):
        result = _strong(clause)
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
    verb, what = clause.verb, clause.direct
    particles = [En(text) for text in verb.particle.split()]
    result = Complements(particles=particles)
    if clause.negation in ("nothing", "nobody") and verb.frame == "direct":
        _negative_object(clause, result)
        return result
    if what is None:
        result.en = list(particles)
        return result
    if clause.negation:
        what = _weakened(what)
    if verb.separable and (what.pronoun or (len(what.en) < 4 and draw.chance(0.4))):
        result.en = [*what.en, *particles]
    else:
        result.en = [*particles, *what.en]
    if what.pronoun:
        result.clitics.append(_clitic(what, dative=False, preposition=[]))
        result.agreement = (what.gender, what.plural)
    else:
        result.after = [*what.det, *what.fr]
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
    what = clause.indirect
    words = [En(text) for text in clause.verb.particle.split()]
    if what is None:
        return Complements(en=words)
    if what.pronoun:
        clitic = _clitic(what, dative=True, preposition=words)
        return Complements(en=[*words, *what.en], clitics=[clitic])
    to = Fr("à", tuple(words), () if words else (what.last,))
    return Complements(en=[*words, *what.en], after=[to, *what.det, *what.fr])


def _strong(clause: Clause) -> Complements:
    what = clause.indirect
    assert what
    if clause.negation and what.kind == "some":
        what.en[0].text = "any"
    phrase = preposition(clause.verb.particle, clause.verb.frame, what)
    if not clause.verb.particle:
        phrase.fr[0].maybe += (what.last,)
    return Complements(en=phrase.en, after=phrase.fr)


def _giving(clause: Clause) -> Complements:
    thing, receiver = clause.direct, clause.indirect
    assert thing
    if clause.negation:
        thing = _weakened(thing)
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
