"""Lines in capitals: detect them, give their words lower case, capitalize their translations.

A vocabulary of edited text segments `LOVE` into letters, but has `love` as a piece.
"""

from collections.abc import Sequence
from dataclasses import replace

from attn_cli.choices import Level
from attn_cli.data import sentences, words
from attn_cli.types import Translation, Word

#: A line of fewer words or capitals than these may be a name or an acronym: NASA, I, OK.
_WORDS, _LETTERS = 2, 4


def is_all_caps(raw: str) -> bool:
    """Return whether a line is in capitals: it has at least four, in two words or more, and no
    lower-case letter."""
    return (
        raw.isupper()
        and sum(map(str.isupper, raw)) >= _LETTERS
        and sum(any(map(str.isupper, word.text)) for word in words.split(raw)) >= _WORDS
    )


def lowercase_forms(raw: str, line_words: Sequence[Word]) -> list[str]:
    """Return the forms of `line_words`, the words of a line in capitals, in lower case.

    The first letter of each sentence remains. A form may have another length than its word (İ), so
    spans are those of the words in `raw`.
    """
    begins = iter([*(start for start, _ in sentences.split(raw)), len(raw)])
    begin = next(begins)
    forms: list[str] = []
    for word, form in zip(line_words, words.surface_forms(line_words), strict=True):
        small = form.lower()
        if word.start >= begin and any(map(str.isalnum, word.text)):  # the first, but for quotes
            head = form[: len(form) - len(word.text) + 1]
            small = head + small[len(head.lower()) :]
            while begin <= word.start:
                begin = next(begins)
        forms.append(small)
    return forms


def forms(raw: str, line_words: Sequence[Word], *, lowercase: bool) -> list[str]:
    """Return the forms of the words of a line, with `lowercase` those of `lowercase_forms`."""
    return lowercase_forms(raw, line_words) if lowercase else words.surface_forms(line_words)


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
