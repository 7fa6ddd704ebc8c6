"""attn train: a recipe, or files of text, become a model that translates and aligns."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attn_cli.choices import MAX_THREADS
from attn_cli.cli.candidates import complete_model, complete_recipe_name, complete_setting
from attn_cli.cli.options import DeviceOption, ThreadsOption, console_of, need
from attn_cli.console import Console
from attn_cli.errors import AttnError, ExitStatus, UsageError

if TYPE_CHECKING:
    from attn_cli.bundles.bundle import Bundle
    from attn_cli.config import Recipe
    from attn_cli.training.budget import TimeBudget
    from attn_cli.training.group import Group
    from attn_cli.training.place import WorkerRank
    from attn_cli.training.resume import Plan, ResumePlan
    from attn_cli.training.train_run import TrainRun

    Watched = tuple[str, str | None] | None

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
            help="Or a recipe included in attn: gru, lstm, rnn, bahdanau, luong, local, hard, "
            "no-attention, transformer, transformer-tiny.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Output folder. [runs/NAME]")] = None,
    source: Annotated[Path | None, _file("--source", "Source lines; needs --target.")] = None,
    target: Annotated[Path | None, _file("--target", "Target lines.")] = None,
    pairs: Annotated[Path | None, _file("--pairs", "Or source<TAB>target lines.")] = None,
    valid_source: Annotated[Path | None, _file("--valid-source", "Validation source.")] = None,
    valid_target: Annotated[Path | None, _file("--valid-target", "Validation target.")] = None,
    valid_pairs: Annotated[Path | None, _file("--valid-pairs", "Or validation pairs.")] = None,
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
    """
    console = console_of(context)
    watched = _watched(watch)
    files = {
        "source": source,
        "target": target,
        "pairs": pairs,
        "valid_source": valid_source,
        "valid_target": valid_target,
        "valid_pairs": valid_pairs,
    }
    given = {key: path for key, path in files.items() if path is not None}
    changes = list(settings or [])
    changes += [f"train.max_steps={max_steps}"] if max_steps is not None else []
    changes += [f"seed={seed}"] if seed is not None else []
    place = _place(console, workers)
    if resume is not None:
        if recipe or recipe_name or given or start_from or (out and out != resume):
            raise UsageError(
                "--resume continues a training with its own recipe and text",
                "Leave out the recipe, the text, --from and --out.",
            )
        plan = _resumed(resume, changes) if place.rank == 0 else _followed(resume)
    else:
        if accept_new_data:
            raise UsageError("--accept-new-data needs --resume", "Add --resume DIR.")
        _check_named(recipe_name, recipe, start_from)
        plan = _begun(recipe, recipe_name, given, changes, start_from, out)
    if print_recipe:
        from attn_cli import config
        from attn_cli.config import rebase_paths

        here = rebase_paths(plan.recipe, plan.base, Path(), absolute_outside=True)
        console.write(config.to_toml(here, helps=True, heading="attn train RECIPE.toml"))
        return
    need("torch", "safetensors")
    if plan.recipe.train.tensorboard:
        _need_tensorboard()
    named = None if device == "auto" else device
    options: dict[str, Any] = {
        "max_minutes": max_minutes,
        "threads": threads,
        "device": named,
        "workers": workers,
    }
    options = {name: value for name, value in options.items() if value is not None}
    if place.rank:
        _work_along(console, plan, options, place)
        return
    if place.restarts and resume is None and _holds_training(plan.out):
        resume = plan.out
    with _writing_into(plan.out, new=resume is None):
        if resume is None:
            from attn_cli.cli.output_folder import refuse_to_replace

            refuse_to_replace(plan.out, force=force, resumable=True)
        else:
            plan = _resumed(resume, changes)  # as it is now that nobody else writes there
        status = _train(console, plan, options, place, watched, accept_new_data=accept_new_data)
    if status:
        raise typer.Exit(status)


@dataclass(frozen=True)
class _Plan:
    """What to train, and where. The recipe's data paths are relative to `base`.

    `resumed` is the training to continue, `start_from` the model that a new one starts from.
    """

    recipe: "Recipe"
    base: Path
    out: Path
    resumed: "ResumePlan | None" = None
    start_from: "Bundle | None" = None


