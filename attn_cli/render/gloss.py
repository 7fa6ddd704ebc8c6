"""Interlinear glosses: each source word above the target words that it is linked to.

Three lines, as in the Leipzig Glossing Rules: the words, their glosses, the free translation. One
word for several is joined with a full stop (rule 4); a word without a link has the gloss —. `gb4e`
is the LaTeX package of that name, whose \\gll aligns the words of two lines.
"""

from collections.abc import Sequence

from rich.cells import cell_len

from attn_cli.render.terminal import printable
from attn_cli.types import Translation, WordAlignment

#: Cells of a line of the plain form.
WIDTH = 80

#: The gloss of a word without a link.
UNLINKED = "—"

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "#$%&_"},
}


def gloss(translation: Translation, links: WordAlignment, *, width: int = WIDTH) -> str:
    """The words and their glosses in columns, folded at `width` cells; the translation in quotes.

    An empty line follows, since a record has several. A blank line of input gives that line alone.
    """
    words, glosses = _columns(translation, links)
    if not words:
        return ""
    lines = []
    for start, end in _folded(words, glosses, width):
        for row in (words[start:end], glosses[start:end]):
            lines.append(_line(row, words[start:end], glosses[start:end]))
    lines.append(f"‘{printable(translation.text)}’")
    return "\n".join([*lines, ""])


def gb4e(translation: Translation, links: WordAlignment) -> str:
    """The same as an example of the LaTeX package gb4e. An empty line follows."""
    words, glosses = _columns(translation, links)
    if not words:
        return ""
    rows = (" ".join(f"{{{_latex(cell)}}}" for cell in row) for row in (words, glosses))
    first, second = rows
    return "\n".join(
        [
            r"\begin{exe}",
            rf"\ex \gll {first} \\",
            rf"         {second} \\",
            rf"    \glt `{_latex(translation.text)}'",
            r"\end{exe}",
            "",
        ]
    )


def _columns(translation: Translation, links: WordAlignment) -> tuple[list[str], list[str]]:
    """The source words, and the target words that each is linked to."""
    partners: dict[int, list[str]] = {}
    for s, t in links.sorted_links():
        partners.setdefault(s, []).append(translation.target_words[t])
    words = [printable(word) for word in translation.source_words]
    glosses = [
        printable(".".join(partners[s])) if s in partners else UNLINKED for s in range(len(words))
    ]
    return words, glosses


def _folded(words: Sequence[str], glosses: Sequence[str], width: int) -> list[tuple[int, int]]:
    """The ranges of columns that fit a line of `width` cells, each at least one column."""
    ranges: list[tuple[int, int]] = []
    start = used = 0
    for index, pair in enumerate(zip(words, glosses, strict=True)):
        size = max(map(cell_len, pair)) + 2
        if index > start and used + size - 2 > width:
            ranges.append((start, index))
            start, used = index, 0
        used += size
    return [*ranges, (start, len(words))]


def _line(row: Sequence[str], words: Sequence[str], glosses: Sequence[str]) -> str:
    cells = [
        cell + " " * (max(cell_len(word), cell_len(other)) - cell_len(cell))
        for cell, word, other in zip(row, words, glosses, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _latex(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in printable(text))
