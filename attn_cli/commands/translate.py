"""attn translate: lines in, translations out, in order, as soon as they are ready."""

from typing import Annotated

import typer

from attn_cli.commands.shared import (
    Device,
    DeviceOption,
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
    seed: Seed = 1,
) -> None:
    """Translate text: each TEXT is a line; without any, the lines of stdin or --input.

    Example: attn translate "I love you" --align
    """
    from contextlib import ExitStack

    from attn_cli.commands.opening import open_model
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
        opened = open_model(console, model, weights, device.value, threads)
        settings = opened.bundle.recipe.decode
        how = Search(
            beam=max(beam or settings.beam, n_best),
            n_best=n_best,
            length_penalty=_or(length_penalty, settings.length_penalty),
            coverage_penalty=_or(coverage_penalty, settings.coverage_penalty),
            max_length_ratio=settings.max_length_ratio,
            max_length_extra=settings.max_length_extra,
        )
        translator = Translator(
            opened.stepper,
            opened.bundle.source,
            opened.bundle.target,
            how,
            align=chosen is not Format.TEXT,
            level=level.value,
            on_problem=reporter(console),
        )
        writer = Writer(
            chosen, model=opened.bundle.name, n_best=n_best, threshold=threshold, scores=scores
        )
        write = stack.enter_context(writer.open(console, output))
        for chunk in chunks:
            found = translator.translate([Job(r.line, r.source) for r in chunk])
            write(list(zip(chunk, found, strict=True)))


def _or(given: float | None, default: float) -> float:
    return default if given is None else given
