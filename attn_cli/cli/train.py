"""attn train: train a model from a recipe or from text files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attn_cli.choices import MAX_THREADS
from attn_cli.cli.candidates import complete_model, complete_recipe_name, complete_setting
from attn_cli.cli.options import (
    DeviceOption,
    TargetTokenOption,
    ThreadsOption,
    console_of,
    need,
)
from attn_cli.errors import UsageError

if TYPE_CHECKING:
    from attn_cli.cli.train_run import WatchedSentence


_TEXT = "Text to train on"


def _file(name: str, help: str) -> object:
    return typer.Option(name, help=help, rich_help_panel=_TEXT, show_default=False)


def train(
    context: typer.Context,
    recipe: Annotated[
        Path | None,
        typer.Argument(help="A recipe (TOML). [the demo]", show_default=False),
    ] = None,
    recipe_name: Annotated[
        str | None,
        typer.Option(
            "--recipe-name",
            metavar="NAME",
            autocompletion=complete_recipe_name,
            help="Use a recipe of attn instead: gru, lstm, rnn, bahdanau, luong, local, hard, "
            "no-attention, transformer, transformer-tiny.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Output folder. [runs/NAME]")] = None,
    source: Annotated[Path | None, _file("--source", "Source lines; needs --target.")] = None,
    target: Annotated[Path | None, _file("--target", "Target lines.")] = None,
    pairs: Annotated[Path | None, _file("--pairs", "Or pairs: source<TAB>target lines.")] = None,
    valid_source: Annotated[Path | None, _file("--valid-source", "Validation source.")] = None,
    valid_target: Annotated[Path | None, _file("--valid-target", "Validation target.")] = None,
    valid_pairs: Annotated[
        Path | None, _file("--valid-pairs", "Or validation pairs: source<TAB>target lines.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set a key of the recipe; may be repeated.",
            autocompletion=complete_setting,
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option("--from", help="Fine-tune this model.", autocompletion=complete_model),
    ] = None,
    aligner_only: Annotated[
        bool,
        typer.Option(
            "--aligner-only", help="With --from: train a word aligner for it, and nothing else."
        ),
    ] = False,
    target_token: TargetTokenOption = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help="Resume the training in DIR."),
    ] = None,
    accept_new_data: Annotated[
        bool,
        typer.Option("--accept-new-data", help="Resume even if the text has changed."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the model in --out.")] = False,
    max_steps: Annotated[
        int | None, typer.Option("--max-steps", min=1, help="Maximum updates.")
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            "--max-minutes",
            min=0.0,
            help="Wall time of the command, from start to exit; the word aligner's training and "
            "the learning-rate schedule are fitted to it.",
        ),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch",
            metavar="TEXT",
            help="Show the attention of this sentence during training; "
            "'source ||| target' forces the target.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Random seed.")] = None,
    threads: ThreadsOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=MAX_THREADS,
            help="Data-parallel processes, each with a part of every batch. "
            "[one per core if batches are large enough]",
        ),
    ] = None,
    device: DeviceOption = "auto",
    print_recipe: Annotated[
        bool, typer.Option("--print-recipe", help="Print the resolved recipe and stop.")
    ] = False,
) -> None:
    """Train a model; without arguments, the demo in two or three minutes.

    Examples:
      attn train                                      # the demo
      attn train --source a.en --target a.fr --out runs/mine
      attn train --pairs corpus.tsv --recipe-name transformer --max-minutes 60
      attn train --source a.en --target a.fr --set model.encoder.cell=lstm --print-recipe
      attn train --resume runs/mine
      attn train --from en-fr --pairs mine.tsv --out runs/tuned
      attn train --aligner-only --from opus --pairs mine.tsv --out runs/aligned
    """
    from attn_cli.cli.train_definition import (
        check_recipe_options,
        holds_training,
        new_definition,
        resumed_definition,
        worker_definition,
    )
    from attn_cli.cli.train_run import (
        locked_folder,
        require_tensorboard,
        run_training,
        run_worker,
        worker_rank,
    )

    console = console_of(context)
    sentence = _parse_watch(watch)
    files = {
        "source": source,
        "target": target,
        "pairs": pairs,
        "valid_source": valid_source,
        "valid_target": valid_target,
        "valid_pairs": valid_pairs,
    }
    texts = {key: path for key, path in files.items() if path is not None}
    changes = list(settings or [])
    changes += [f"train.max_steps={max_steps}"] if max_steps is not None else []
    changes += [f"seed={seed}"] if seed is not None else []
    changes += _target_token_setting(target_token, start_from)
    if aligner_only:
        from attn_cli.cli.train_aligner import SETTINGS, train_aligner

        if start_from is None or resume or recipe or recipe_name or workers:
            raise UsageError(
                "--aligner-only needs --from, and no recipe, --resume or --workers",
                "Write: attn train --aligner-only --from MODEL --pairs FILE --out DIR",
            )
        definition = new_definition(None, None, texts, [*SETTINGS, *changes], start_from, out)
        train_aligner(
            console,
            definition,
            device=device,
            threads=threads or console.cores,
            force=force,
        )
        return
    worker = worker_rank(console, workers)
    if resume is not None:
        if recipe or recipe_name or texts or start_from or (out and out != resume):
            raise UsageError(
                "--resume continues a training with its own recipe and text",
                "Leave out the recipe, the text, --from and --out.",
            )
        definition = (
            resumed_definition(resume, changes) if worker.rank == 0 else worker_definition(resume)
        )
    else:
        if accept_new_data:
            raise UsageError("--accept-new-data needs --resume", "Add --resume DIR.")
        check_recipe_options(recipe_name, recipe, start_from)
        definition = new_definition(recipe, recipe_name, texts, changes, start_from, out)
    if print_recipe:
        from attn_cli import config
        from attn_cli.config import rebase_paths

        here = rebase_paths(definition.recipe, definition.base, Path(), absolute_outside=True)
        console.write(config.to_toml(here, helps=True, heading="attn train RECIPE.toml"))
        return
    need("torch", "safetensors")
    if definition.recipe.train.tensorboard:
        require_tensorboard()
    explicit_device = None if device == "auto" else device
    options: dict[str, Any] = {
        "max_minutes": max_minutes,
        "threads": threads,
        "device": explicit_device,
        "workers": workers,
    }
    options = {name: value for name, value in options.items() if value is not None}
    if worker.rank:
        run_worker(console, definition, options, worker)
        return
    if worker.restarts and resume is None and holds_training(definition.out):
        resume = definition.out
    with locked_folder(definition.out, new=resume is None):
        if resume is None:
            from attn_cli.cli.output_folder import refuse_to_replace

            refuse_to_replace(definition.out, force=force, resumable=True)
        else:
            definition = resumed_definition(resume, changes)  # read again under the lock
        status = run_training(
            console, definition, options, worker, sentence, accept_new_data=accept_new_data
        )
    if status:
        raise typer.Exit(status)


def _target_token_setting(token: str | None, start_from: str | None) -> list[str]:
    """Return the setting of --target-token. Raises UsageError if no model is named."""
    if token is None:
        return []
    if start_from is None:
        raise UsageError("--target-token needs a model", "Name the model: --from.")
    return [f"tokenizer.target_token={token}"]


def _parse_watch(text: str | None) -> "WatchedSentence":
    """Return the sentence of --watch, and its forced target or None."""
    if text is None:
        return None
    source, separator, target = (part.strip() for part in text.partition("|||"))
    if not source or (separator and not target):
        raise UsageError(
            "--watch needs a sentence, or 'source ||| target'",
            'Write one, as in --watch "I love you".',
        )
    return source, target if separator else None
