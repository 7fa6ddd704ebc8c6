"""attn translate: lines in, translations out, in order, as soon as they are ready."""

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attn_cli.commands.shared import (
    Device,
    DeviceOption,
    EngineName,
    EngineOption,
    Extract,
    ExtractOption,
    Format,
    Input,
    InputFormat,
    Level,
    LevelOption,
    Model,
    Output,
    Scores,
    Seed,
    Threads,
    Threshold,
    WeightsOption,
    console_of,
)
from attn_cli.errors import UsageError

if TYPE_CHECKING:
    from attn_cli.decode.beam import Search


#: The formats that a model writes too which has no weights to show.
_WITHOUT_WEIGHTS = (Format.TEXT, Format.JSONL)


def translate(
    context: typer.Context,
    text: Annotated[
        list[str] | None, typer.Argument(help="Each is a line; none: stdin.", show_default=False)
    ] = None,
    model: Model = None,
    input: Input = None,
    output: Output = None,
    format: Annotated[
        Format | None, typer.Option("--format", "-f", help="How to write. [text]")
    ] = None,
    align: Annotated[
        bool, typer.Option("--align", help="The table of weights too: --format table.")
    ] = False,
    weights: WeightsOption = None,
    level: LevelOption = Level.WORD,
    extract: ExtractOption = Extract.THRESHOLD,
    threshold: Threshold = None,
    scores: Scores = False,
    beam: Annotated[
        int | None, typer.Option("--beam", "-b", min=1, max=1000, help="1 is greedy. [recipe's]")
    ] = None,
    n_best: Annotated[int, typer.Option("--n-best", min=1, help="Translations a line.")] = 1,
    length_penalty: Annotated[
        float | None, typer.Option("--length-penalty", min=0.0, help="GNMT's α. [recipe's]")
    ] = None,
    coverage_penalty: Annotated[
        float | None, typer.Option("--coverage-penalty", min=0.0, help="GNMT's β. [recipe's]")
    ] = None,
    input_format: Annotated[
        InputFormat, typer.Option("--input-format", help='jsonl reads {"source": …}.')
    ] = InputFormat.TEXT,
    threads: Threads = None,
    device: DeviceOption = Device.AUTO,
    engine: EngineOption = EngineName.AUTO,
    seed: Seed = 1,
) -> None:
    """Translate text: each TEXT is a line; without any, the lines of stdin or --input.

    Example: attn translate "I love you" --align
    """
    from contextlib import ExitStack

    from attn_cli.commands.opening import Opener
    from attn_cli.commands.output import Writer
    from attn_cli.commands.sources import reporter, requests
    from attn_cli.decode.beam import Search
    from attn_cli.translator import Job, Translator

    console = console_of(context)
    chosen = format or (Format.TABLE if align else Format.TEXT)
    with ExitStack() as stack:
        chunks = stack.enter_context(
            requests(console, text or [], input, input_format, pairs=False)
        )
        opened = Opener(console, device.value, threads, engine.value).to_translate(
            model,
            weights,
            shown=chosen not in _WITHOUT_WEIGHTS
            or (chosen is Format.JSONL and weights is not None),
        )
        assert opened.stepper is not None
        decode = opened.bundle.recipe.decode
        how = _overridden(
            Search.of(decode),
            beam=beam,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
        )
        how = replace(how, n_best=n_best, beam=max(how.beam, n_best))
        translator = Translator(
            opened.stepper,
            opened.bundle.source,
            opened.bundle.target,
            how,
            align=chosen is not Format.TEXT and bool(opened.matcher or opened.bundle.attends),
            matcher=opened.matcher,
            level=level.value,
            split_over=decode.split_over,
            capitals=decode.capitals,
            on_problem=reporter(console),
        )
        writer = Writer(
            chosen,
            n_best=n_best,
            extraction=extract.value,
            threshold=threshold,
            scores=scores,
        ).of(opened.bundle, by_head=opened.matcher is not None)
        write = stack.enter_context(writer.open(console, output))
        for chunk in chunks:
            found = translator.translate([Job(r.line, r.source) for r in chunk])
            write([(r, each, writer.links(each)) for r, each in zip(chunk, found, strict=True)])


def _overridden(how: "Search", **given: Any) -> "Search":
    """`how` with the options that were given in the place of the recipe's.

    Raises UsageError for a number that is none, which Typer lets pass its bounds.
    """
    for name, value in given.items():
        if isinstance(value, float) and not isfinite(value):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} cannot be {value}", "Give a number.")
    return replace(how, **{name: value for name, value in given.items() if value is not None})
