"""Walk through the eight steps of an explanation on a terminal, key by key."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from attn_cli.render.explanation import STEPS, StepView, header, progress
from attn_cli.render.table import alignment_table
from attn_cli.render.terminal import TerminalStyle
from attn_cli.types import Explanation

_FORWARD, _BACK = ("right", "space", "enter", "n"), ("left", "backspace", "p")
_HELP = (
    ("→ ←", "step"),
    ("↓ ↑", "word"),
    ("1–8", "step"),
    ("t", "table"),
    ("h", "head"),
    ("j k", "scroll"),
    ("q", "quit"),
)


@dataclass(frozen=True, slots=True)
class Position:
    """A position in a walk: step 1 to 8, or 9 for the table; indices of word, head and line."""

    step: int = 1
    word: int = 0
    head: int = 0
    line: int = 0

    def after(self, key: str, explanation: Explanation) -> "Position":
        """Return the position after a key; the same one for other keys."""
        words, heads = len(explanation.table.target), len(explanation.head_indices)
        if key in _FORWARD:
            return self._with_step(min(self.step + 1, len(STEPS) + 1))
        if key in _BACK:
            return self._with_step(max(self.step - 1, 1))
        if key.isdecimal() and 1 <= int(key) <= len(STEPS):
            return self._with_step(int(key))
        if key == "t":
            return self._with_step(len(STEPS) + 1)
        if key in ("down", "up"):
            return replace(self, word=(self.word + (1 if key == "down" else -1)) % words, line=0)
        if key == "h":
            return replace(self, head=(self.head + 1) % heads, line=0)
        if key in ("j", "k"):
            return replace(self, line=max(self.line + (1 if key == "j" else -1), 0))
        return self

    def _with_step(self, step: int) -> "Position":
        return replace(self, step=step, line=0)


def walk(
    explanation: Explanation, keys: Iterable[str], console: Console, *, start: Position
) -> None:
    """Show the steps on an alternate screen until `keys` end or have q or escape."""
    position = start
    with Live(
        _Screen(explanation, position), console=console, screen=True, auto_refresh=False
    ) as live:
        live.refresh()
        for key in keys:
            if key in ("q", "escape"):
                return
            position = position.after(key, explanation)
            live.update(_Screen(explanation, position), refresh=True)


@dataclass(frozen=True, slots=True)
class _Screen:
    """A full screen: the sentence, the steps' names, the lines of one step, the keys."""

    explanation: Explanation
    position: Position

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.height
        style = TerminalStyle.of(console, options)
        word, step = self.position.word, self.position.step
        top = [
            *header(self.explanation, word, width, style),
            progress(step, width, style),
            Text(),
        ]
        body = self._body(console, options, width, style)
        free = max(height - len(top) - 2, 1)
        first = min(self.position.line, max(len(body) - free, 0))
        visible = body[first : first + free]
        more = len(body) - first - len(visible)
        bottom = _keys(style, width, has_heads=len(self.explanation.head_indices) > 1, more=more)
        filler = [Text()] * (free - len(visible) + 1)
        for line in [*top, *visible, *filler]:
            line.truncate(width)
            yield line
        yield bottom

    def _body(
        self, console: Console, options: ConsoleOptions, width: int, style: TerminalStyle
    ) -> list[Text]:
        if self.position.step > len(STEPS):
            table = alignment_table(self.explanation.table, heading=False)
            segments = console.render_lines(table, options.update(height=None), pad=False)
            return [
                Text.assemble(*((part.text, part.style or "") for part in line))
                for line in segments
            ]
        head = self.explanation.head_indices[self.position.head]
        view = StepView(self.explanation, self.position.step, self.position.word, head)
        return view.lines(width, style)


def _keys(style: TerminalStyle, width: int, *, has_heads: bool, more: int) -> Text:
    """Return a line of the keys and the number of lines below."""
    line = Text(no_wrap=True, overflow="crop", end="")
    for key, meaning in _HELP:
        if (key == "h" and not has_heads) or (key == "j k" and not more):
            continue
        name = key.replace("→ ←", "n p").replace("↓ ↑", "") if style.ascii_only else key
        line.append(f" {name} ", "bold").append(f"{meaning}  ", "dim")
    if more:
        line.append(f" {more} more lines", "dim")
    line.truncate(width)
    return line
