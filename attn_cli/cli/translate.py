"""attn translate: lines in, translations out, in order, as soon as they are ready."""

from typing import Annotated

import typer

from attn_cli.choices import MAX_BEAM, InputFormat, OutputFormat
from attn_cli.cli.options import (
    BeamOption,
    CoveragePenaltyOption,
    DeviceOption,
    DiagnosticsOption,
    EngineOption,
    ExtractOption,
    InputOption,
    LengthPenaltyOption,
    LevelOption,
    ModelOption,
    OutputOption,
    ScoresOption,
    ShardOption,
    ShortlistOption,
    ShowOption,
    TargetTokenOption,
    ThreadsOption,
    ThresholdOption,
    ToOption,
    UnalignedMassOption,
    ViewOption,
    WeightsOption,
    console_of,
)


def translate(
    context: typer.Context,
    text: Annotated[
        list[str] | None, typer.Argument(help="Lines to translate. [stdin]", show_default=False)
    ] = None,
    model: ModelOption = None,
    to: ToOption = None,
    target_token: TargetTokenOption = None,
    input: InputOption = None,
    output: OutputOption = None,
    format: Annotated[
        OutputFormat | None, typer.Option("--format", "-f", help="Output format. [text]")
    ] = None,
    align: Annotated[
        bool, typer.Option("--align", help="Show the attention weights: short for --format table.")
    ] = False,
    view: ViewOption = "auto",
    weights: WeightsOption = None,
    show: ShowOption = "cross",
    level: LevelOption = "word",
    extract: ExtractOption = "threshold",
    threshold: ThresholdOption = None,
    scores: ScoresOption = False,
    mark_unsure: Annotated[
        bool,
        typer.Option(
            "--mark-unsure",
            help="Put words of low probability between \u27e6 and \u27e7 in the text.",
        ),
    ] = False,
    unaligned_mass: UnalignedMassOption = "keep",
    diagnostics: DiagnosticsOption = False,
    flag_below: Annotated[
        float | None,
        typer.Option(
            "--flag-below",
            metavar="X",
            min=0.0,
            max=1.0,
            help="Flag translations with a confidence below X.",
        ),
    ] = None,
    beam: BeamOption = None,
    n_best: Annotated[
        int,
        typer.Option(
            "--n-best", min=1, max=MAX_BEAM, help="Translations of each line, in text and jsonl."
        ),
    ] = 1,
    length_penalty: LengthPenaltyOption = None,
    coverage_penalty: CoveragePenaltyOption = None,
    no_shortlist: ShortlistOption = False,
    input_format: Annotated[
        InputFormat, typer.Option("--input-format", help='jsonl reads {"source": …}.')
    ] = "text",
    shard: ShardOption = None,
    resume_output: Annotated[
        bool,
        typer.Option(
            "--resume-output",
            help="Keep an unfinished output in FILE.part, and continue it if it exists.",
        ),
    ] = False,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    seed: Annotated[int, typer.Option("--seed", help="Ignored: translation is deterministic.")] = 1,
) -> None:
    """Translate lines: each TEXT, or the lines of stdin or --input.

    Examples:
      attn translate "I love you"                  # each TEXT is a line
      attn translate "I love you" --align          # with the table of its attention
      attn translate -i a.en -o a.fr               # or: attn translate < a.en > a.fr
      attn translate -i a.en.gz -o a.jsonl.gz --n-best 3
      attn translate -i long.en -o long.fr --resume-output
      attn translate "I love you" -o table.svg
    """
    from contextlib import ExitStack
    from dataclasses import replace

    from attn_cli.cli.choosing import choose_model
    from attn_cli.cli.hints import hint_at_texts
    from attn_cli.cli.input import Shard, open_input, reads_live
    from attn_cli.cli.line_progress import line_progress
    from attn_cli.cli.output_format import check_document, check_view, format_of
    from attn_cli.cli.translate_with_model import TranslateOptions, translator_from_model
    from attn_cli.console import is_stdout

    console = console_of(context)
    is_table = align or view != "auto" or show != "cross"
    options = TranslateOptions(
        format=format_of(output, format, default="table" if is_table else "text"),
        model=choose_model(model, to),
        target_token=target_token,
        weights=weights,
        show=show,
        level=level,
        extract=extract,
        threshold=threshold,
        scores=scores,
        mark_unsure=mark_unsure,
        beam=beam,
        n_best=n_best,
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
        no_shortlist=no_shortlist,
        device=device,
        engine=engine,
        threads=threads,
        unaligned_mass=unaligned_mass,
        diagnostics=diagnostics,
        flag_below=flag_below,
    )
    options.note_single_translation(console)
    hint_at_texts(console, text or [])
    part = None if shard is None else Shard.parse(shard)
    check_document(options.format, shard=part is not None)
    check_view(options.format, view)
    with ExitStack() as stack:
        resumed = None
        if resume_output:
            from attn_cli.cli import resume_output as resuming

            source, target = resuming.check_resumable(input, output, options.format)
            origin = resuming.origin_of(options, source, input_format=input_format, shard=shard)
            resumed = stack.enter_context(resuming.open_resumable(console, target, origin))
        done = resumed.lines if resumed else 0
        chunks = stack.enter_context(
            open_input(
                console,
                text or [],
                input,
                input_format,
                pairs=False,
                shard=part,
                skip=done,
                to_file=not is_stdout(output),
            )
        )
        find, writer = translator_from_model(
            console, options, notes=stack, is_single=len(text or []) == 1
        )
        writer = replace(writer.for_shard(part), view=view)
        if resumed:
            writer = replace(writer, has_header=writer.has_header and not done)
            write = stack.enter_context(writer.writing(resumed.write, None))
        else:
            is_live = not text and reads_live(console, input)
            write = stack.enter_context(writer.open(console, output, is_live=is_live))
        advance = stack.enter_context(line_progress(console, input, output, shard=part, done=done))
        for chunk in chunks:
            write(find(chunk))
            if resumed:
                resumed.commit(len(chunk))
            advance(len(chunk))
