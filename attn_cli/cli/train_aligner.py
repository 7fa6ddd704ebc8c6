"""attn train --aligner-only: a word aligner for a finished model."""

from dataclasses import replace

import typer

from attn_cli.cli.options import need
from attn_cli.cli.train_definition import TrainDefinition
from attn_cli.console import Console
from attn_cli.errors import ModelError

#: Settings of a recipe whose word aligner alone is to learn.
SETTINGS = ("model.word_aligner.enabled=true", "train.freeze_aligner=false")


def train_aligner(
    console: Console, definition: TrainDefinition, *, device: str, threads: int, force: bool
) -> None:
    """Train the word aligner and write the model with it into the folder of the definition.

    Leaves by typer.Exit when interrupted.
    """
    need("torch", "safetensors")
    from attn_cli.bundles.manifest import WEIGHTS
    from attn_cli.cli.interruption import StopRequest
    from attn_cli.cli.output_folder import refuse_to_replace
    from attn_cli.cli.progress import SAVING, report_progress
    from attn_cli.cli.train_run import locked_folder
    from attn_cli.training.aligner_only import UNFINISHED, train_aligner_only

    start, out = definition.start_from, definition.out
    assert start is not None, "--aligner-only needs --from"
    if not start.has_files(WEIGHTS):
        raise ModelError(
            f"the model {start.name} has no parameters of a translation network",
            "Name a model that attn train or attn models import made.",
        )
    with locked_folder(out, new=True):
        refuse_to_replace(out, force=force, resumable=False)
        is_new = not (out / UNFINISHED).exists()
        with (
            report_progress(console, out, start.name, anew=is_new, stopping=SAVING) as watching,
            StopRequest(watching.stopping) as interruption,
        ):
            is_done = train_aligner_only(
                replace(definition.recipe, name=start.name),
                start,
                out,
                device=device,
                threads=threads,
                emit=watching.listen,
                interrupted=interruption.is_set,
                stdin=console.stdin,
            )
    if not is_done:
        console.info("attn: run the same command again to continue")
        raise typer.Exit(interruption.status)
    console.info(f"attn: the model is in {out}; try: attn align -m {out}")
