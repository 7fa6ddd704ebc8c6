"""The text of decoded pieces; quotes, surrogates and bytes in it."""

import re
from collections.abc import Sequence

from attn_cli.data.words import OPENING_MARKS, Span
from attn_cli.types import CopiedLiteral, Word

#: Typographic quotes and apostrophes as the straight ones of a keyboard; guillemets stay.
STRAIGHT_QUOTES = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"')
)

#: Marks without space behind them. French writes one behind a guillemet.
_ATTACHED_MARKS = OPENING_MARKS - {"«"}

_SURROGATE = re.compile("[\ud800-\udfff]")


def replace_surrogates(form: str) -> str:
    """Return the form with lone surrogates, which UTF-8 cannot encode, replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", form)


def decode_utf8(run: bytes) -> tuple[str, list[int]]:
    """Return the characters of a run of bytes, and the size of each in bytes.

    Each byte that is not UTF-8 is one U+FFFD, as in SentencePiece. Any white space becomes a space:
    word forms have no other, and a line end would split the line of the output.
    """
    escaped = run.decode("utf-8", "surrogateescape")
    sizes = [len(character.encode("utf-8", "surrogateescape")) for character in escaped]
    spaced = "".join(" " if character.isspace() else character for character in escaped)
    return replace_surrogates(spaced), sizes


class TextBuilder:
    """Builds a text from pieces and literals.

    A literal is separated from words and literals that it does not touch in the source line `raw`.
    With `attach_opening_marks`, a quote or bracket that follows a space has none behind it.
    """

    def __init__(
        self, raw: str, words: Sequence[Word], *, attach_opening_marks: bool = False
    ) -> None:
        self._raw, self._words = raw, words
        self._attach_opening_marks = attach_opening_marks
        # Whether the text behind the last space has opening marks alone, and its length.
        self._opens, self._run_length = True, 0
        self._last: Word | None = None  # the literal before, in the source
        self._is_figure = False
        self._text_after = ""  # the text behind it
        self.fragments: list[str] = []
        self.literals: list[Span] = []
        self.length = 0

    def add(self, fragment: str) -> int:
        """Add the text of a piece; return its start."""
        if self._attach_opening_marks and self._opens and self._run_length:
            fragment = fragment.removeprefix(" ")
        if self._last is not None:
            if not self._text_after and fragment[:1].isalnum() and not self._may_touch(fragment[0]):
                self._append(" ")
            self._text_after += fragment
        return self._append(fragment)

    def add_literal(self, copied: CopiedLiteral, *, is_figure: bool) -> int:
        """Add a literal; return its start."""
        word = self._words[copied.word]
        if self.length and not self.fragments[-1][-1].isspace() and self._needs_space(word):
            self._append(" ")
        self._last, self._text_after = word, ""
        self._is_figure = is_figure
        start = self._append(copied.text)
        self.literals.append((start, self.length))
        return start

    def _append(self, fragment: str) -> int:
        start = self.length
        if fragment:
            self.fragments.append(fragment)
            self.length += len(fragment)
            _, space, run = fragment.rpartition(" ")
            self._opens = _ATTACHED_MARKS.issuperset(run) and (self._opens or bool(space))
            self._run_length = len(run) if space else self._run_length + len(run)
        return start

    def _may_touch(self, character: str) -> bool:
        """Return whether a letter or digit may touch the literal before it."""
        assert self._last is not None
        if self._is_figure and character.isalpha():
            return True
        return self._raw[self._last.end : self._last.end + 1].isalnum()

    def _needs_space(self, word: Word) -> bool:
        """Return whether a space must separate a literal from the text before it."""
        if self._last is not None and not any(
            each.isalnum() or each.isspace() for each in self._text_after
        ):
            return self._raw[self._last.end : word.start] != self._text_after
        character = self.fragments[-1][-1]
        before = self._raw[max(0, word.start - 1) : word.start]
        if not character.isalnum():
            return character in ".,;:!?…)]}" and before != character
        return self._is_number(word) or not before.isalnum()

    def _is_number(self, word: Word) -> bool:
        return word.text[:1].isdigit()
