"""The phrases, and the constructions with numbers, dates, places and names, as pairs."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from everyday.constructions import CONSTRUCTIONS, Sides

SEED = 1313
FOLDER = Path(__file__).resolve().parent / "phrases"

#: How often a pair stands in the training text: what is said most should be seen most.
FIRST, OTHER, MADE = 6, 2, 1


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair, what made it, and how often it belongs into a training text."""

    english: str
    french: str
    kind: str
    times: int


def everyday(seed: int = SEED) -> list[Pair]:
    """All pairs, each once, the same for the same seed."""
    made: dict[Sides, Pair] = {}
    for pair in [*_fixed(), *_constructed(random.Random(seed))]:
        made.setdefault((pair.english, pair.french), pair)
    return list(made.values())


def _fixed() -> Iterator[Pair]:
    """The pairs of `phrases/KIND.txt`.

    A line is `English | English = French / French`: the first of each side are the commonest
    translation of each other, every other one is one of the first of the other side. A line of
    phrase.txt has no mark at its end: it is said without, with a full stop, and exclaimed.
    """
    for kind in ("phrase", "sentence", "sign", "letter"):
        marks = (("", ""), (".", "."), ("!", " !")) if kind == "phrase" else (("", ""),)
        for line in (FOLDER / f"{kind}.txt").read_text(encoding="utf-8").splitlines():
            for number, (english, french) in enumerate(_pairs(line)):
                times = OTHER if number else FIRST
                for ours, theirs in marks:
                    yield Pair(english + ours, french + theirs, kind, times)


def _pairs(line: str) -> Iterator[Sides]:
    """The pairs of a line, the commonest first."""
    english, french = (
        side.split(bar) for side, bar in zip(line.split(" = "), (" | ", " / "), strict=True)
    )
    yield from ((phrase, french[0]) for phrase in english)
    yield from ((english[0], phrase) for phrase in french[1:])


def _constructed(rng: random.Random) -> Iterator[Pair]:
    for kind, make in CONSTRUCTIONS.items():
        for english, french in make(rng):
            yield Pair(english, french, kind, MADE)
