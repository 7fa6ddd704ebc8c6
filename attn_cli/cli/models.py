"""attn models: list, verify, add and remove the registered models."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attn_cli.cli import model_archives, model_import, model_list, model_tuning
from attn_cli.cli.help_text import HelpGroup, HelpTyper
from attn_cli.cli.options import (
    ModelArgument,
    command,
    console_of,
    show_help,
)
from attn_cli.errors import ModelError

if TYPE_CHECKING:
    from attn_cli.bundles.bundle import Bundle
    from attn_cli.choices import Engine
    from attn_cli.inference.engines.registry import Part

app = HelpTyper(
    cls=HelpGroup,
    help="Manage the registered models.",
    rich_markup_mode=None,
    invoke_without_command=True,
    callback=show_help,
)

_AGAIN = "Train it again, or copy it again from an intact source."

#: The line that a model under test reads: any will do.
_LINE = "I love you."


app.command("list")(command(model_list.list_models))
app.command("pack")(command(model_archives.pack))
app.command("remove")(command(model_archives.remove))
app.command("import")(command(model_import.import_model))
app.command("tune")(command(model_tuning.tune))


@app.command("verify")
@command
def verify(context: typer.Context, name: ModelArgument) -> None:
    """Verify a model: the checksum of each file, its format, and a test computation.

    Examples:
      attn models verify en-fr
    """
    from attn_cli.bundles import registry
    from attn_cli.bundles.bundle import open_bundle
    from attn_cli.bundles.manifest import verify_checksums
    from attn_cli.inference.from_bundle import load_calibration

    console = console_of(context)
    folder = registry.find(name)
    verify_checksums(folder)
    bundle = open_bundle(folder)
    _check_vocabulary(bundle)
    load_calibration(bundle)
    _check_computing(bundle, threads=console.cores)
    files = bundle.facts["files"].values()
    size = sum(entry["bytes"] for entry in files)
    console.write(
        f"{name} is sound: {len(files)} files, {size} bytes, format {bundle.facts['format']}\n"
    )


def _check_vocabulary(bundle: "Bundle") -> None:
    """Make sure that the vocabularies are no larger than the recipe allows."""
    most = bundle.recipe.tokenizer.vocab_size
    for tokenizer in (bundle.source, bundle.target):
        if tokenizer.vocab_size > most:
            raise ModelError(
                f"the model {bundle.path} is unfit: a vocabulary of {tokenizer.vocab_size} pieces, "
                f"where its recipe allows {most}",
                "Take its recipe and its vocabulary from one model.",
            )


def _check_computing(bundle: "Bundle", *, threads: int) -> None:
    """One short line through all that the model has, on each engine that it has files for."""
    if not bundle.can_translate and not bundle.can_align:
        raise ModelError(
            f"the model {bundle.path} has neither a network that translates nor one that aligns",
            _AGAIN,
        )
    if bundle.can_translate:
        for engine in _engines(bundle, "translator"):
            _check_translating(bundle, engine=engine, threads=threads)
    if bundle.can_align:
        for engine in _engines(bundle, "word_aligner"):
            _check_aligning(bundle, engine=engine, threads=threads)


def _engines(bundle: "Bundle", part: "Part") -> "list[Engine]":
    """Return the installed engines that the bundle has files for; else auto, which then fails."""
    from attn_cli.inference.engines.registry import ENGINES

    usable: list[Engine] = [
        name
        for name, spec in ENGINES.items()
        if spec.has_files(bundle, part) and spec.is_installed()
    ]
    return usable or ["auto"]


def _check_translating(bundle: "Bundle", *, engine: "Engine", threads: int) -> None:
    import numpy as np

    from attn_cli.inference.beam_search import SearchConfig
    from attn_cli.inference.engines.registry import EngineOptions, open_generator
    from attn_cli.inference.forced_decoding import force_decode
    from attn_cli.inference.generation import BeamSearchGenerator, SourceBatch

    generator = open_generator(bundle, EngineOptions(engine, device="cpu", threads=threads))
    ids = bundle.source.encode(_LINE).ids[None, :]  # (1, S)
    lengths = np.array([ids.shape[1]], np.int32)
    with _computing(bundle):
        batch = SourceBatch(ids, lengths)
        (hypotheses,) = generator.generate(batch, SearchConfig.of(bundle.recipe.decode))
        if isinstance(generator, BeamSearchGenerator):
            force_decode(generator.decoder, ids, lengths, [ids[0]])
    pieces = bundle.target.vocab_size
    if not hypotheses or not all(h.ids.max() < pieces and np.isfinite(h.score) for h in hypotheses):
        raise _nonsense(bundle, "network")


def _check_aligning(bundle: "Bundle", *, engine: "Engine", threads: int) -> None:
    import numpy as np

    from attn_cli.inference.engines.registry import EngineOptions, open_aligner
    from attn_cli.inference.neural_alignment import align_batch

    aligner = open_aligner(bundle, EngineOptions(engine, device="cpu", threads=threads))
    source, target = (side.encode(_LINE) for side in (bundle.source, bundle.target))
    with _computing(bundle):
        (table,) = align_batch(aligner, [source], [target], mode="forced")
    rows = table.weights.sum(-1) + table.unaligned  # (T,)
    if not np.allclose(rows, 1, atol=1e-3) or not np.isfinite(table.link_scores).all():
        raise _nonsense(bundle, "word aligner")


@contextmanager
def _computing(bundle: "Bundle") -> Iterator[None]:
    """Whatever goes wrong inside is the model's fault."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # those of ONNX Runtime have no common base but this
        what, *_ = str(error).splitlines() or [type(error).__name__]
        raise ModelError(
            f"the model {bundle.path} is unfit: it cannot compute: {what}", _AGAIN
        ) from error


