"""attn models import and tune: models of Marian, and the attention head that a model shows."""

from pathlib import Path
from typing import Annotated

import typer

from attn_cli.choices import Precision
from attn_cli.cli.options import ModelArgument, TargetTokenOption, console_of
from attn_cli.errors import DataError, ModelError, TrainingError, UsageError


def import_model(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder in the layout of Transformers.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name in the registry. [the folder's name]")
    ] = None,
    source: Annotated[
        str, typer.Option("--source", help="Source language, such as en. [the folder says it]")
    ] = "",
    target: Annotated[
        str, typer.Option("--target", help="Target language, such as fr. [the folder says it]")
    ] = "",
    target_token: Annotated[
        str,
        typer.Option(
            "--target-token",
            help="Of several target languages the token of one, such as fra for >>fra<<.",
        ),
    ] = "",
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="fp32: exact; int8: a third of the size, and faster."),
    ] = "fp32",
    force: Annotated[
        bool, typer.Option("--force", help="Replace a registered model of that name.")
    ] = False,
) -> None:
    """Import a Marian model, such as one of OPUS-MT, into your registry.

    The folder has config.json, source.spm, target.spm, vocab.json and model.safetensors or
    pytorch_model.bin. Nothing else is read, and nothing in it is run.

    Examples:
      attn models import opus-mt-en-fr
      attn models import opus-mt-en-roa --name en-it --target-token ita --target it
      attn models import opus-mt-en-fr --precision int8
    """
    from attn_cli.bundles import registry
    from attn_cli.bundles.bundle import open_bundle
    from attn_cli.export.bundle_export import export
    from attn_cli.importing.marian import read_model

    console = console_of(context)
    name = name or folder.resolve().name
    imported = read_model(
        folder, name=name, source=source, target=target, target_token=target_token
    )
    with registry.atomic_install(name, force=force) as out:
        imported.write(out)
        written = export(open_bundle(out), precision=precision)
    heads = " of {1} heads each in {0} layers".format(*imported.recipe.model.heads)
    console.info(
        f"attn: {name} is now in {registry.installed_path(name)}: attention{heads}, graphs in "
        f"{precision}, {written.bytes / 1e6:.1f} MB"
    )


def tune(
    context: typer.Context,
    name: ModelArgument,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", help="source<TAB>target lines; - for stdin.")
    ] = None,
    source: Annotated[Path | None, typer.Option("--source", help="Or this source text,")] = None,
    target: Annotated[Path | None, typer.Option("--target", help="and this target text.")] = None,
    links: Annotated[
        Path | None,
        typer.Option("--links", help="Word links of these pairs. [statistical aligners' votes]"),
    ] = None,
    target_token: TargetTokenOption = None,
) -> None:
    """Choose the attention head that a model shows: the one that agrees best with word links.

    Compares all heads, and the mean of each layer, on at most 500 of the pairs.

    Examples:
      attn models tune en-fr --pairs a.tsv
      attn models tune en-fr --pairs a.tsv --links a.links
    """
    if bool(pairs) == bool(source or target) or bool(source) != bool(target):
        raise UsageError(
            "tune needs sources and their translations",
            "Give --pairs FILE, or --source FILE and --target FILE.",
        )
    from attn_cli import config
    from attn_cli.bundles import registry
    from attn_cli.bundles.bundle import open_bundle
    from attn_cli.files.folder_lock import lock_folder
    from attn_cli.training.head_tuning import show_best_head

    console = console_of(context)
    path = registry.find(name)
    data = config.DataConfig(
        source=str(source or ""), target=str(target or ""), pairs=str(pairs or "")
    )
    try:
        with lock_folder(path):
            selected = show_best_head(
                open_bundle(path),
                data,
                links=links,
                threads=console.cores,
                target_token=target_token,
                stdin=console.stdin,
            )
    except TrainingError as error:
        raise DataError(
            error.problem, "Copy the model to your registry first: attn models add."
        ) from error
    if selected is None:
        raise ModelError(
            f"no attention head of {name} ever points where word links do",
            "Give more pairs, or other --links.",
        )
    console.info(f"attn: {selected.describe()}")
