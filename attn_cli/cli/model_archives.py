"""attn models pack and remove, and models that attn models add takes from an archive."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attn_cli.cli.candidates import complete_model
from attn_cli.cli.options import ModelArgument, console_of
from attn_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from attn_cli.console import Console


def pack(
    context: typer.Context,
    name: ModelArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file, or - for stdout. [NAME.zip]"),
    ] = None,
) -> None:
    """Verify a model and write it as one file, which attn models add takes.

    The file is a ZIP archive of the model's files and its card, the same for the same model.

    Examples:
      attn models pack runs/mine -o mine.zip
      attn models pack mine -o - | ssh HOST 'cat > mine.zip; attn models add mine.zip'
    """
    from attn_cli.bundles import archive, registry
    from attn_cli.bundles.bundle import load_stable
    from attn_cli.bundles.manifest import verify_checksums
    from attn_cli.console import is_stdout
    from attn_cli.data.text_output import open_output

    console = console_of(context)
    folder = registry.find(name)
    verify_checksums(folder)
    output = output or Path(folder.resolve().name + archive.SUFFIX)
    if str(output).endswith(".gz"):
        raise UsageError(f"{output} would be compressed twice", "Name it *.zip.")
    if console.is_on_terminal(output):
        raise UsageError("an archive is not for a terminal", "Name a file with --output.")
    with open_output(output, stdout=console.stdout) as file:
        load_stable(folder, lambda opened: archive.pack(opened, file.buffer))
    if not is_stdout(output):
        console.info(f"attn: {output}, {output.stat().st_size / 1e6:.1f} MB")


def add_archive(console: "Console", file: Path, name: str | None, *, force: bool) -> None:
    """Unpack an archive into the registry, and verify its files before they have its name."""
    from attn_cli.bundles import archive, registry
    from attn_cli.bundles.bundle import open_bundle
    from attn_cli.bundles.manifest import verify_checksums

    with archive.open_archive(file) as packed:
        name = name or packed.name
        with registry.atomic_install(name, force=force) as folder:
            packed.unpack(folder)
            verify_checksums(folder)
            open_bundle(folder)
    console.info(f"attn: {name} is now in {registry.installed_path(name)}")


def remove(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Names of models in your registry.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ],
) -> None:
    """Remove models from your registry.

    Shipped models and folders elsewhere are not removed.

    Examples:
      attn models remove mine
    """
    from attn_cli.bundles import registry

    console = console_of(context)
    for name in names:
        registry.check_removable(name)
    for name in names:
        try:
            folder = registry.remove(name)
        except OSError as error:
            raise DataError(
                f"cannot remove the model {name}: {error.strerror}", "Check the folder's rights."
            ) from error
        console.info(f"attn: removed {folder}")
