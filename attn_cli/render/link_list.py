"""Draw a table of weights in the terminal as a line a target word: its partners and their weights.

Imports values, Rich and the styles of `render.terminal`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from attn_cli.render.captions import UNALIGNED_TITLE, is_square
from attn_cli.render.heat import DIM_BELOW
from attn_cli.render.table import title_of
from attn_cli.render.terminal import TerminalStyle, printable, truncate, word_label
from attn_cli.types import SoftAlignment

_LABEL = 24  # cells of the longest target word
_PARTNER = 24  # … and of the longest partner
_BETWEEN = "  "


@dataclass(frozen=True, slots=True)
class LinkList:
    """`t' ← you .98` for each target word, the heaviest partner first; Rich draws it.

    A partner has a weight of at least 0.1. `source` and `target` are the raw lines of the heading;
    target words of the indices `unsure` are marked.
    """

    alignment: SoftAlignment
    source: str
    target: str
    unsure: frozenset[int] = frozenset()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        terminal, width = TerminalStyle.of(console, options), options.max_width
        yield from title_of(self.alignment, self.source, self.target, width, terminal)
        yield Text()
        labels = [truncate(printable(word), _LABEL, terminal) for word in self.alignment.target]
        longest = max(map(cell_len, labels), default=0)
        for row, label in enumerate(labels):
            line = word_label(label, longest, is_unsure=row in self.unsure)
            line.append("<-" if terminal.ascii_only else "←", "dim")
            for part in _partners(self.alignment, row, terminal):
                if line.cell_len + len(_BETWEEN) + part.cell_len > width:
                    break
                line.append_text(part)
            yield line


def _partners(alignment: SoftAlignment, row: int, terminal: TerminalStyle) -> Iterator[Text]:
    pairs = zip(alignment.weights[row], alignment.source, strict=True)
    weights = [(float(weight), word) for weight, word in pairs]
    if not is_square(alignment):
        weights.append((float(alignment.unaligned[row]), UNALIGNED_TITLE[alignment.kind]))
    by_weight = sorted(weights, key=lambda each: -each[0])
    for number, (weight, word) in enumerate(by_weight):
        if weight < DIM_BELOW:
            return
        text = Text(_BETWEEN if number else " ")
        text.append(truncate(printable(word), _PARTNER, terminal)).append(" ")
        text.append(_short(weight), terminal.style(weight))
        yield text


def _short(weight: float) -> str:
    """A weight as ".98"; 1 as "1.0", which is as wide."""
    text = f"{weight:.2f}"
    return text[1:] if text.startswith("0") else text[:3]
