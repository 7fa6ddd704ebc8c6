"""Run a training: the folder's lock, the workers, progress, interruption."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attn_cli.cli.options import need
from attn_cli.cli.train_definition import TrainDefinition
from attn_cli.console import Console
from attn_cli.errors import AttnError, ExitStatus, UsageError

if TYPE_CHECKING:
    from attn_cli.config import Recipe
    from attn_cli.training.budget import TimeBudget
    from attn_cli.training.group import Group
    from attn_cli.training.resume import Plan
    from attn_cli.training.train_run import TrainRun
    from attn_cli.training.worker_rank import WorkerRank

#: The sentence of --watch and its forced target.
WatchedSentence = tuple[str, str | None] | None


def worker_rank(console: Console, workers: int | None) -> "WorkerRank":
    """Return the rank of this process among workers that torchrun started.

    Raises UsageError if --workers gives another number.
    """
    from attn_cli.training.worker_rank import WorkerRank

    worker = WorkerRank.from_environment(console.environment)
    if worker is None:
        return WorkerRank()
    if workers is not None and worker.size not in (1, workers):
        raise UsageError(
            f"--workers {workers} was given to one of {worker.size} workers",
            "Leave --workers out: torchrun's --nproc-per-node sets the number.",
        )
    return worker


@contextmanager
def _worker_group(
    console: Console, recipe: "Recipe", run: "TrainRun", worker: "WorkerRank"
) -> Iterator["Group"]:
    """Yield the group of all workers; start those of this machine if torchrun did not."""
    from attn_cli.nn.device import find_device
    from attn_cli.training.group import Group, create_store, join_group
    from attn_cli.training.launch import default_workers, start_workers
    from attn_cli.training.worker_rank import WorkerRank

    cuda = find_device(run.device).type == "cuda"
    size = run.workers
    if size is None:
        size = default_workers(
            1 if cuda else run.threads or 1,
            batch_pieces=recipe.train.batch_tokens,
            updates=recipe.train.max_steps,
        )
    with ExitStack() as stack:
        if worker.size > 1:
            group = join_group(worker, cuda=cuda)
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
def locked_folder(out: Path, *, new: bool) -> Iterator[None]:
    """Lock the training's folder, and complete a change that a killed process began.

    Raises UsageError if the folder cannot be created, or another process has its lock.
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


def require_tensorboard() -> None:
    """Raise UsageError if TensorBoard's writer is not installed."""
    try:
        need("tensorboard")
    except ModuleNotFoundError as error:
        raise UsageError(
            "train.tensorboard needs TensorBoard, which is not installed here",
            "Install it: pip install 'attn-cli[tensorboard]'",
        ) from error


def run_training(
    console: Console,
    definition: TrainDefinition,
    options: dict[str, Any],
    worker: "WorkerRank",
    sentence: WatchedSentence,
    *,
    accept_new_data: bool,
) -> int:
    """Save the plan, then train; return the exit status."""
    from attn_cli.cli.interruption import StopRequest
    from attn_cli.cli.progress import ignore, report_progress
    from attn_cli.training import events, resume

    saved = _save_plan(definition, options)
    is_new = definition.resumed is None
    interruption = StopRequest()
    try:
        with (
            report_progress(
                console,
                definition.out,
                definition.recipe.name,
                anew=is_new,
                max_seconds=_budget(console, saved).max_seconds,
            ) as progress,
            StopRequest(progress.stopping) as interruption,
        ):
            if definition.resumed is not None and definition.resumed.restart:
                message = "no checkpoint was saved: training starts again"
                progress.listen(events.Notice(message))
            with interruption.abandonable():
                from attn_cli.training.pipeline import train
                from attn_cli.training.tensorboard import tensorboard_listener
            run = _train_run(console, definition, saved, sentence, accept_new_data=accept_new_data)
            curves = (
                tensorboard_listener(definition.out)
                if saved.recipe.train.tensorboard
                else nullcontext(ignore)
            )
            with curves as draw, _worker_group(console, saved.recipe, run, worker) as group:

                def listen(event: events.Event) -> None:
                    progress.listen(event)
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
            resume.remove_plan(definition.out)
        raise
    except BaseException:
        if interruption.is_set():
            console.info(f"attn: resume with: attn train --resume {definition.out}")
        raise
    if finished.reason == "interrupted":
        console.info(f"attn: saved; resume with: attn train --resume {definition.out}")
        return interruption.status
    table = " --align" if definition.recipe.model.has_attention else ""
    out = definition.out
    console.info(f'attn: the model is in {out}; try: attn translate -m {out} "…"{table}')
    return ExitStatus.OK


def run_worker(
    console: Console, definition: TrainDefinition, options: dict[str, Any], worker: "WorkerRank"
) -> None:
    """Train as a worker other than the main one; only that one writes files."""
    from attn_cli.cli.interruption import StopRequest
    from attn_cli.cli.progress import ignore
    from attn_cli.training.pipeline import train

    known = _plan_of(definition, options)
    run = _train_run(console, definition, known, None)
    with _worker_group(console, known.recipe, run, worker) as group, StopRequest() as interruption:
        train(known.recipe, run, emit=ignore, interrupted=interruption.is_set, group=group)


def _budget(console: Console, saved: "Plan") -> "TimeBudget":
    """Return the time budget of this command."""
    from attn_cli.training.budget import TimeBudget

    return TimeBudget.from_minutes(saved.options.get("max_minutes"), console.started)


def _train_run(
    console: Console,
    definition: TrainDefinition,
    saved: "Plan",
    sentence: WatchedSentence,
    *,
    accept_new_data: bool = False,
) -> "TrainRun":
    """Return the training that the saved plan describes."""
    from attn_cli.training.train_run import TrainRun

    return TrainRun(
        definition.out,
        resume=definition.resumed is not None and not definition.resumed.restart,
        is_continued=definition.resumed is not None,
        plan=saved,
        accept_new_data=accept_new_data,
        start_from=saved.start_model(definition.out) if saved.start else definition.start_from,
        device=saved.options.get("device", "auto"),
        threads=saved.options.get("threads", console.cores),
        workers=saved.options.get("workers"),
        budget=_budget(console, saved),
        watch=sentence,
        live=console.draws_progress,
        stdin=console.stdin,
    )


def _save_plan(definition: TrainDefinition, options: dict[str, Any]) -> "Plan":
    """Save the plan of a new training or of a restart, and return it."""
    from attn_cli.training import resume

    known = _plan_of(definition, options)
    if definition.resumed is None:
        return resume.write_plan(definition.out, known.recipe, definition.start_from, options)
    if definition.resumed.restart:
        known.save(definition.out, resume.NEXT_PLAN)
    return known


def _plan_of(definition: TrainDefinition, options: dict[str, Any]) -> "Plan":
    """Return the plan with the options of the command line applied."""
    from dataclasses import replace

    from attn_cli.config import rebase_paths
    from attn_cli.training.resume import Plan

    if definition.resumed is None:
        return Plan(
            rebase_paths(definition.recipe, definition.base, definition.out), options=options
        )
    before = definition.resumed.plan
    options_before = dict(before.options)
    if not definition.resumed.restart:  # the budget of the last command is in the checkpoint
        options_before.pop("max_minutes", None)
    return replace(before, recipe=definition.recipe, options=options_before | options)