def _resumed(folder: Path, changes: list[str]) -> _Plan:
    from attn_cli import config
    from attn_cli.training.resume import read_plan

    training = read_plan(folder)
    return _Plan(config.with_settings(training.plan.recipe, changes), folder, folder, training)


def _followed(folder: Path) -> _Plan:
    """The plan of a worker that takes the main worker's recipe when it meets it."""
    from attn_cli.config import Recipe

    return _Plan(Recipe(), folder, folder)


def _holds_training(folder: Path) -> bool:
    """Whether there is a training to resume, such as one whose workers torchrun starts again."""
    from attn_cli.training.resume import read_plan

    try:
        read_plan(folder)
    except UsageError:
        return False
    return True


def _check_named(name: str | None, recipe: Path | None, start_from: str | None) -> None:
    """Raises UsageError where a recipe is named beside another definition of the network."""
    if name is not None and recipe is not None:
        raise UsageError(
            f"two recipes were given: {recipe} and --recipe-name {name}", "Leave one of them out."
        )
    if name is not None and start_from is not None:
        raise UsageError(
            "--from takes the network of a model, so it excludes --recipe-name",
            "Leave one of the two out.",
        )


def _begun(
    path: Path | None,
    name: str | None,
    given: dict[str, Path],
    changes: list[str],
    start_from: str | None,
    out: Path | None,
) -> _Plan:
    from attn_cli import config
    from attn_cli.bundles import registry
    from attn_cli.bundles.bundle import open_bundle
    from attn_cli.bundles.manifest import FACTS
    from attn_cli.training.finetuning import finetuning_recipe

    if path is not None and path.is_dir():
        raise UsageError(f"{path} is a folder", "Name a recipe in it, such as recipe.toml.")
    if path is not None:
        # A model's own recipe makes that model again, whatever the defaults are by now.
        of_a_model = (path.parent / FACTS).is_file()
        recipe, base = config.load(path, legacy_defaults=of_a_model), path.parent
    elif given:
        recipe, base = _of_text(given, of_a_model=start_from is not None), Path()
    elif start_from:
        raise UsageError("--from needs training text", "Add --pairs, or --source and --target.")
    else:
        base = registry.demo_corpus()
        recipe = config.load(base / "recipe.toml")
    if name is not None:
        recipe = _named(name, recipe)
    if given:
        recipe = config.with_files(recipe, _texts(given, base))
    start = None
    if start_from:
        start = open_bundle(registry.find(start_from))
    if start is not None:
        recipe = recipe if path else config.finetuning_defaults(recipe)
        recipe = finetuning_recipe(config.with_settings(recipe, changes), start)
    recipe = config.with_settings(recipe, changes)
    return _Plan(recipe, base, out or Path("runs") / recipe.name, start_from=start)


def _named(name: str, recipe: "Recipe") -> "Recipe":
    """`recipe`, the demo's or that of a text, with what the recipe of that name says over it.

    So where that says nothing of a width, it is one that suits the text. The model bears its name.
    """
    from dataclasses import replace

    from attn_cli import config
    from attn_cli.bundles import registry

    path = registry.named_recipe(name)
    text = path.read_text(encoding="utf-8")
    return replace(config.merge_toml(recipe, text, where=str(path)), name=name)


def _of_text(given: dict[str, Path], *, of_a_model: bool) -> "Recipe":
    """The default recipe for text files; `a.en` and `a.fr` tell the languages.

    With `of_a_model`, one to go on from, its languages are those of the text.
    """
    from attn_cli.cli.input import language_of
    from attn_cli.config import Recipe

    if of_a_model:
        return Recipe()
    source, target = (language_of(given.get(side)) for side in ("source", "target"))
    name = f"{source}-{target}" if source and target else "model"
    return Recipe(name=name, source=source, target=target)


