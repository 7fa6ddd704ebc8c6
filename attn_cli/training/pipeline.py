"""Train a bundle from a recipe: data, alignments, word aligner, network.

Progress is reported as events.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch

from attn_cli import config
from attn_cli.config import Recipe
from attn_cli.errors import TrainingError
from attn_cli.nn.device import select_hardware
from attn_cli.training import events
from attn_cli.training.alignments import prepare_alignments
from attn_cli.training.building import build_network, build_trainer
from attn_cli.training.data import prepare_data, remove_text, text_folder
from attn_cli.training.finishing import (
    calibrate_confidence,
    export_graphs,
    select_attention_head,
    write_shortlist,
)
from attn_cli.training.group import Group
from attn_cli.training.guided_alignment import Guidance, guided_head
from attn_cli.training.phases import Phases
from attn_cli.training.train_run import Context, TrainRun
from attn_cli.training.word_aligner import train_word_aligner
from attn_cli.training.word_links import trains_aligner, uses_guidance


def train(
    recipe: Recipe,
    run: TrainRun,
    *,
    emit: events.Listener,
    interrupted: Callable[[], bool] = lambda: False,
    interruptible: Callable[[], AbstractContextManager[None]] = nullcontext,
    group: Group | None = None,
) -> events.TrainingFinished:
    """Train `recipe`, whose files are relative to `run.out`, and write a bundle there.

    Every worker of `group` calls it with the same recipe; only the main worker writes into
    `run.out` and emits events. An exception may end the work within `interruptible` at any point;
    resuming repeats it. All other work ends soon after `interrupted()` is True.

    Raises DataError, UsageError, TrainingError or ModelError.
    """
    group = group or Group()
    try:
        return _train(recipe, run, emit, interrupted, interruptible, group)
    finally:
        if group.is_local_main:
            remove_text(text_folder(run.out, group))


def _train(
    recipe: Recipe,
    run: TrainRun,
    emit: events.Listener,
    interrupted: Callable[[], bool],
    interruptible: Callable[[], AbstractContextManager[None]],
    group: Group,
) -> events.TrainingFinished:
    recipe, run = _follow_main(group, recipe, run)
    if run.threads:
        torch.set_num_threads(max(1, run.threads // group.worker_rank.local_size))
    phases = Phases(recipe, emit)
    phases.enter("text")
    hardware = select_hardware(
        run.device, recipe.train.precision, local_rank=group.worker_rank.local_rank
    )
    context = Context(group, hardware, emit, interrupted)
    torch.manual_seed(recipe.seed)
    with interruptible():
        data = prepare_data(recipe, run, context)
        alignments = prepare_alignments(data, run, context, phases)
    _require_same(group, "text", data.digest)
    recipe, links = data.recipe, alignments.links
    network = build_network(data, run).to(hardware.device)
    trainer = build_trainer(network, data, alignments.plan, run, context)
    group.seed()
    has_state = run.resume and trainer.resume()
    if run.resume and not has_state:
        emit(events.Notice("no update of the network was saved: it starts again"))
    if links is not None and trains_aligner(recipe):
        if not has_state:
            trainer.save()  # the folder is a model from here on
        links = train_word_aligner(data, alignments, run, context) or links
    if links is not None and uses_guidance(recipe):
        trainer.guidance = Guidance(
            links,
            weight=recipe.train.guided_alignment_weight,
            decay=recipe.train.guided_alignment_decay,
            max_steps=recipe.train.max_steps,
            head=guided_head(recipe.model),
        )
    phases.enter("network")
    emit(
        events.TrainingStarted(
            step=trainer.state.step,
            max_steps=trainer.schedule.last,
            parameters=sum(p.numel() for p in network.parameters()),
            device=hardware.device.type,
            precision=hardware.precision,
            threads=torch.get_num_threads(),
            workers=group.size,
        )
    )
    finished = trainer.run()
    if finished.reason != "interrupted" and group.is_main:
        phases.enter("graphs")
        with interruptible():
            if alignments.links is not None:
                recipe = select_attention_head(network, data, alignments.links, run.out, context)
            if links is not None and recipe.decode.shortlist:
                write_shortlist(run.out, data, links)
            export_graphs(run.out, recipe, emit)
            calibrate_confidence(run, data, emit)
        replace(alignments.plan, recipe=recipe, finished=finished.reason).save(run.out)
    return finished


def recipe_digest(recipe: Recipe) -> str:
    """Return the sha256 of the recipe without its file paths, which may differ by machine."""
    recipe = config.with_files(recipe, dict.fromkeys(config.DATA_FILES, ""))
    return hashlib.sha256(config.to_toml(recipe).encode()).hexdigest()


def _follow_main(group: Group, recipe: Recipe, run: TrainRun) -> tuple[Recipe, TrainRun]:
    """Return the main worker's recipe and options if it continues a training.

    Only the main worker may have its folder. In a new training every worker has the recipe; raises
    TrainingError if the recipes differ.
    """
    received = {"recipe": config.to_toml(recipe), "resume": run.resume} if run.is_continued else {}
    received = group.broadcast(received)
    if not received:
        _require_same(group, "recipe", recipe_digest(recipe))
    elif not group.is_main:
        recipe = config.parse(str(received["recipe"]), where="the main worker's recipe")
        run = replace(run, resume=bool(received["resume"]))
    return recipe, run


def _require_same(group: Group, name: str, digest: str) -> None:
    """Raise TrainingError on every worker unless all have the same digest."""
    digests = group.gather(digest)
    differing = [rank for rank, each in enumerate(digests) if each != digests[0]]
    if differing:
        raise TrainingError(
            f"worker {differing[0]} has another {name} than worker 0",
            "Start all workers with the same command, on the same files.",
        )
