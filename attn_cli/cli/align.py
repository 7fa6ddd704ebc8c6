"""attn align: pairs in, tables of weights or links out, in order."""

from pathlib import Path
from typing import Annotated

import typer

from attn_cli.choices import InputFormat, OutputFormat
from attn_cli.cli.options import (
    DeviceOption,
    DiagnosticsOption,
    EngineOption,
    ExtractOption,
    InputOption,
    LevelOption,
    ModelOption,
    OutputOption,
    ReverseOption,
    ScoresOption,
    ShardOption,
    ShowOption,
    SymmetrizeOption,
    TargetTokenOption,
    ThreadsOption,
    ThresholdOption,
    TokenizedOption,
    UnalignedMassOption,
    ViewOption,
    WeightsOption,
    console_of,
)


def align(
    context: typer.Context,
    pair: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE TARGET]", help="One pair. [stdin]", show_default=False),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", help="File of source lines; needs --target.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--target", help="File of target lines; needs --source.")
    ] = None,
    model: ModelOption = None,
    target_token: TargetTokenOption = None,
    input: InputOption = None,
    output: OutputOption = None,
    format: Annotated[
        OutputFormat | None,
        typer.Option("--format", "-f", help="Output format. [table on a terminal, else pharaoh]"),
    ] = None,
    tokenized: TokenizedOption = False,
    view: ViewOption = "auto",
    weights: WeightsOption = None,
    level: LevelOption = "word",
    extract: ExtractOption = "threshold",
    threshold: ThresholdOption = None,
    scores: ScoresOption = False,
    unaligned_mass: UnalignedMassOption = "keep",
    diagnostics: DiagnosticsOption = False,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="N|all|mean",
            help="Show attention head N, the mean of a layer's heads, or all heads side by side.",
        ),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(
            "--layer",
            metavar="N",
            min=1,
            help="The layer of these heads. [the model's default; all layers with --head all]",
        ),
    ] = None,
    show: ShowOption = "cross",
    reverse: ReverseOption = None,
    symmetrize: SymmetrizeOption = None,
    fit: Annotated[
        bool,
        typer.Option("--fit", help="Use no model: learn from the input pairs, then align them."),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="With --fit: fewer aligners, a third of the time.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --fit: save the learned model in this folder."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --out: replace an existing model.")
    ] = False,
    gold: Annotated[
        Path | None, typer.Option("--gold", help="Gold links; report AER on stderr.")
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(
            "--worst",
            metavar="N",
            min=1,
            help="With --gold: write only the N pairs of the highest AER, the worst first.",
        ),
    ] = None,
    index_base: Annotated[
        str, typer.Option("--index-base", help="First word number in --gold: auto, 0 or 1.")
    ] = "auto",
    input_format: Annotated[
        InputFormat, typer.Option("--input-format", help='jsonl reads {"source", "target"}.')
    ] = "text",
    shard: ShardOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=2**63 - 1, help="Random seed of --fit."),
    ] = 1,
) -> None:
    """Show the attention for a given target, or link the words of both sentences.

    Examples:
      attn align "I love you" "Je t'aime"
      attn align --source a.en --target a.fr > a.links
      attn align --source a.en --target a.fr --fit -o a.links    # no model: learn from these pairs
      paste a.en a.fr | attn align -f jsonl
      attn align --source a.en --target a.fr --gold gold.txt     # AER on stderr
    """
    from contextlib import ExitStack
    from dataclasses import replace

    from attn_cli.cli.align_options import AlignOptions
    from attn_cli.cli.align_with_models import (
        chunks_of,
        linker_from_corpus,
        linker_from_models,
    )
    from attn_cli.cli.evaluation import GoldEvaluator
    from attn_cli.cli.hints import hint_at_pair
    from attn_cli.cli.input import Shard, reads_live
    from attn_cli.cli.line_progress import line_progress
    from attn_cli.cli.output import Writer
    from attn_cli.cli.output_format import check_view, format_of
    from attn_cli.cli.worst_pairs import write_worst_pairs
    from attn_cli.errors import UsageError

    console = console_of(context)
    options = AlignOptions(
        pair=tuple(pair or ()),
        source=source,
        target=target,
        input=input,
        input_format=input_format,
        tokenized=tokenized,
        level=level,
        model=model,
        target_token=target_token,
        weights=weights,
        head=head,
        layer=layer,
        show=show,
        unaligned_mass=unaligned_mass,
        diagnostics=diagnostics,
        reverse=reverse,
        symmetrize=symmetrize,
        fit=fit,
        quick=quick,
        out=out,
        force=force,
        device=device,
        engine=engine,
        threads=threads or console.cores,
        seed=seed,
        shard=None if shard is None else Shard.parse(shard),
    )
    is_table = pair or worst or view != "auto" or (console.is_on_terminal(output) and not fit)
    usual: OutputFormat = "table" if is_table else "pharaoh"
    chosen = format_of(output, format, default=usual)
    hint_at_pair(console, options.pair)
    options.check(chosen, gold=gold is not None)
    check_view(chosen, view)
    if worst is not None and gold is None:
        raise UsageError("--worst compares links with gold links", "Give --gold, too.")
    writer = Writer(
        chosen,
        has_given_targets=True,
        extraction=extract,
        threshold=threshold,
        scores=scores,
        diagnostics=diagnostics,
        view=view,
    )
    with ExitStack() as stack:
        scored = GoldEvaluator(console, gold, index_base) if gold else None
        if fit:
            chunks, linker, writer = stack.enter_context(
                linker_from_corpus(console, options, writer)
            )
        else:
            chunks = stack.enter_context(chunks_of(console, options))
            linker, writer = linker_from_models(console, options, writer)
        if worst and scored:
            write_worst_pairs(console, output, writer, linker, chunks, scored, worst)
            return
        if scored:
            writer = replace(writer, read_gold=lambda: scored.gold_links[0])
        is_live = not (pair or source) and reads_live(console, input)
        writer = writer.for_shard(options.shard)
        write = stack.enter_context(writer.open(console, output, is_live=is_live))
        file = None if fit else source or input  # --fit has a progress of its own
        progress = line_progress(console, file, output, shard=options.shard)
        advance = stack.enter_context(progress)
        for chunk in chunks:
            linked = linker.link(chunk)
            write([(request, *each) for request, each in zip(chunk, linked, strict=True)])
            advance(len(chunk))
            if scored:
                scored.add([(links, pair) for pair, links in linked])
    if scored:
        scored.report()
