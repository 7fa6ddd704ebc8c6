"""All pairs: the fixed phrases, and the constructions with numbers, dates, places and names."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from everyday.constructions import CONSTRUCTIONS, Sides

SEED = 1313
FOLDER = Path(__file__).resolve().parent / "phrases"

#: The number of copies of a pair in the training text: common phrases have more.
FIRST_COPIES, OTHER_COPIES, CONSTRUCTION_COPIES = 6, 2, 1


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair, its kind, and its number of copies in a training text."""

    english: str
    french: str
    kind: str
    times: int


def everyday(seed: int = SEED) -> list[Pair]:
    """Return all pairs, each once; the same seed gives the same pairs."""
    pairs: dict[Sides, Pair] = {}
    for pair in [*_fixed(), *_constructions(random.Random(seed))]:
        pairs.setdefault((pair.english, pair.french), pair)
    return list(pairs.values())


def _fixed() -> Iterator[Pair]:
    """Yield the pairs of `phrases/KIND.txt`.

    A line is `English | English = French / French`. The first of each side are the most common
    translation of each other; every other one is a translation of the first of the other side. A
    line of phrase.txt has no final punctuation: it is written without, with a full stop, and with
    an exclamation mark.
    """
    for kind in ("phrase", "sentence", "sign", "letter"):
        marks = (("", ""), (".", "."), ("!", " !")) if kind == "phrase" else (("", ""),)
        for line in (FOLDER / f"{kind}.txt").read_text(encoding="utf-8").splitlines():
            for number, (english, french) in enumerate(_pairs(line)):
                times = OTHER_COPIES if number else FIRST_COPIES
                for english_mark, french_mark in marks:
                    yield Pair(english + english_mark, french + french_mark, kind, times)


def _pairs(line: str) -> Iterator[Sides]:
    """Return the pairs of a line, the most common first."""
    english, french = (
        side.split(bar) for side, bar in zip(line.split(" = "), (" | ", " / "), strict=True)
    )
    yield from ((phrase, french[0]) for phrase in english)
    yield from ((english[0], phrase) for phrase in french[1:])


def _constructions(rng: random.Random) -> Iterator[Pair]:
    for kind, make in CONSTRUCTIONS.items():
        for english, french in make(rng):
            yield Pair(english, french, kind, CONSTRUCTION_COPIES)