def _texts(given: dict[str, Path], base: Path) -> dict[str, str]:
    """The text named on the command line as a recipe in `base` names it.

    It stands in the place of all that the recipe names for the same purpose.
    """
    import os

    files = {
        key: "-" if str(path) == "-" else os.path.relpath(path, base) for key, path in given.items()
    }
    for purpose in ("", "valid_"):
        keys = [f"{purpose}{part}" for part in ("source", "target", "pairs")]
        if any(key in given for key in keys):
            files = dict.fromkeys(keys, "") | files
    return files


def _place(console: Console, workers: int | None) -> "WorkerRank":
    """This process's place among workers that were started already, as torchrun does.

    Raises UsageError where --workers asks for other ones.
    """
    from attn_cli.training.place import WorkerRank

    place = WorkerRank.from_environment(console.environment)
    if place is None:
        return WorkerRank()
    if workers is not None and place.size not in (1, workers):
        raise UsageError(
            f"--workers {workers} was given to one of {place.size} workers",
            "Leave --workers to torchrun's --nproc-per-node.",
        )
    return place


@contextmanager
def _group(
    console: Console, recipe: "Recipe", run: "TrainRun", place: "WorkerRank"
) -> Iterator["Group"]:
    """All workers of the training; the other ones of this machine are started here if need be."""
    from attn_cli.nn.device import find_device
    from attn_cli.training.group import Group, create_store, join_group
    from attn_cli.training.launch import default_workers, start_workers
    from attn_cli.training.place import WorkerRank

    cuda = find_device(run.device).type == "cuda"
    size = run.workers
    if size is None:
        size = default_workers(
            1 if cuda else run.threads or 1,
            batch_pieces=recipe.train.batch_tokens,
            updates=recipe.train.max_steps,
        )
    with ExitStack() as stack:
        if place.size > 1:
            group = join_group(place, cuda=cuda)
        elif size > 1:
            store = create_store()
            stack.enter_context(
                start_workers(console.arguments, console.environment, size=size, port=store.port)
            )
            group = join_group(WorkerRank(size=size, local_size=size), cuda=cuda, store=store)
        else:
            group = Group()
        stack.callback(group.close)
        yield group


@contextmanager
def _writing_into(out: Path, *, new: bool) -> Iterator[None]:
    """The training's folder, which no other process writes into, without half-done changes.

    Raises UsageError where it cannot be made, or where another process has its lock.
    """
    from attn_cli.cli.output_folder import make_folder
    from attn_cli.files.folder_lock import lock_folder
    from attn_cli.training.resume import recover

    if new:
        make_folder(out)
    with lock_folder(out):
        if not new:
            recover(out)
        yield


def _need_tensorboard() -> None:
    """Raises UsageError where TensorBoard's writer is not installed."""
    try:
        need("tensorboard")
    except ModuleNotFoundError as error:
        raise UsageError(
            "train.tensorboard needs TensorBoard, which is not installed here",
            "Install it: pip install 'attn-cli[tensorboard]'",
        ) from error


def _watched(text: str | None) -> "Watched":
    """The sentence of --watch, and the target that is forced upon it or None."""
    if text is None:
        return None
    source, separator, target = (part.strip() for part in text.partition("|||"))
    if not source or (separator and not target):
        raise UsageError(
            "--watch needs a sentence, or 'source ||| target'",
            'Write one, as in --watch "I love you".',
        )
    return source, target if separator else None


