"""The list of what people type into a translator most, and what may be answered."""

import re
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).resolve().parent / "corpora" / "common_phrases.tsv"


class CommonPhrase(NamedTuple):
    """A phrase, the direction it is translated in (`en-fr`), and its right translations."""

    direction: str
    source: str
    acceptable: tuple[str, ...]

    def accepts(self, translation: str) -> bool:
        """Whether it is one of them; case, punctuation and the way of spacing it do not count."""
        return _letters(translation) in map(_letters, self.acceptable)


def _letters(text: str) -> list[str]:
    return re.findall(r"\w+", text.replace("\u2019", "'").lower())


def common_phrases(direction: str) -> list[CommonPhrase]:
    """The phrases of a direction."""
    rows = (line.split("\t") for line in LIST.read_text(encoding="utf-8").splitlines())
    phrases = (CommonPhrase(way, source, tuple(all_.split(" | "))) for way, source, all_ in rows)
    return [phrase for phrase in phrases if phrase.direction == direction]