def _nonsense(bundle: "Bundle", part: str) -> ModelError:
    return ModelError(
        f"the model {bundle.path} is unfit: its {part} computes invalid values", _AGAIN
    )


app.command("calibrate")(command(model_tuning.calibrate))


@app.command("add")
@command
def add(
    context: typer.Context,
    path: Annotated[
        str, typer.Argument(help="The folder of a model, or a file of attn models pack.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Name in the registry. [the recipe's name]")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a registered model of that name.")
    ] = False,
) -> None:
    """Verify a model and copy it to your registry.

    The registry is $ATTN_HOME/models, or attn/models in $XDG_DATA_HOME (~/.local/share).

    Logs and checkpoints of its training are not copied.

    Examples:
      attn models add runs/mine --name mine
      attn models add mine.zip
    """
    from attn_cli.bundles import archive, bundle, manifest, registry, storage

    if archive.is_archive(Path(path)):
        model_archives.add_archive(console_of(context), Path(path), name, force=force)
        return
    source = registry.find(path)
    manifest.verify_checksums(source)
    name = bundle.open_bundle(source).name if name is None else name
    with registry.atomic_install(name, force=force) as folder:
        bundle.load_stable(source, lambda opened: storage.copy(opened, folder))
    console_of(context).info(f"attn: {name} is now in {registry.installed_path(name)}")


@app.command("show")
@command
def show(context: typer.Context, name: ModelArgument) -> None:
    """Print the card of a model, or its recipe and scores if it has no card.

    Examples:
      attn models show en-fr
    """
    import json

    from attn_cli.bundles import registry
    from attn_cli.bundles.manifest import CARD, RECIPE, read_for_display, read_manifest

    console = console_of(context)
    path = registry.find(name)
    facts = read_manifest(path)
    text = read_for_display(path, facts, CARD)
    if text is None:
        recipe = read_for_display(path, facts, RECIPE) or ""
        text = f"{recipe}\n# scores: {json.dumps(facts['scores'])}\n"
    console.write(text)


@app.command("path")
@command
def path(context: typer.Context, name: ModelArgument) -> None:
    """Print the folder of a model.

    Examples:
      attn models path en-fr
    """
    from attn_cli.bundles import registry
    from attn_cli.bundles.manifest import read_manifest

    folder = registry.find(name)
    read_manifest(folder)
    console_of(context).write(f"{folder}\n")
