"""attn batch: many files in, as many files out, on every core or on a Ray cluster."""

from pathlib import Path
from typing import Annotated

import typer

from attn_cli.cli.candidates import complete_model
from attn_cli.cli.options import (
    EngineName,
    EngineOption,
    Extract,
    ExtractOption,
    Format,
    InputFormat,
    Level,
    LevelOption,
    Method,
    Model,
    Scores,
    ShortlistOption,
    Threshold,
    To,
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
            help="Files (text, *.jsonl, *.parquet; *.gz), folders with all below them, patterns.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Output folder.")],
    align: Annotated[
        bool, typer.Option("--align", help="Align pairs, like attn align, instead of translating.")
    ] = False,
    model: Model = None,
    to: To = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Ray cluster: auto or HOST:PORT. [this machine]"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes with one core each. [all cores]"),
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
    beam: Annotated[
        int | None, typer.Option("--beam", "-b", min=1, max=1000, help="1 is greedy. [recipe's]")
    ] = None,
    n_best: Annotated[
        int | None, typer.Option("--n-best", min=1, help="Translations of each record. [1]")
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option("--length-penalty", min=0.0, help="GNMT's α. [recipe's]")
    ] = None,
    coverage_penalty: Annotated[
        float | None, typer.Option("--coverage-penalty", min=0.0, help="GNMT's β. [recipe's]")
    ] = None,
    no_shortlist: ShortlistOption = False,
    weights: WeightsOption = None,
    level: LevelOption = Level.WORD,
    extract: ExtractOption = Extract.THRESHOLD,
    threshold: Threshold = None,
    scores: Scores = False,
    tokenized: Annotated[
        bool, typer.Option("--tokenized", help="Input is tokenized: words are separated by spaces.")
    ] = False,
    reverse: Annotated[
        str | None,
        typer.Option(
            "--reverse",
            help="A model of the other direction; combine both.",
            autocompletion=complete_model,
        ),
    ] = None,
    symmetrize: Annotated[
        Method | None,
        typer.Option("--symmetrize", help="Method of combination. [grow-diag-final-and]"),
    ] = None,
    engine: EngineOption = EngineName.AUTO,
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
    from attn_cli.cli import align_with_models, translating
    from attn_cli.cli.batching import files
    from attn_cli.cli.batching.work import Task
    from attn_cli.cli.choosing import choose_model
    from attn_cli.cli.output import Writer

    model = choose_model(model, to)
    if align:
        pairs = align_with_models.Options(
            pair=(),
            source=None,
            target=None,
            input=None,
            input_format=InputFormat.TEXT,
            tokenized=tokenized,
            level=level.value,
            model=model,
            weights=weights,
            head=None,
            layer=None,
            reverse=reverse,
            symmetrize=symmetrize,
            fit=False,
            out=None,
            force=False,
            device="auto",
            engine=engine.value,
            threads=1,
            seed=1,
        )
        pairs.check(Format.PHARAOH, gold=False)
        task = Task(
            pairs,
            files.Columns((source_column, target_column or "target"), result_column or "links"),
            files.RECORDS,
            Writer(
                Format.PHARAOH,
                given=True,
                extraction=extract.value,
                threshold=threshold,
                scores=scores,
            ),
        )
    else:
        task = Task(
            translating.Options(
                Format.TEXT,
                model=model,
                weights=weights,
                level=level.value,
                extract=extract.value,
                threshold=threshold,
                beam=beam,
                n_best=n_best or 1,
                length_penalty=length_penalty,
                coverage_penalty=coverage_penalty,
                no_shortlist=no_shortlist,
                engine=engine.value,
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
