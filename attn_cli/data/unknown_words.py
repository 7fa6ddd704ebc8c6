"""Detect the words of a line that a vocabulary segments into bytes or into single letters."""

import functools
import itertools
import math
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence

from attn_cli.data.sentencepiece_model import SPACE
from attn_cli.data.vocabulary_layout import MAX_FORM_LENGTH
from attn_cli.data.words import Span
from attn_cli.types import Word

#: A name of at least so many letters and pieces is unknown.
_SHORTEST_NAME, _FEWEST_PIECES = 5, 3

#: Other words are unknown if their pieces have fewer letters than this on average.
_LETTERS_PER_PIECE = 2.0
_LAST_LATIN = "\u02ff"


class UnknownWordDetector:
    """Detects words without pieces of their own in a vocabulary.

    `pieces` are those of the vocabulary, in the order of their ids. Ids up to `last_byte` are
    special ids, placeholders and bytes; `space_id` is the piece of a space alone. `segment` returns
    the ids of a word form.
    """

    def __init__(
        self,
        pieces: Sequence[str],
        *,
        last_byte: int,
        space_id: int,
        segment: Callable[[str], tuple[int, ...]],
    ) -> None:
        self._pieces = pieces
        self._last_byte, self._space_id = last_byte, space_id
        self._segment = segment

    def spans(
        self,
        words: Iterable[tuple[Word, str]],
        literals: Collection[int],
        *,
        capitals: Collection[int] | None,
    ) -> list[Span]:
        """Return the spans of the unknown words in a line; adjacent ones are one span.

        `words` are those of the line, each with its form; words that start at one of `literals` are
        skipped. Capitalized words of many pieces are unknown too; those whose indices are in
        `capitals`, which have one whether they are names or not, only if the pieces are short. With
        `capitals` None no word is a name. Punctuation between two unknown words does not separate
        them.
        """
        spans: list[Span] = []
        is_adjacent = False
        places = frozenset(capitals or ())
        elsewhere = 0.0 if capitals is None else math.inf
        for index, (word, form) in enumerate(words):
            letters = _LETTERS_PER_PIECE if index in places else elsewhere
            if word.start in literals:
                is_adjacent = False
            elif self._is_unknown(word.text, self._segment(form), name_letters=letters):
                start = spans.pop()[0] if is_adjacent else word.start
                spans.append((start, word.end))
                is_adjacent = True
            elif any(map(str.isalnum, word.text)):
                is_adjacent = False
        return spans

    def share(self, words: Iterable[tuple[Word, str]], literals: Collection[int]) -> float:
        """Return the share of the letters that are in unknown words, from 0 to 1.

        A word whose pieces have fewer than two letters on average is unknown too. Arguments as for
        `spans`; 0 for a line without letters.
        """
        letters = unknown = 0
        for word, form in words:
            count = sum(map(str.isalpha, word.text))
            if not count or word.start in literals:
                continue
            ids = self._segment(form)
            n_pieces = self.n_pieces(ids)
            letters += count
            if (count < _LETTERS_PER_PIECE * n_pieces and n_pieces > 1) or self._is_unknown(
                word.text, ids, name_letters=0
            ):
                unknown += count
        return unknown / letters if letters else 0.0

    def _is_unknown(self, word: str, ids: tuple[int, ...], *, name_letters: float) -> bool:
        """Return whether a word is unknown: also a capitalized one of pieces of fewer letters than
        `name_letters` on average."""
        if min(ids) <= self._last_byte:
            return any(map(str.isprintable, word))
        if word[0].isupper() and self._is_spelled(word, ids, name_letters) and word.isalpha():
            lower = word.lower()  # unknown in either case
            if self._is_spelled(lower, self._segment(f" {lower}"), name_letters):
                return True
        return max(word) > _LAST_LATIN and any(
            character > _LAST_LATIN
            and character.isalpha()
            and character not in self._known_characters
            # In parts, since its time is quadratic in a run of combining marks.
            for start in range(0, len(word), MAX_FORM_LENGTH)
            for character in unicodedata.normalize("NFKC", word[start : start + MAX_FORM_LENGTH])
        )

    def n_pieces(self, ids: tuple[int, ...]) -> int:
        """Return the number of pieces without that of the space in front."""
        return len(ids) - (ids[0] == self._space_id)

    def _is_spelled(self, word: str, ids: tuple[int, ...], letters: float) -> bool:
        """Return whether a word has many pieces, of fewer letters than this on average."""
        count = self.n_pieces(ids)
        return (
            count >= _FEWEST_PIECES and len(word) >= _SHORTEST_NAME and len(word) < letters * count
        )

    @functools.cached_property
    def _known_characters(self) -> frozenset[str]:
        """The characters of pieces that have two or more."""
        long_pieces = (piece for piece in self._pieces if len(piece.strip(SPACE)) > 1)
        return frozenset(itertools.chain.from_iterable(long_pieces))