def _train(
    console: Console,
    plan: _Plan,
    options: dict[str, Any],
    place: "WorkerRank",
    watched: "Watched",
    *,
    accept_new_data: bool,
) -> int:
    """Train by a plan, which is on the disk before anything slow; the exit status."""
    from attn_cli.cli.interruption import StopRequest
    from attn_cli.cli.progress import ignore, report_progress
    from attn_cli.training import events, resume

    saved = _saved(plan, options)
    is_new = plan.resumed is None
    interruption = StopRequest()
    try:
        with (
            report_progress(
                console,
                plan.out,
                plan.recipe.name,
                anew=is_new,
                max_seconds=_budget(console, saved).max_seconds,
            ) as watching,
            StopRequest(watching.stopping) as interruption,
        ):
            if plan.resumed is not None and plan.resumed.restart:
                told = "no checkpoint was saved: training starts again"
                watching.listen(events.Notice(told))
            with interruption.abandonable():
                from attn_cli.training.pipeline import train
                from attn_cli.training.tensorboard import tensorboard_listener
            run = _run(console, plan, saved, watched, accept_new_data=accept_new_data)
            curves = (
                tensorboard_listener(plan.out)
                if saved.recipe.train.tensorboard
                else nullcontext(ignore)
            )
            with curves as draw, _group(console, saved.recipe, run, place) as group:

                def listen(event: events.Event) -> None:
                    watching.listen(event)
                    draw(event)

                finished = train(
                    saved.recipe,
                    run,
                    emit=listen,
                    interrupted=interruption.is_set,
                    interruptible=interruption.abandonable,
                    group=group,
                )
    except AttnError:
        if is_new:
            resume.remove_plan(plan.out)
        raise
    except BaseException:
        if interruption.is_set():
            console.info(f"attn: resume with: attn train --resume {plan.out}")
        raise
    if finished.reason == "interrupted":
        console.info(f"attn: saved; resume with: attn train --resume {plan.out}")
        return interruption.status
    table = " --align" if plan.recipe.model.has_attention else ""
    console.info(f'attn: the model is in {plan.out}; try: attn translate -m {plan.out} "…"{table}')
    return ExitStatus.OK


def _work_along(
    console: Console, plan: _Plan, options: dict[str, Any], place: "WorkerRank"
) -> None:
    """Train as another worker than the main one, which alone writes."""
    from attn_cli.cli.interruption import StopRequest
    from attn_cli.cli.progress import ignore
    from attn_cli.training.pipeline import train

    known = _known(plan, options)
    run = _run(console, plan, known, None)
    with _group(console, known.recipe, run, place) as group, StopRequest() as interruption:
        train(known.recipe, run, emit=ignore, interrupted=interruption.is_set, group=group)


def _budget(console: Console, saved: "Plan") -> "TimeBudget":
    """The time that this command may take."""
    from attn_cli.training.budget import TimeBudget

    return TimeBudget.from_minutes(saved.options.get("max_minutes"), console.started)


def _run(
    console: Console,
    plan: _Plan,
    saved: "Plan",
    watched: "Watched",
    *,
    accept_new_data: bool = False,
) -> "TrainRun":
    """What is trained and where, by the plan that is on the disk."""
    from attn_cli.cli.progress import is_live
    from attn_cli.training.train_run import TrainRun

    return TrainRun(
        plan.out,
        resume=plan.resumed is not None and not plan.resumed.restart,
        is_continued=plan.resumed is not None,
        plan=saved,
        accept_new_data=accept_new_data,
        start_from=saved.start_model(plan.out) if saved.start else plan.start_from,
        device=saved.options.get("device", "auto"),
        threads=saved.options.get("threads", console.cores),
        workers=saved.options.get("workers"),
        budget=_budget(console, saved),
        watch=watched,
        live=is_live(console),
        stdin=console.stdin,
    )


def _saved(plan: _Plan, options: dict[str, Any]) -> "Plan":
    """The plan as it is on the disk: of a new training, or of one that begins again or goes on."""
    from attn_cli.training import resume

    known = _known(plan, options)
    if plan.resumed is None:
        return resume.write_plan(plan.out, known.recipe, plan.start_from, options)
    if plan.resumed.restart:
        known.save(plan.out, resume.NEXT_PLAN)
    return known


def _known(plan: _Plan, options: dict[str, Any]) -> "Plan":
    """The plan with what the command line says over it."""
    from dataclasses import replace

    from attn_cli.config import rebase_paths
    from attn_cli.training.resume import Plan

    if plan.resumed is None:
        return Plan(rebase_paths(plan.recipe, plan.base, plan.out), options=options)
    before = plan.resumed.plan
    kept = dict(before.options)
    if not plan.resumed.restart:  # they were of that command; what it planned is in the checkpoint
        kept.pop("max_minutes", None)
    return replace(before, recipe=plan.recipe, options=kept | options)
