"""The most common phrases that people translate, and their acceptable translations."""

import re
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).resolve().parent / "corpora" / "common_phrases.tsv"


class CommonPhrase(NamedTuple):
    """A phrase, the direction of its translation (`en-fr`), and its correct translations."""

    direction: str
    source: str
    acceptable: tuple[str, ...]

    def accepts(self, translation: str) -> bool:
        """Return whether a translation is correct; case, punctuation and spaces do not count."""
        return _letters(translation) in map(_letters, self.acceptable)


def _letters(text: str) -> list[str]:
    return re.findall(r"\w+", text.replace("\u2019", "'").lower())


def common_phrases(direction: str) -> list[CommonPhrase]:
    """Return the phrases of a direction."""
    rows = (line.split("\t") for line in LIST.read_text(encoding="utf-8").splitlines())
    phrases = (
        CommonPhrase(row_direction, source, tuple(translations.split(" | ")))
        for row_direction, source, translations in rows
    )
    return [phrase for phrase in phrases if phrase.direction == direction]
