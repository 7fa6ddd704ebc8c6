"""Draw the eight steps of attention on one sentence as text: headings, steps, the table."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from attn_cli.render.explanation_layout import StepLayout
from attn_cli.render.explanation_steps import draw_step
from attn_cli.render.table import alignment_table
from attn_cli.render.terminal import TerminalStyle, printable
from attn_cli.types import Explanation

#: Names and sentences of the steps.
STEPS = (
    ("Encode", "The encoder turns each piece into a state h_j, which depends on the sentence."),
    ("Query", "The query comes from the decoder's state, which depends on the target so far."),
    (
        "Keys and values",
        "Each state has a key, to compare with the query, and a value, to pass on.",
    ),
    ("Score", "Each key is scored against the query; a good match has a large energy."),
    ("Normalize", "The energies become weights from 0 to 1 whose sum is 1."),
    ("Weight", "Each value is multiplied by its weight."),
    ("Sum", "The sum of the weighted values is the context."),
    ("Predict", "Context, state and previous piece give the probabilities of the next piece."),
)
_SHORT = ("Encode", "Query", "Keys", "Score", "Normalize", "Weight", "Sum", "Predict")

#: Steps that are the same for each target word.
_OF_THE_SENTENCE = (1, 3)


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of an explanation, for the target word of index `word`.

    `head` is the index in `explanation.steps.heads` of the head whose vectors are drawn, by default
    the first of the table's.
    """

    explanation: Explanation
    step: int
    word: int = 0
    head: int | None = None
    heading: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = TerminalStyle.of(console, options)
        yield from self.lines(options.max_width, style)

    def lines(self, width: int, style: TerminalStyle) -> list[Text]:
        """Return the lines of the step, at most `width` cells wide."""
        layout = StepLayout(self.explanation, self.word, self._head, width, style)
        lines = list(_title(self.explanation, self.step, width, style)) if self.heading else []
        lines += draw_step(layout, self.step)
        for line in lines:
            line.rstrip()
            line.no_wrap = True
            line.overflow = "crop"
        return lines

    @property
    def _head(self) -> int:
        return self.explanation.head_indices[0] if self.head is None else self.head


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """Steps of an explanation for target words, by index; if all steps, also the table."""

    explanation: Explanation
    steps: tuple[int, ...] = tuple(range(1, len(STEPS) + 1))
    words: tuple[int, ...] = (0,)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = TerminalStyle.of(console, options)
        for number, word in enumerate(self.words):
            yield from header(self.explanation, word, options.max_width, style)
            yield Text()
            for step in self.steps:
                if number == 0 or step not in _OF_THE_SENTENCE:
                    yield StepView(self.explanation, step, word)
                    yield Text()
        if len(self.steps) == len(STEPS):
            yield Text("All words", "bold")
            yield alignment_table(self.explanation.table, heading=False)


def header(explanation: Explanation, word: int, width: int, style: TerminalStyle) -> list[Text]:
    """Return the sentence, its translation with the word `word` marked, and the model."""
    source = printable(explanation.source.raw)
    line = Text.assemble(source, (f" {style.sign('→')} ", "dim"))
    for index, target in enumerate(explanation.table.target):
        is_marked = index == word
        has_colors = style.colors != "none"
        text = printable(target)
        line.append(
            f"[{text}]" if is_marked and not has_colors else text,
            "bold reverse" if is_marked and has_colors else "bold",
        )
        line.append(" ")
    model = Text(f"{explanation.model}, {explanation.attention} attention", "dim")
    free = width - line.cell_len - model.cell_len
    if free < 1:
        return [line, model]
    return [Text.assemble(line, " " * free, model)]


def progress(step: int, width: int, style: TerminalStyle) -> Text:
    """Return a line of the names of all steps, with `step` marked."""
    line = Text()
    for number, name in enumerate(_SHORT, start=1):
        text = f" {number} {name} " if width >= 80 else f" {number} "
        line.append(text, "reverse" if number == step else "dim" if number > step else "")
    return line


def _title(explanation: Explanation, step: int, width: int, style: TerminalStyle) -> Iterator[Text]:
    name, sentence = STEPS[step - 1]
    formula = explanation.formulas[step - 1]
    left = Text.assemble((f"{step}  ", "bold magenta"), (name, "bold"))
    free = width - left.cell_len - cell_len(formula)
    if free >= 2:
        yield Text.assemble(left, " " * free, (formula, "cyan"))
    else:
        yield left
        yield Text(f"   {formula}", "cyan")
    yield Text(f"   {sentence}", "dim")
    yield Text()
