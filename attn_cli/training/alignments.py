"""The word links of the training pairs: read from a file, or voted for by statistical aligners."""

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from attn_cli.alignment.link_table import LinkTable
from attn_cli.bundles import bundle
from attn_cli.config import file_of_links
from attn_cli.training import checkpoint
from attn_cli.training.beginning import begin, go_on
from attn_cli.training.budget import ALIGNER_SHARE, LINKS_SHARE
from attn_cli.training.data import PreparedData
from attn_cli.training.group import Group
from attn_cli.training.phases import Phases
from attn_cli.training.resume import CHECKPOINTS, Plan
from attn_cli.training.train_run import Context, TrainRun
from attn_cli.training.word_links import LINKS, WordLinks, guides, prepared, teaches_head


@dataclass(frozen=True)
class Alignments:
    """The links of the training pairs, and the plan of the training, which names their digest.

    `links` None: none are wanted, it was interrupted before any, or they would have taken too long.
    Once a word aligner has learnt from them, `seconds_after` of the time must be left.
    """

    plan: Plan
    links: LinkTable | None
    seconds_after: float


def prepare_alignments(
    data: PreparedData, run: TrainRun, context: Context, phases: Phases
) -> Alignments:
    """Link the words of the training pairs if the recipe wants it, and begin or go on in the
    folder, in which the main worker writes.

    Nothing there is replaced before all that may be refused has been read: votes never are.
    """
    recipe, group = data.recipe, context.group
    here = bundle.relocated(recipe, run.out, Path())  # as a person would name the files
    plan = replace(run.plan or Plan(recipe), recipe=recipe, finished="")
    corpora = {"training": data.train.corpus, "validation": data.valid.corpus}
    digests = {part: each.digest for part, each in corpora.items()} if group.is_main else {}
    digests = group.broadcast(digests)
    if not group.is_main:
        return Alignments(replace(plan, text=digests), _share_links(None, group), 0.0)
    left = run.budget.left()
    share = LINKS_SHARE if teaches_head(recipe) and not guides(recipe) else 1.0

    def links_of_words() -> WordLinks | None:
        phases.enter_links()
        return prepared(
            here,
            data.train.corpus,
            n_lines=data.n_lines,
            cache=run.out / CHECKPOINTS / LINKS,
            workers=torch.get_num_threads() * group.place.local_size,
            emit=context.emit,
            interrupted=context.interrupted,
            max_seconds=share * ALIGNER_SHARE * left,
            resume=run.resume,
            stdin=run.stdin,
        )

    file = file_of_links(here)
    words = links_of_words() if file else None
    names = {part: each.name for part, each in corpora.items()}
    if words is not None:
        digests["links"], names["links"] = _digest(words.table), file
    if run.resume:
        plan = go_on(plan, run, digests, names, context.emit)
    else:
        plan = begin(replace(plan, text=digests), run, data.tokenizers)
    if not file:
        words = links_of_words()
    if words is not None:
        words.keep(run.out / CHECKPOINTS / LINKS)
    links = _share_links(words.table if words else None, group)
    after = (1.0 - ALIGNER_SHARE) * left if run.budget.limited else -math.inf
    return Alignments(plan, links, after)


def _digest(links: LinkTable) -> str:
    """sha256 of a table of links."""
    total = hashlib.sha256()
    for array in (links.source, links.target, links.weight, links.starts):
        total.update(array.tobytes())
    return total.hexdigest()


def _share_links(table: LinkTable | None, group: Group) -> LinkTable | None:
    """The main worker's links, on every worker."""
    if not group.broadcast(table is not None):
        return None
    tensors = {} if table is None else checkpoint.as_tensors(table)
    return checkpoint.from_tensors(group.broadcast_dict(tensors)) if group.size > 1 else table
