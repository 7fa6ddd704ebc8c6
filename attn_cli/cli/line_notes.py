"""Notes on stderr about lines that a model cannot translate: one a line, then a count."""

from collections import Counter
from collections.abc import Callable, Sequence

from attn_cli.bundles.bundle import Bundle
from attn_cli.cli.choosing import translating_models
from attn_cli.console import Console
from attn_cli.data import languages, words
from attn_cli.data.casing import CaseRules
from attn_cli.types import InputLine

#: Lines of one kind that have a note of their own; the others are counted.
MOST_NOTES = 3

#: A line is mostly unknown where more of its letters than this are in unknown words. A higher share
#: misses German for the shipped models, whose 12,000 pieces segment half of its words well.
UNKNOWN_SHARE = 1 / 2


class LineNotes:
    """Report lines that look like the target language, or are mostly unknown to the model.

    `MOST_NOTES` lines of each kind are named; `close` reports the number of the others.
    `is_single` if there is one line only.
    """

    def __init__(self, console: Console, bundle: Bundle, *, is_single: bool = False) -> None:
        self.console, self.bundle, self.is_single = console, bundle, is_single
        self._counts: Counter[str] = Counter()

    def check(self, lines: Sequence[InputLine]) -> None:
        """Write a note for each line that the model should not get."""
        for line in lines:
            if not line.source.strip():
                continue
            if (kind := self._kind(line.source)) is None:
                continue
            self._counts[kind] += 1
            if self._counts[kind] <= MOST_NOTES:
                subject = "this" if self.is_single else f"line {line.line}"
                self.console.info(f"attn: {self._sentences[kind](subject, 1)}")

    def close(self) -> None:
        """Report how many lines had no note of their own."""
        for kind, count in self._counts.items():
            if (more := count - MOST_NOTES) > 0:
                subject = f"{more:,} more line{'s' * (more > 1)}"
                self.console.info(f"attn: {self._sentences[kind](subject, more)}")

    def _kind(self, text: str) -> str | None:
        recipe = self.bundle.recipe
        texts = (word.text for word in words.split(text))
        if languages.looks_like(texts, recipe.target, expected=recipe.source):
            return "target"
        case = CaseRules.of(recipe.decode).case(text)
        if self.bundle.source.unknown_share(text, case=case) > UNKNOWN_SHARE:
            return "unknown"
        return None

    @property
    def _sentences(self) -> dict[str, Callable[[str, int], str]]:
        return {"target": self._target_sentence, "unknown": self._unknown_sentence}

    def _target_sentence(self, subject: str, count: int) -> str:
        recipe = self.bundle.recipe
        sentence = f"{subject} look{'s' * (count == 1)} {languages.language_name(recipe.target)}"
        back = (recipe.target, recipe.source)
        model = next((name for name, pair in translating_models() if pair == back), None)
        if model is not None:
            return f"{sentence}; -m {model}?"
        return f"{sentence}, the language that {self.bundle.name} translates into"

    def _unknown_sentence(self, subject: str, count: int) -> str:
        verb = "is" if count == 1 else "are"
        return f"{subject} {verb} mostly unknown to the model {self.bundle.name}"
