"""attn explain: the eight steps of attention on one sentence, with its numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attn_cli.cli.options import (
    DeviceOption,
    ModelOption,
    OutputOption,
    TargetTokenOption,
    ThreadsOption,
    ToOption,
    console_of,
)
from attn_cli.console import Console, is_stdout
from attn_cli.errors import UsageError

if TYPE_CHECKING:
    from attn_cli.types import Explanation

ExplainFormat = Literal["table", "jsonl"]


def explain(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="A sentence to translate.", show_default=False)],
    model: ModelOption = None,
    to: ToOption = None,
    target_token: TargetTokenOption = None,
    step: Annotated[
        int | None, typer.Option("--step", min=1, max=8, help="Show this step only, from 1 to 8.")
    ] = None,
    word: Annotated[
        str | None,
        typer.Option(
            "--word",
            metavar="N|all",
            help="Show the steps of target word N, from 1, or of all words. [1; jsonl all]",
        ),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option("--layer", min=1, help="A layer of attention. [the model's default]"),
    ] = None,
    head: Annotated[
        int | None,
        typer.Option("--head", min=1, help="A head of that layer. [the model's default, or mean]"),
    ] = None,
    format: Annotated[
        ExplainFormat, typer.Option("--format", "-f", help="jsonl has every number.")
    ] = "table",
    output: OutputOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Explain attention in eight steps, with the numbers of a sentence.

    On a terminal the arrow keys move from step to step and from word to word.

    Examples:
      attn explain "I love you"
      attn explain "I love you" --step 5 --word 2
      attn explain "I love you" --format jsonl | jq 'select(.step == 5)'
    """
    from attn_cli.api.model import load
    from attn_cli.cli.choosing import choose_model

    console = console_of(context)
    loaded = load(
        choose_model(model, to),
        target_token=target_token,
        device=device,
        threads=threads or console.cores,
    )
    explanation = loaded.explain(text, layer=layer, head=head).explanation
    n_words = len(explanation.table.target)
    if format == "jsonl":
        from attn_cli.cli.output_file import open_writer
        from attn_cli.render.explanation_records import explanation_jsonl, explanation_records

        records = explanation_records(
            explanation,
            steps=_steps(step),
            words=None if word in (None, "all") else _words(word, n_words),
        )
        with open_writer(console, output) as write:
            for record in records:
                write(explanation_jsonl(record) + "\n")
        return
    words = _words(word, n_words)
    if output is None and step is None and word != "all" and console.reads_keys:
        from attn_cli.render.explanation_walk import Position, walk

        with console.keys() as keys:
            walk(explanation, keys, console.rich(stderr=False), start=Position(word=words[0]))
        return
    _show(console, output, explanation, _steps(step), words)


def _steps(step: int | None) -> Sequence[int]:
    return [step] if step else range(1, 9)


def _words(word: str | None, count: int) -> list[int]:
    """The indices of the target words that --word names. Raises UsageError if there are none."""
    if word == "all":
        return list(range(count))
    if word is None:
        return [0]
    if not (word.isascii() and word.isdecimal() and 1 <= int(word) <= count):
        raise UsageError(
            f"--word cannot be {word}: the translation has {count} word{'s' * (count != 1)}",
            f"Give a number from 1 to {count}, or all.",
        )
    return [int(word) - 1]


def _show(
    console: Console,
    output: Path | None,
    explanation: "Explanation",
    steps: Sequence[int],
    words: Sequence[int],
) -> None:
    """Write the steps of these words, then the table if all steps are wanted."""
    from attn_cli.cli.output_file import open_writer
    from attn_cli.render.explanation import ExplanationView
    from attn_cli.render.terminal import plain

    view = ExplanationView(explanation, tuple(steps), tuple(words))
    if is_stdout(output):
        console.show(view)
        return
    with open_writer(console, output) as write:
        write(plain(view))
