"""Draw the heading of a table of weights: its kind, the source and the target."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from attn_cli.render.captions import caption_of, is_square
from attn_cli.render.terminal import TerminalStyle, printable
from attn_cli.types import SoftAlignment


def table_heading(
    alignment: SoftAlignment, source: str, target: str, width: int, terminal: TerminalStyle
) -> list[Text]:
    """Return the kind of table, and the sentences on one line if both fit `width` cells.

    A square table has one sentence, `source`.
    """
    name, meaning = caption_of(alignment)
    kind = Text.assemble(
        (name, "bold"), (f" {terminal.sign('—')} {meaning}", "dim"), overflow="fold"
    )
    source, target = printable(source), printable(target)
    if is_square(alignment):
        return [kind, Text(source, overflow="fold")]
    arrow = f"{terminal.sign('→')} "
    separator = " " if cell_len(f"{source} {arrow}{target}") <= width else "\n"
    sentences = Text.assemble(source, separator, (arrow, "dim"), (target, "bold"), overflow="fold")
    return [kind, sentences]


@dataclass(frozen=True, slots=True)
class HeadedTable(ABC):
    """A table of weights below its heading; Rich draws it when it is printed.

    `source` and `target` are the raw lines of the heading; the target words of the indices `unsure`
    are marked.
    """

    alignment: SoftAlignment
    source: str
    target: str
    unsure: frozenset[int] = frozenset()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        terminal, width = TerminalStyle.of(console, options), options.max_width
        yield from table_heading(self.alignment, self.source, self.target, width, terminal)
        yield from self.body(width, terminal)

    @abstractmethod
    def body(self, width: int, terminal: TerminalStyle) -> RenderResult:
        """Yield what is below the heading, at most `width` cells wide."""
