"""Prepare the folder of a training: start a new one there, or continue the one in it."""

from dataclasses import replace

from attn_cli.bundles import manifest, storage
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.training import events
from attn_cli.training.aligner_trainer import ALIGNER_CHECKPOINT
from attn_cli.training.resume import (
    CHECKPOINTS,
    Plan,
    check_digests,
    clear_checkpoints,
    commit_plan,
    remove_file,
)
from attn_cli.training.train_run import TrainRun
from attn_cli.training.word_links import LINKS, VOTES


def start_training(
    plan: Plan, run: TrainRun, tokenizers: tuple[SubwordTokenizer, SubwordTokenizer]
) -> Plan:
    """Replace the folder's contents with the recipe and the vocabulary of a new training."""
    clear_checkpoints(run.out, plan, keep=(LINKS, VOTES))
    storage.write_definition(run.out, plan.recipe, *tokenizers)
    if (
        plan.recipe.train.freeze_aligner
        and run.start_from
        and run.start_from.has_files(manifest.WORD_ALIGNER)
    ):
        storage.add_file(run.out, manifest.WORD_ALIGNER, run.start_from.word_aligner.read_bytes())
    commit_plan(run.out, plan)
    return plan


def continue_training(
    plan: Plan, run: TrainRun, digests: dict[str, str], names: dict[str, str], emit: events.Listener
) -> Plan:
    """Return the plan of a resumed training, with its current recipe and digests.

    Raises DataError if the text has changed, unless `run.accept_new_data`.
    """
    if not run.accept_new_data:
        check_digests(plan.text, digests, names)
    changed = [key for key in digests if plan.text.get(key, digests[key]) != digests[key]]
    for key in changed:
        emit(events.Notice(f"{names[key]} has changed: {_CONSEQUENCES[key]}"))
    if set(changed) & {"training", "links"}:
        remove_file(run.out / CHECKPOINTS / ALIGNER_CHECKPOINT)
    plan = replace(plan, text=digests)
    storage.write_recipe(run.out, plan.recipe)
    plan.save(run.out)
    return plan


#: The consequences of a change of the text, for notices.
_CONSEQUENCES = {
    "training": "training goes on with a new epoch and new word links",
    "validation": "the results on the old text no longer count",
    "links": "training goes on with the new links",
}
