"""attn translate: lines in, translations out, in order, as soon as they are ready."""

from typing import Annotated

import typer

from attn_cli.cli.options import (
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
    ShardOption,
    ShortlistOption,
    Threads,
    Threshold,
    To,
    WeightsOption,
    console_of,
)


def translate(
    context: typer.Context,
    text: Annotated[
        list[str] | None, typer.Argument(help="Lines to translate. [stdin]", show_default=False)
    ] = None,
    model: Model = None,
    to: To = None,
    input: Input = None,
    output: Output = None,
    format: Annotated[
        Format | None, typer.Option("--format", "-f", help="Output format. [text]")
    ] = None,
    align: Annotated[
        bool, typer.Option("--align", help="Show the attention weights: short for --format table.")
    ] = False,
    weights: WeightsOption = None,
    level: LevelOption = Level.WORD,
    extract: ExtractOption = Extract.THRESHOLD,
    threshold: Threshold = None,
    scores: Scores = False,
    mark_unsure: Annotated[
        bool,
        typer.Option(
            "--mark-unsure",
            help="Put words of low probability between \u27e6 and \u27e7 in the text.",
        ),
    ] = False,
    beam: Annotated[
        int | None, typer.Option("--beam", "-b", min=1, max=1000, help="1 is greedy. [recipe's]")
    ] = None,
    n_best: Annotated[int, typer.Option("--n-best", min=1, help="Translations of each line.")] = 1,
    length_penalty: Annotated[
        float | None, typer.Option("--length-penalty", min=0.0, help="GNMT's α. [recipe's]")
    ] = None,
    coverage_penalty: Annotated[
        float | None, typer.Option("--coverage-penalty", min=0.0, help="GNMT's β. [recipe's]")
    ] = None,
    no_shortlist: ShortlistOption = False,
    input_format: Annotated[
        InputFormat, typer.Option("--input-format", help='jsonl reads {"source": …}.')
    ] = InputFormat.TEXT,
    shard: ShardOption = None,
    threads: Threads = None,
    device: DeviceOption = Device.AUTO,
    engine: EngineOption = EngineName.AUTO,
    seed: Seed = 1,
) -> None:
    """Translate lines: each TEXT, or the lines of stdin or --input.

    Examples:
      attn translate "I love you"                  # each TEXT is a line
      attn translate "I love you" --align          # with the table of its attention
      attn translate -i a.en -o a.fr               # or: attn translate < a.en > a.fr
      attn translate -i a.en.gz -o a.jsonl.gz --n-best 3
      attn translate "I love you" -o table.svg
    """
    from contextlib import ExitStack

    from attn_cli.cli.choosing import choose_model
    from attn_cli.cli.input import Shard, requests
    from attn_cli.cli.translating import Options, translator_from_model

    console = console_of(context)
    options = Options(
        format or (Format.TABLE if align else Format.TEXT),
        model=choose_model(model, to),
        weights=weights,
        level=level.value,
        extract=extract.value,
        threshold=threshold,
        scores=scores,
        mark_unsure=mark_unsure,
        beam=beam,
        n_best=n_best,
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
        no_shortlist=no_shortlist,
        device=device.value,
        engine=engine.value,
        threads=threads,
    )
    part = None if shard is None else Shard.parse(shard)
    with ExitStack() as stack:
        chunks = stack.enter_context(
            requests(console, text or [], input, input_format, pairs=False, shard=part)
        )
        find, writer = translator_from_model(
            console, options, notes=stack, is_single=len(text or []) == 1
        )
        write = stack.enter_context(writer.open(console, output))
        for chunk in chunks:
            write(find(chunk))
