"""Lay out the steps of an explanation: columns, names of pieces, titles."""

from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from attn_cli.render.bars import COMPONENT, fixed
from attn_cli.render.terminal import TerminalStyle, printable, truncate
from attn_cli.types import Explanation, HeadSteps

#: Cells of an energy or a weight.
NUMBER = 9

_LABEL = 12  # cells of the longest name of a piece


@dataclass(frozen=True, slots=True)
class StepLayout:
    """The layout of the steps for a target word: a column for names of pieces, then numbers.

    `word` is the index of the target word, `index` that of the head whose vectors are drawn, and
    `width` the width in cells.
    """

    explanation: Explanation
    word: int
    index: int
    width: int
    style: TerminalStyle

    @property
    def head(self) -> HeadSteps:
        """The head whose vectors are drawn."""
        return self.explanation.steps.heads[self.index]

    @property
    def label(self) -> int:
        """The width in cells of the column of names."""
        pieces = (*self.explanation.source.pieces, *self.explanation.target.pieces)
        return min(_LABEL, max(cell_len(printable(piece)) for piece in pieces)) + 2

    @property
    def has_several_heads(self) -> bool:
        """Whether the network has more than one head."""
        return len(self.explanation.steps.heads) > 1

    def name(self, piece: str, mark: str = "", style: str = "bold") -> Text:
        """Return the start of a line: `mark` and the name of a piece, right-aligned."""
        text = truncate(printable(piece), self.label - 2, self.style)
        line = Text(mark).append(" " * (self.label - cell_len(text) - cell_len(mark)))
        return line.append(text, style)

    def targets(self) -> list[int]:
        """Return the indices of the target pieces of the word."""
        return np.flatnonzero(self.explanation.target.word_ids == self.word).tolist()

    def piece_title(self, target: int) -> list[Text]:
        """Return a title: the piece of the word, and the head."""
        pieces = self.targets()
        parts = []
        if len(pieces) > 1:
            parts.append(f"piece {pieces.index(target) + 1} of {len(pieces)}")
        if self.has_several_heads:
            parts.append(f"layer {self.head.layer}, head {self.head.head}")
        piece = printable(self.explanation.target.pieces[target])
        details = f": {'; '.join(parts)}" if parts else ""
        return [Text.assemble("   for ", (piece, "bold"), (details, "dim"))]

    def head_title(self) -> list[Text]:
        """Return a title, the head; none if it is the only one."""
        if not self.has_several_heads:
            return []
        return [Text(f"   layer {self.head.layer}, head {self.head.head}")]

    def columns(self, *titles: tuple[str, int]) -> Text:
        """Return a line of titles of columns, left-aligned if the width is negative."""
        line = Text(" " * self.label)
        for title, width in titles:
            line.append(title.rjust(width) if width > 0 else title.ljust(-width), "dim")
        return line

    def count(self, columns: int, other: int) -> int:
        """Return the number of components that fit, of `columns` vectors and `other` cells."""
        free = (self.width - self.label - other) // columns - 2
        return max(1, free // COMPONENT)

    def heads_of_layer(self) -> list[HeadSteps]:
        """Return the heads whose mean is the table, or the head that is drawn if it is not one."""
        indices = self.explanation.head_indices
        if self.index not in indices:
            indices = (self.index,)
        return [self.explanation.steps.heads[index] for index in indices]


def number(value: float, width: int = NUMBER) -> str:
    """Return an energy or a weight with four decimals; −∞ if it is masked."""
    text = fixed(value, 4) if np.isfinite(value) else "−∞"
    return text.rjust(width)
