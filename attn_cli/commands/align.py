"""attn align: pairs in, tables of weights or links out, in order."""

from pathlib import Path
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


def align(
    context: typer.Context,
    pair: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE TARGET]", help="One pair; none: stdin.", show_default=False
        ),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", help="A file of source lines, beside --target.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--target", help="A file of target lines, beside --source.")
    ] = None,
    model: Model = None,
    input: Input = None,
    output: Output = None,
    format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="How to write. [a table on a terminal, else pharaoh]"),
    ] = None,
    tokenized: Annotated[
        bool, typer.Option("--tokenized", help="Words are what spaces separate; links count those.")
    ] = False,
    weights: WeightsOption = None,
    level: LevelOption = Level.WORD,
    threshold: Threshold = None,
    scores: Scores = False,
    gold: Annotated[
        Path | None, typer.Option("--gold", help="Score the links against these: AER, on stderr.")
    ] = None,
    index_base: Annotated[
        str, typer.Option("--index-base", help="Gold words count from: auto, 0 or 1.")
    ] = "auto",
    input_format: Annotated[
        InputFormat, typer.Option("--input-format", help='jsonl reads {"source", "target"}.')
    ] = InputFormat.TEXT,
    threads: Threads = None,
    device: DeviceOption = Device.AUTO,
    seed: Seed = 1,
) -> None:
    """Show what the network looks at when the target is given, or which words it links.

    Example: attn align "I love you" "Je t'aime"
    """
    from contextlib import ExitStack

    from attn_cli.aligner import Aligner, Pair
    from attn_cli.commands.opening import open_model
    from attn_cli.commands.output import Writer
    from attn_cli.commands.scoring import GoldScore
    from attn_cli.commands.sources import reporter, requests, requests_of_two
    from attn_cli.errors import UsageError

    console = console_of(context)
    if (source is None) != (target is None):
        raise UsageError("--source and --target go together", "Give both, or pipe pairs in.")
    if source is not None and (pair or input is not None):
        raise UsageError("pairs were given twice", "Give --source and --target alone.")
    if level is Level.PIECE and gold is not None:
        raise UsageError("gold links are between words", "Leave --level piece out.")
    on_screen = console.stdout_is_terminal and str(output or "-") == "-"
    chosen = format or (Format.TABLE if pair or on_screen else Format.PHARAOH)
    with ExitStack() as stack:
        if source is not None and target is not None:
            chunks = stack.enter_context(requests_of_two(console, source, target))
        else:
            chunks = stack.enter_context(
                requests(console, pair or [], input, input_format, pairs=True)
            )
        scored = GoldScore(console, gold, index_base) if gold else None
        opened = open_model(console, model, weights, device.value, threads)
        aligner = Aligner(
            opened.stepper,
            opened.bundle.source,
            opened.bundle.target,
            tokenized=tokenized,
            level=level.value,
            on_problem=reporter(console),
        )
        writer = Writer(
            chosen, model=opened.bundle.name, given=True, threshold=threshold, scores=scores
        )
        write = stack.enter_context(writer.open(console, output))
        for chunk in chunks:
            found = aligner.align([Pair(r.line, r.source, r.target) for r in chunk])
            write(list(zip(chunk, found, strict=True)))
            if scored:
                scored.add([(writer.links(each), each) for each in found])
    if scored:
        scored.report()
