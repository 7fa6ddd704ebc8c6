"""attn models tune and calibrate: what a model shows, and its confidence, from sentence pairs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from attn_cli.cli.options import (
    EngineOption,
    ModelArgument,
    TargetTokenOption,
    ThreadsOption,
    console_of,
)
from attn_cli.console import Console
from attn_cli.errors import DataError, ModelError, TrainingError, UsageError


def tune(
    context: typer.Context,
    name: ModelArgument,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", help="source<TAB>target lines; - for stdin.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", help="Or source lines; needs --target.")
    ] = None,
    target: Annotated[Path | None, typer.Option("--target", help="Target lines.")] = None,
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
    _require_pairs("tune", pairs, source, target)
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
    with _changing(), lock_folder(path):
        selected = show_best_head(
            open_bundle(path),
            data,
            links=links,
            threads=console.cores,
            target_token=target_token,
            stdin=console.stdin,
        )
    if selected is None:
        raise ModelError(
            f"no attention head of {name} agrees with any word link",
            "Give more pairs, or other --links.",
        )
    console.info(f"attn: {selected.describe()}")


def calibrate(
    context: typer.Context,
    name: ModelArgument,
    pairs: Annotated[
        str | None,
        typer.Option("--pairs", metavar="FILE", help="source<TAB>target lines; *.gz, - is stdin."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="FILE", help="Or source lines; needs --target."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="FILE", help="Their translations, line by line."),
    ] = None,
    target_token: TargetTokenOption = None,
    engine: EngineOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    """Calibrate the confidence of a model on held-out pairs, and save it in the model.

    Translates the sources and compares them with the targets by sentence chrF. Takes at most 1,000
    pairs, evenly spaced. Training does the same at its end.

    Examples:
      attn models calibrate en-fr --pairs valid.tsv
    """
    from attn_cli.bundles import registry
    from attn_cli.bundles.bundle import open_bundle
    from attn_cli.bundles.manifest import CONFIDENCE
    from attn_cli.bundles.storage import add_file
    from attn_cli.inference import calibration
    from attn_cli.inference.engines.registry import EngineOptions, open_generator

    console = console_of(context)
    _require_pairs("calibrate", pairs, source, target)
    read = _read_pairs(console, pairs, source, target)
    path = registry.find(name)
    bundle = open_bundle(path).with_target_token(target_token)
    if not bundle.can_translate:
        raise ModelError(
            f"the model {bundle.name} does not translate, so it has no confidence",
            "Name a model that does.",
        )
    options = EngineOptions(engine, device="cpu", threads=threads or console.cores)
    generator = open_generator(bundle, options)
    most = min(len(read), calibration.MAX_PAIRS)
    console.info(f"attn: translating {most:,} of {len(read):,} pairs with {bundle.name}")
    fitted = calibration.calibrate(bundle, generator, read)
    with _changing():
        add_file(path, CONFIDENCE, fitted.calibration.to_bytes())
    console.info(f"attn: {fitted.sentence()}")


def _read_pairs(
    console: Console, pairs: str | None, source: str | None, target: str | None
) -> list[tuple[str, str]]:
    """Return the pairs of one file or of two. Raises DataError."""
    from attn_cli.cli.input import open_input, open_parallel_input

    if source is not None and target is not None:
        reading = open_parallel_input(console, Path(source), Path(target))
    else:
        reading = open_input(console, [], Path(pairs or "-"), "text", pairs=True)
    with reading as chunks:
        return [(each.source, each.target) for chunk in chunks for each in chunk]


def _require_pairs(command: str, pairs: object, source: object, target: object) -> None:
    """Raise UsageError unless either --pairs or both of --source and --target name text."""
    if (pairs is None) == (source is None) or (source is None) != (target is None):
        raise UsageError(
            f"{command} needs sources and their translations",
            "Give --pairs FILE, or --source FILE and --target FILE.",
        )


@contextmanager
def _changing() -> Iterator[None]:
    """Turn the error of a model that cannot be written into one with advice."""
    try:
        yield
    except TrainingError as error:
        raise DataError(
            error.problem, "Copy the model to your registry first: attn models add."
        ) from error
