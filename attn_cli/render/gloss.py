"""Write interlinear glosses: each source word above the target words that it is linked to.

Three lines, as in the Leipzig Glossing Rules: the words, their glosses, the free translation.
Several target words of a source word are joined with full stops (rule 4); a word without a link has
the gloss —. `gb4e` is the LaTeX package of that name, whose \\gll aligns the words of two lines.
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
    """Return words and glosses in columns, folded at `width` cells, and the translation in quotes.

    Ends with an empty line, which separates records of several lines. Of a blank line of input only
    the empty line is left.
    """
    words, glosses = _columns(translation, links)
    if not words:
        return ""
    lines = []
    for start, end in _fold(words, glosses, width):
        for row in (words[start:end], glosses[start:end]):
            lines.append(_line(row, words[start:end], glosses[start:end]))
    lines.append(f"‘{printable(translation.text)}’")
    return "\n".join([*lines, ""])


def gb4e(translation: Translation, links: WordAlignment) -> str:
    """Return the gloss as an example of the LaTeX package gb4e. Ends with an empty line."""
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
    """Return the source words, and the target words that each is linked to."""
    linked: dict[int, list[str]] = {}
    for s, t in links.sorted_links():
        linked.setdefault(s, []).append(translation.target_words[t])
    words = [printable(word) for word in translation.source_words]
    glosses = [
        printable(".".join(linked[s])) if s in linked else UNLINKED for s in range(len(words))
    ]
    return words, glosses


def _fold(words: Sequence[str], glosses: Sequence[str], width: int) -> list[tuple[int, int]]:
    """Return ranges of columns that fit `width` cells, each of at least one column."""
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
