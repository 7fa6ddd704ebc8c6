"""attn models import: models that other tools have trained."""

from pathlib import Path
from typing import Annotated

import typer

from attn_cli.choices import Precision
from attn_cli.cli.options import console_of


def import_model(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder in the layout of Transformers.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name in the registry. [the folder's name]")
    ] = None,
    source: Annotated[
        str, typer.Option("--source", help="Source language, such as en. [from the folder]")
    ] = "",
    target: Annotated[
        str, typer.Option("--target", help="Target language, such as fr. [from the folder]")
    ] = "",
    target_token: Annotated[
        str,
        typer.Option(
            "--target-token",
            help="Target language of a model that has several: its token, such as fra for >>fra<<.",
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
