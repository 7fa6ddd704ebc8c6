"""Prepare the word links of the training pairs, and the folder of the training."""

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.config import file_of_links
from attn_cli.training import checkpoint
from attn_cli.training.budget import ALIGNER_SHARE, LINKS_SHARE
from attn_cli.training.data import PreparedData
from attn_cli.training.folder_setup import continue_training, start_training
from attn_cli.training.group import Group
from attn_cli.training.phases import Phases
from attn_cli.training.resume import CHECKPOINTS, Plan
from attn_cli.training.train_run import Context, TrainRun
from attn_cli.training.word_links import (
    LINKS,
    WordLinks,
    prepare_word_links,
    trains_aligner,
    uses_guidance,
)


@dataclass(frozen=True)
class Alignments:
    """The links of the training pairs, and the plan of the training, which records their digest.

    `links` is None if the recipe needs none, after an interruption, or without enough time for
    them. `reserved_seconds` of the time limit must remain after training a word aligner.
    """

    plan: Plan
    links: LinkTable | None
    reserved_seconds: float


def prepare_alignments(
    data: PreparedData, run: TrainRun, context: Context, phases: Phases
) -> Alignments:
    """Link the words of the training pairs if the recipe needs it; start or continue the folder.

    Only the main worker writes files. A file of links is read before the folder's contents are
    replaced, since it may be invalid; votes cannot be, and come after.
    """
    recipe, group = data.recipe, context.group
    local_recipe = config.rebase_paths(recipe, run.out, Path())  # relative to the working directory
    plan = replace(run.plan or Plan(recipe), recipe=recipe, finished="")
    corpora = {"training": data.train.corpus, "validation": data.valid.corpus}
    digests = {part: each.digest for part, each in corpora.items()} if group.is_main else {}
    digests = group.broadcast(digests)
    if not group.is_main:
        return Alignments(replace(plan, text=digests), _broadcast_links(None, group), 0.0)
    seconds_left = run.budget.left()
    share = LINKS_SHARE if trains_aligner(recipe) and not uses_guidance(recipe) else 1.0

    def make_links() -> WordLinks | None:
        phases.enter_alignment()
        return prepare_word_links(
            local_recipe,
            data.train.corpus,
            n_lines=data.n_lines,
            cache=run.out / CHECKPOINTS / LINKS,
            workers=torch.get_num_threads() * group.worker_rank.local_size,
            emit=context.emit,
            interrupted=context.interrupted,
            max_seconds=share * ALIGNER_SHARE * seconds_left,
            resume=run.resume,
            stdin=run.stdin,
        )

    file = file_of_links(local_recipe)
    word_links = make_links() if file else None
    names = {part: each.name for part, each in corpora.items()}
    if word_links is not None:
        digests["links"], names["links"] = _digest(word_links.table), file
    if run.resume:
        plan = continue_training(plan, run, digests, names, context.emit)
    else:
        plan = start_training(replace(plan, text=digests), run, data.tokenizers)
    if not file:
        word_links = make_links()
    if word_links is not None:
        word_links.save(run.out / CHECKPOINTS / LINKS)
    links = _broadcast_links(word_links.table if word_links else None, group)
    reserved_seconds = (1.0 - ALIGNER_SHARE) * seconds_left if run.budget.is_limited else -math.inf
    return Alignments(plan, links, reserved_seconds)


def _digest(links: LinkTable) -> str:
    """Return the sha256 of a table of links."""
    total = hashlib.sha256()
    for array in (links.source, links.target, links.score, links.starts):
        total.update(array.tobytes())
    return total.hexdigest()


def _broadcast_links(table: LinkTable | None, group: Group) -> LinkTable | None:
    """Return the main worker's links on every worker."""
    if not group.broadcast(table is not None):
        return None
    tensors = {} if table is None else checkpoint.links_to_tensors(table)
    return checkpoint.links_from_tensors(group.broadcast_dict(tensors)) if group.size > 1 else table
