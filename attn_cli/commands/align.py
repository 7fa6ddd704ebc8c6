"""attn align: pairs in, tables of weights or links out, in order."""

from pathlib import Path
from typing import Annotated

import typer

from attn_cli.commands.shared import (
    Device,
    DeviceOption,
    Extract,
    ExtractOption,
    Format,
    Input,
    InputFormat,
    Level,
    LevelOption,
    Method,
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
    extract: ExtractOption = Extract.THRESHOLD,
    threshold: Threshold = None,
    scores: Scores = False,
    reverse: Annotated[
        str | None,
        typer.Option("--reverse", help="A model for the other direction; uses both."),
    ] = None,
    symmetrize: Annotated[
        Method | None,
        typer.Option(
            "--symmetrize",
            help="How both become one: soft the tables, others the links. [grow-diag-final-and]",
        ),
    ] = None,
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
    from attn_cli.commands.opening import Opened, open_model
    from attn_cli.commands.output import Writer
    from attn_cli.commands.scoring import GoldScore
    from attn_cli.commands.sources import reporter, requests, requests_of_two
    from attn_cli.errors import UsageError
    from attn_cli.linker import BothWays, OneWay, check_opposite

    console = console_of(context)
    if (source is None) != (target is None):
        raise UsageError("--source and --target go together", "Give both, or pipe pairs in.")
    if source is not None and (pair or input is not None):
        raise UsageError("pairs were given twice", "Give --source and --target alone.")
    if level is Level.PIECE and gold is not None:
        raise UsageError("gold links are between words", "Leave --level piece out.")
    if symmetrize is not None and reverse is None:
        raise UsageError(
            "--symmetrize combines two directions", "Name the other direction's model: --reverse."
        )
    if level is Level.PIECE and reverse is not None:
        raise UsageError("two models share words, not pieces", "Leave --level piece out.")
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

        def aligner(opened: Opened, name: str = "") -> Aligner:
            return Aligner(
                opened.stepper,
                opened.bundle.source,
                opened.bundle.target,
                tokenized=tokenized,
                level=level.value,
                on_problem=reporter(console, name),
            )

        writer = Writer(
            chosen,
            model=opened.bundle.name,
            given=True,
            extraction=extract.value,
            threshold=threshold,
            scores=scores,
        )
        linker: OneWay | BothWays = OneWay(aligner(opened), writer.links)
        if reverse is not None:
            other = open_model(console, reverse, weights, device.value, threads)
            check_opposite(opened.bundle.recipe, other.bundle.recipe)
            method = symmetrize or Method.GROW_DIAG_FINAL_AND
            both = aligner(opened), aligner(other, other.bundle.name)
            linker = BothWays(*both, writer.links, method.value)
        write = stack.enter_context(writer.open(console, output))
        for chunk in chunks:
            linked = linker.link([Pair(r.line, r.source, r.target) for r in chunk])
            write([(request, *each) for request, each in zip(chunk, linked, strict=True)])
            if scored:
                scored.add([(links, pair) for pair, links in linked])
    if scored:
        scored.report()
