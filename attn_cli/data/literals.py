"""Literals of a pair: what is copied, not translated, and its placeholders.

Before a line is translated each literal becomes a numbered placeholder, and afterwards it is put
back, numbers in the format of the target language. Figures and other literals have placeholders of
their own, since numbers and names stand in different contexts.
"""

import functools
import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from attn_cli.config import Recipe
from attn_cli.data import casing, words
from attn_cli.data.languages import primary_language
from attn_cli.data.literal_search import (
    NAME_PATTERN,
    STYLES,
    LiteralSpan,
    NumberStyle,
    compiled,
    find,
    rewrite_number,
)
from attn_cli.types import Word

#: Number of placeholders in a line: figures first, then others.
N_FIGURES, N_OTHERS = 10, 6
N_PLACEHOLDERS = N_FIGURES + N_OTHERS

#: Languages whose nouns have capitals, as names do: German, Luxembourgish.
_LANGUAGES_OF_CAPITALIZED_NOUNS = ("de", "lb")

#: One in so many of the pairs with the same name on both sides has it as a literal, for training.
NAME_INTERVAL = 3


@dataclass(frozen=True)
class LiteralRules:
    """The literals of a source and a target language, named as in recipes: "en", "fr-CA".

    In a language without a style of numbers here, numbers are copied unchanged.
    """

    source: str = ""
    target: str = ""

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> "LiteralRules | None":
        """Return the rules for the languages of a recipe; None if it copies no literals."""
        return cls(recipe.source, recipe.target) if recipe.tokenizer.literals else None

    def find(self, raw: str) -> list[LiteralSpan]:
        """Return the literals of a source line, in order; they do not overlap."""
        return find(raw, self._styles[0])

    def find_in_target(self, raw: str) -> list[LiteralSpan]:
        """Return the literals of a target line."""
        return find(raw, self._styles[1])

    def capital_places(self, raw: str, line_words: Sequence[Word]) -> Sequence[int]:
        """Return the indices of the words of a source line whose capital is not that of a name."""
        if primary_language(self.source) in _LANGUAGES_OF_CAPITALIZED_NOUNS:
            return range(len(line_words))
        return casing.capital_places(raw, line_words)

    def rewrite(self, text: str, *, is_figure: bool) -> str:
        """Return a literal of a source line in the format of the target language."""
        source, target = self._styles
        if not is_figure or source is None or target is None or source == target:
            return text
        return rewrite_number(text, source, target)

    def match(
        self, source: str, target: str
    ) -> tuple[list["NumberedLiteral"], list["NumberedLiteral"]]:
        """Return the literals that both lines have, in order, each with its placeholder.

        A literal matches only if it occurs equally often on both sides.
        """
        source_literals = self.find(source)
        target_literals = self.find_in_target(target) if source_literals else []
        return _match(source_literals, target_literals, chance=None)

    def match_for_training(
        self, source: str, target: str
    ) -> tuple[list["NumberedLiteral"], list["NumberedLiteral"]]:
        """Return the same for a training pair.

        The placeholders are drawn from all that exist, by a hash of the text; in some pairs a name
        on both sides is a literal too.
        """
        source_literals = self.find(source)
        chance = zlib.crc32(source.encode("utf-8", "surrogatepass"))
        takes_name = chance % NAME_INTERVAL == 0
        if not (source_literals or takes_name):
            return [], []
        target_literals = self.find_in_target(target)
        if takes_name and (names := _shared_name(source, target, source_literals, target_literals)):
            source_literals, target_literals = (
                sorted([*source_literals, names[0]]),
                sorted([*target_literals, names[1]]),
            )
        return _match(source_literals, target_literals, chance=chance // NAME_INTERVAL)

    @functools.cached_property
    def _styles(self) -> tuple[NumberStyle | None, NumberStyle | None]:
        source, target = (STYLES.get(primary_language(name)) for name in (self.source, self.target))
        if source is None or target is None:
            return None, None
        if source.day_times is None or target.day_times is None:  # the figure alone is copied
            return source._replace(day_times=None), target._replace(day_times=None)
        return source, target


class NumberedLiteral(NamedTuple):
    """The span of a literal and the number of its placeholder."""

    start: int
    end: int
    number: int


_MARK = "\t"  # in no form of a word, for white space separates words


def add_mark(form: str, number: int) -> str:
    """Return the form of a literal with the mark of placeholder `number` in front of its text."""
    space = form[: len(form) - len(form.lstrip(words.DETACHED))]
    return f"{space}{_MARK}{number:02d}{form[len(space) :]}"


def remove_mark(text: str) -> str:
    """Return a form, or several in a row, without marks, of detached words too."""
    return re.sub(r"\t(?:\d\d| )", "", text, flags=re.ASCII) if _MARK in text else text


def placeholder_number(form: str) -> int | None:
    """Return the placeholder of a marked form; None for any other form."""
    if _MARK not in form:
        return None
    text = form.removeprefix(words.DETACHED).removeprefix(" ")
    mark, digits = text[:1], text[1:3]
    if mark != _MARK or not (digits.isascii() and digits.isdecimal() and len(digits) == 2):
        return None
    return int(digits) if int(digits) < N_PLACEHOLDERS else None


def assign_placeholders(literals: Sequence[LiteralSpan]) -> list[NumberedLiteral]:
    """Return the literals of a line with placeholders in order, up to the first without one."""
    figure, other = iter(range(N_FIGURES)), iter(range(N_FIGURES, N_PLACEHOLDERS))
    numbered = []
    for literal in literals:
        number = next(figure if literal.is_figure else other, None)
        if number is None:
            break
        numbered.append(NumberedLiteral(literal.start, literal.end, number))
    return numbered


def covers_line(raw: str, literals: Sequence[LiteralSpan]) -> bool:
    """Return whether all letters and digits of a line, which is not blank, are in its literals."""
    end = 0
    for literal in [*literals, LiteralSpan(len(raw), len(raw), "", is_figure=False)]:
        if any(map(str.isalnum, raw[end : literal.start])):
            return False
        end = literal.end
    return bool(raw.strip())


def cut_points(raw: str, literals: Sequence[LiteralSpan]) -> list[int]:
    """Return where to cut a line so that each part has placeholders for its literals: at the last
    punctuation mark or space before a literal without one."""
    places: list[int] = []
    used = [0, 0]
    end = 0
    for literal in literals:
        if used[literal.is_figure] == (N_FIGURES if literal.is_figure else N_OTHERS):
            between = raw[end : literal.start]
            gaps = [*re.finditer(r"[,;:.!?…]\s+", between)] or [*re.finditer(r"\s+", between)]
            places.append(end + gaps[-1].end() if gaps else literal.start)
            used = [0, 0]
        used[literal.is_figure] += 1
        end = literal.end
    return places


def _shared(
    source_literals: Sequence[LiteralSpan], target_literals: Sequence[LiteralSpan]
) -> Counter[str]:
    """Return the keys that occur equally often on both sides, with their counts."""
    source_counts, target_counts = (
        Counter(each.key for each in side) for side in (source_literals, target_literals)
    )
    return Counter(
        {key: count for key, count in source_counts.items() if target_counts[key] == count}
    )


def _match(
    source_literals: Sequence[LiteralSpan],
    target_literals: Sequence[LiteralSpan],
    *,
    chance: int | None,
) -> tuple[list[NumberedLiteral], list[NumberedLiteral]]:
    shared = _shared(source_literals, target_literals)
    if not shared:
        return [], []
    numbers = _numbers(source_literals, shared, chance)
    return _numbered(source_literals, numbers), _numbered(target_literals, numbers)


def _numbers(
    source_literals: Sequence[LiteralSpan], shared: Counter[str], chance: int | None
) -> dict[str, list[int]]:
    """Return the placeholders of each key, one for each occurrence.

    In order, or from a start and in steps that depend on `chance`. A key has none if too few
    remain.
    """
    numbers: dict[str, list[int]] = {}
    used = [0, 0]
    for literal in source_literals:
        key, count = literal.key, shared[literal.key]
        first, size = (0, N_FIGURES) if literal.is_figure else (N_FIGURES, N_OTHERS)
        place = 0 if literal.is_figure else 1
        if key in numbers or not count or used[place] + count > size:
            continue
        start, step = 0, 1
        if chance is not None:
            steps = [step for step in range(1, size) if math.gcd(step, size) == 1]
            start, step = chance, steps[chance // size % len(steps)]
        numbers[key] = [first + (start + step * (used[place] + n)) % size for n in range(count)]
        used[place] += count
    return numbers


def _numbered(
    literals: Sequence[LiteralSpan], numbers: dict[str, list[int]]
) -> list[NumberedLiteral]:
    remaining = {key: iter(each) for key, each in numbers.items()}
    return [
        NumberedLiteral(literal.start, literal.end, next(remaining[literal.key]))
        for literal in literals
        if literal.key in remaining
    ]


def _shared_name(
    source: str,
    target: str,
    source_literals: Sequence[LiteralSpan],
    target_literals: Sequence[LiteralSpan],
) -> tuple[LiteralSpan, LiteralSpan] | None:
    """Return the first name that occurs once in each line, outside of its literals."""
    name = compiled(NAME_PATTERN)
    in_source, in_target = Counter(name.findall(source)), Counter(name.findall(target))
    for text, count in in_source.items():
        if count == 1 and in_target[text] == 1:
            places = []
            for raw, literals in ((source, source_literals), (target, target_literals)):
                match = next(each for each in name.finditer(raw) if each.group() == text)
                literal = LiteralSpan(*match.span(), text, False)
                if any(each.start < literal.end and literal.start < each.end for each in literals):
                    break
                places.append(literal)
            else:
                return places[0], places[1]
    return None
