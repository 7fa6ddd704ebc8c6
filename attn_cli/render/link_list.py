"""Draw a table of weights in the terminal as lists: the source words of each target word."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import RenderResult
from rich.text import Text

from attn_cli.render.captions import UNALIGNED_TITLE, is_square
from attn_cli.render.heat import DIM_BELOW
from attn_cli.render.table_heading import HeadedTable
from attn_cli.render.terminal import TerminalStyle, printable, truncate, word_label
from attn_cli.types import SoftAlignment

_LABEL = 24  # cells of the longest target word
_SOURCE_WORD = 24  # cells of the longest source word
_SEPARATOR = "  "


@dataclass(frozen=True, slots=True)
class LinkList(HeadedTable):
    """A line `t' ← you .98` for each target word: its source words, largest weight first.

    Source words with a weight below `DIM_BELOW` are left out.
    """

    def body(self, width: int, terminal: TerminalStyle) -> RenderResult:
        """Yield a line for each target word, with as many source words as fit."""
        yield Text()
        labels = [truncate(printable(word), _LABEL, terminal) for word in self.alignment.target]
        longest = max(map(cell_len, labels), default=0)
        for row, label in enumerate(labels):
            line = word_label(label, longest, is_unsure=row in self.unsure)
            line.append("<-" if terminal.ascii_only else "←", "dim")
            for part in _source_words(self.alignment, row, terminal):
                if line.cell_len + len(_SEPARATOR) + part.cell_len > width:
                    break
                line.append_text(part)
            yield line


def _source_words(alignment: SoftAlignment, row: int, terminal: TerminalStyle) -> Iterator[Text]:
    pairs = zip(alignment.weights[row], alignment.source, strict=True)
    weights = [(float(weight), word) for weight, word in pairs]
    if not is_square(alignment):
        weights.append((float(alignment.unaligned[row]), UNALIGNED_TITLE[alignment.kind]))
    by_weight = sorted(weights, key=lambda each: -each[0])
    for number, (weight, word) in enumerate(by_weight):
        if weight < DIM_BELOW:
            return
        text = Text(_SEPARATOR if number else " ")
        text.append(truncate(printable(word), _SOURCE_WORD, terminal)).append(" ")
        text.append(_short(weight), terminal.style(weight))
        yield text


def _short(weight: float) -> str:
    """Return a weight as ".98"; 1 as "1.0", of the same width."""
    text = f"{weight:.2f}"
    return text[1:] if text.startswith("0") else text[:3]
