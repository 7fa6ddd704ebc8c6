"""The case in which lines are read, and that of their translations.

A vocabulary was learned from sentences in which most words are in lower case: it segments `LOVE`
into letters, and `Horses` into more pieces than `horses`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from attn_cli.choices import Case, Level
from attn_cli.config import DecodeConfig
from attn_cli.data import sentences, words
from attn_cli.types import Translation, Word

#: A line of fewer words or capitals than these may be a name or an acronym: NASA, I, OK.
_WORDS, _LETTERS = 2, 4

#: The most pieces of a word that a vocabulary knows in lower case.
_KNOWN_PIECES = 2

#: The most letters of a word that a title has in lower case: of, the, and.
_SMALL_WORD = 3


@dataclass(frozen=True)
class CaseRules:
    """Which lines are read in another case than their own.

    With `all_caps`, lines in capitals are read in lower case; with `truecase`, the first words of
    the sentences of other lines are, and all words of titles, if they have fewer pieces so (Koehn
    et al. 2008, who look up the most frequent case of a word instead).
    """

    all_caps: bool = False
    truecase: bool = False

    @classmethod
    def of(cls, decode: DecodeConfig) -> "CaseRules":
        """Return the rules of a recipe."""
        return cls(decode.handle_all_caps, decode.truecase)

    def case(self, raw: str) -> Case:
        """Return the case in which a line is read."""
        if self.all_caps and is_all_caps(raw):
            return "lowercase"
        return "truecase" if self.truecase else "original"


ORIGINAL_CASE = CaseRules()


def is_all_caps(raw: str) -> bool:
    """Return whether a line is in capitals: it has at least four, in two words or more, and no
    lower-case letter."""
    return (
        raw.isupper()
        and sum(map(str.isupper, raw)) >= _LETTERS
        and sum(any(map(str.isupper, word.text)) for word in words.split(raw)) >= _WORDS
    )


def lowercase_forms(raw: str, line_words: Sequence[Word], forms: Sequence[str]) -> list[str]:
    """Return the `forms` of `line_words`, the words of a line in capitals, in lower case.

    The first letter of each sentence remains. A form may have another length than its word (İ), so
    spans are those of the words in `raw`.
    """
    lowered = [form.lower() for form in forms]
    for index in _first_words(raw, line_words):
        form = forms[index]
        head = form[: len(form) - len(line_words[index].text) + 1]
        lowered[index] = head + lowered[index][len(head.lower()) :]
    return lowered


def truecase_forms(
    raw: str, line_words: Sequence[Word], forms: Sequence[str], n_pieces: Callable[[str], int]
) -> list[str]:
    """Return the `forms` of the words of a line, those at `capital_places` in their true case.

    That is lower case for a capitalized word that has fewer pieces so, and not more than
    `_KNOWN_PIECES`; others may be names. `n_pieces` counts them.
    """
    truecased = list(forms)
    for index in capital_places(raw, line_words):
        text, form = line_words[index].text, forms[index]
        lower = form.lower()
        if (
            text.isalpha()
            and text[0].isupper()
            and text[1:].islower()
            and len(lower) == len(form)
            and n_pieces(lower) < min(n_pieces(form), _KNOWN_PIECES + 1)
        ):
            truecased[index] = lower
    return truecased


def capital_places(raw: str, line_words: Sequence[Word]) -> Sequence[int]:
    """Return the indices of words that have a capital whether they are names or not: the first of
    each sentence, or all of a title."""
    return range(len(line_words)) if _is_title(line_words) else _first_words(raw, line_words)


def _is_title(line_words: Sequence[Word]) -> bool:
    """Return whether a line is in title case, as Terms of Use: it has two capitalized words or
    more, fewer others, of at most `_SMALL_WORD` letters, and no point at its end."""
    texts = [word.text for word in line_words if word.text[0].isalpha()]
    small = [text for text in texts if not text[0].isupper()]
    return (
        len(texts) - len(small) > max(1, len(small))
        and all(len(text) <= _SMALL_WORD for text in small)
        and line_words[-1].text != "."
    )


def begins_with_capital(line_words: Sequence[Word]) -> bool:
    """Return whether the first word of a line begins with a capital."""
    first = first_word(line_words)
    return first is not None and line_words[first].text[0].isupper()


def first_word(line_words: Sequence[Word]) -> int | None:
    """Return the index of the first word, quotes and the like left out; None for a line without."""
    indices = (i for i, word in enumerate(line_words) if any(map(str.isalnum, word.text)))
    return next(indices, None)


def _first_words(raw: str, line_words: Sequence[Word]) -> list[int]:
    """Return the index of the first word of each sentence, quotes and the like left out."""
    begins = iter([*(start for start, _ in sentences.split(raw)), len(raw)])
    begin = next(begins)
    first = []
    for index, word in enumerate(line_words):
        if word.start >= begin and any(map(str.isalnum, word.text)):
            first.append(index)
            while begin <= word.start:
                begin = next(begins)
    return first


def uppercase(translation: Translation, *, level: Level) -> Translation:
    """Return the translation in capitals; the pieces, those of the vocabulary, do not change."""
    loud = replace(
        translation,
        text=translation.text.upper(),
        texts=tuple(text.upper() for text in translation.texts),
    )
    if level == "piece":
        return loud
    target = tuple(word.upper() for word in translation.target_words)
    table = translation.alignment
    return replace(
        loud,
        target_words=target,
        alignment=None if table is None else replace(table, target=target),
    )


def capitalize(text: str) -> str:
    """Return a text whose first letter is a capital, unless a digit is before it."""
    for place, character in enumerate(text):
        if character.isalnum():
            upper = character.upper()
            return text[:place] + upper + text[place + 1 :] if len(upper) == 1 else text
    return text


def lowercase_first_word(
    text: str, line_words: Sequence[Word], n_pieces: Callable[[str], int]
) -> tuple[str, tuple[Word, ...]]:
    """Return a text, and its words, whose first word has no capital, unless it is a name or I.

    A name has more pieces in lower case, which `n_pieces` counts.
    """
    first = first_word(line_words)
    if first is None:
        return text, tuple(line_words)
    word = line_words[first]
    lower = word.text[0].lower() + word.text[1:]
    if (
        word.text == "I"
        or len(lower) != len(word.text)
        or lower != word.text.lower()
        or n_pieces(f" {lower}") > n_pieces(f" {word.text}")
    ):
        return text, tuple(line_words)
    lowered = list(line_words)
    lowered[first] = replace(word, text=lower)
    return text[: word.start] + lower + text[word.end :], tuple(lowered)


def capitalize_words(line_words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words of such a text, whose spans are the same."""
    capitalized = list(line_words)
    if (first := first_word(line_words)) is not None:
        capitalized[first] = replace(line_words[first], text=capitalize(line_words[first].text))
    return tuple(capitalized)
