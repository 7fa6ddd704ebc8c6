"""Greetings, answers, exclamations and phrases without a verb."""

from grammar.adverbials import place_adverbial
from grammar.clauses import statement
from grammar.nouns import NAMES, PERSONAL
from grammar.phrases import (
    Draw,
    noun_phrase,
    pronoun,
)
from grammar.scenes import any_clause
from grammar.tokens import En, Fr, Phrase, linked


def greeting(draw: Draw) -> Phrase:
    """Hello, Marie → bonjour, Marie; thank you very much → merci beaucoup."""
    first = draw.pick(
        [lambda: linked("hello=bonjour"), lambda: linked("good+morning=bonjour"),
         lambda: linked("good+evening=bonsoir"), lambda: linked("good=bonne night=nuit"),
         lambda: linked("goodbye=au+revoir"), lambda: linked("thank+you=merci"),
         lambda: linked("thank+you=merci very+much=beaucoup"), lambda: linked("welcome=bienvenue"),
         lambda: linked("see+you=à tomorrow=demain"), lambda: linked("see+you=à Monday=lundi"),
         lambda: linked("yes=oui"), lambda: linked("no=non")]
    )()  # fmt: skip
    if draw.chance(0.85):
        text = draw.pick(NAMES)[0]
        first = first + linked(f",=, {text}={text}")
    return first


def answer(draw: Draw) -> Phrase:
    """Yes, I am tired → oui, je suis fatigué."""
    negative = draw.chance(0.5)
    clause = any_clause(draw, pronoun(draw.pick(PERSONAL)))
    clause.negation = "" if not negative else clause.negation or "not"
    if negative and clause.mid:
        clause.mid = None
    word = "no=non" if negative else "yes=oui"
    return linked(f"{word} ,=,") + statement(clause, draw)


def fragment(draw: Draw) -> Phrase:
    """A red car → une voiture rouge; behind the house → derrière la maison."""
    if draw.chance(0.2):
        return place_adverbial(draw)
    kind = draw.pick(["thing", "animal", "person", "place", "wear", "food", "kin", "read"])
    return noun_phrase(draw, kind, adjective=0.6, owner=0.15).phrase


def exclamation(draw: Draw) -> Phrase:
    """What a beautiful house! → quelle belle maison !"""
    kind = draw.pick(["thing", "animal", "place", "read", "wear"])
    phrase = noun_phrase(draw, kind, det="a", plural=0, adjective=1.0)
    what, article = En("what"), phrase.en[0]
    quel = "quelle" if phrase.gender == "f" else "quel"
    return Phrase([what, *phrase.en], [Fr(quel, (what,), (article,)), *phrase.fr])
