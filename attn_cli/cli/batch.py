"""attn batch: many files in, as many files out, on every core or on a Ray cluster."""

from pathlib import Path
from typing import Annotated

import typer

from attn_cli.choices import MAX_BEAM, MAX_THREADS
from attn_cli.cli.options import (
    BeamOption,
    CoveragePenaltyOption,
    EngineOption,
    ExtractOption,
    LengthPenaltyOption,
    LevelOption,
    ModelOption,
    ReverseOption,
    ScoresOption,
    ShortlistOption,
    SymmetrizeOption,
    TargetTokenOption,
    ThresholdOption,
    TokenizedOption,
    ToOption,
    WeightsOption,
    console_of,
)
from attn_cli.errors import UsageError

#: The options that belong to one of the two tasks.
_OF_ALIGN = ("tokenized", "reverse", "symmetrize", "scores", "target_column")
_OF_TRANSLATE = ("beam", "n_best", "length_penalty", "coverage_penalty", "no_shortlist")


def batch(
    context: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files (text, *.jsonl, *.parquet; *.gz), folders and their subfolders, patterns.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Output folder.")],
    align: Annotated[
        bool, typer.Option("--align", help="Align pairs, like attn align, instead of translating.")
    ] = False,
    model: ModelOption = None,
    to: ToOption = None,
    target_token: TargetTokenOption = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Ray cluster: auto or HOST:PORT. [this machine]"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=MAX_THREADS, help="Processes with one core each. [all cores]"
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Start again, and replace existing outputs.")
    ] = False,
    source_column: Annotated[
        str, typer.Option("--source-column", help="Parquet: the column to read.")
    ] = "source",
    target_column: Annotated[
        str | None,
        typer.Option(
            "--target-column", help="Parquet with --align: the column of targets. [target]"
        ),
    ] = None,
    result_column: Annotated[
        str | None,
        typer.Option(
            "--result-column", help="Parquet: the column to add. [target; links with --align]"
        ),
    ] = None,
    beam: BeamOption = None,
    n_best: Annotated[
        int | None,
        typer.Option("--n-best", min=1, max=MAX_BEAM, help="Translations of each record. [1]"),
    ] = None,
    length_penalty: LengthPenaltyOption = None,
    coverage_penalty: CoveragePenaltyOption = None,
    no_shortlist: ShortlistOption = False,
    weights: WeightsOption = None,
    level: LevelOption = "word",
    extract: ExtractOption = "threshold",
    threshold: ThresholdOption = None,
    scores: ScoresOption = False,
    tokenized: TokenizedOption = False,
    reverse: ReverseOption = None,
    symmetrize: SymmetrizeOption = None,
    engine: EngineOption = "auto",
) -> None:
    """Translate many files into files of the same name and format in --output.

    Run the same command again to continue. Needs Ray Data.

    Examples:
      attn batch corpus/ --output translated
      attn batch 'corpus/*.tsv' --align --output links --address auto
    """
    console = console_of(context)
    console.set_environment(RAY_USAGE_STATS_ENABLED="0")
    from attn_cli.cli.batching.driver import run_batch  # first of all: Ray may be missing

    _check_options(context, align=align)
    from attn_cli.cli.align_options import AlignOptions
    from attn_cli.cli.batching import files
    from attn_cli.cli.batching.work import Task
    from attn_cli.cli.choosing import choose_model
    from attn_cli.cli.output import Writer
    from attn_cli.cli.translate_with_model import TranslateOptions

    model = choose_model(model, to)
    if align:
        pairs = AlignOptions(
            threads=1,
            tokenized=tokenized,
            level=level,
            model=model,
            target_token=target_token,
            weights=weights,
            reverse=reverse,
            symmetrize=symmetrize,
            engine=engine,
        )
        pairs.check("pharaoh", gold=False)
        task = Task(
            pairs,
            files.Columns((source_column, target_column or "target"), result_column or "links"),
            files.RECORDS,
            Writer(
                "pharaoh",
                has_given_targets=True,
                extraction=extract,
                threshold=threshold,
                scores=scores,
            ),
        )
    else:
        task = Task(
            TranslateOptions(
                format="text",
                model=model,
                target_token=target_token,
                weights=weights,
                level=level,
                extract=extract,
                threshold=threshold,
                beam=beam,
                n_best=n_best or 1,
                length_penalty=length_penalty,
                coverage_penalty=coverage_penalty,
                no_shortlist=no_shortlist,
                engine=engine,
                threads=1,
            ),
            files.Columns((source_column,), result_column or "target"),
            files.RECORDS,
        )
    run_batch(console, task, inputs, output, address=address, workers=workers, force=force)


def _check_options(context: typer.Context, *, align: bool) -> None:
    """Raises UsageError for an option of the other task."""
    for name in _OF_TRANSLATE if align else _OF_ALIGN:
        if context.params.get(name) not in (None, False):
            option = f"--{name.replace('_', '-')}"
            other = "is for translating" if align else "is for --align"
            raise UsageError(
                f"{option} {other}", "Leave it out, or --align." if align else "Add --align."
            )
