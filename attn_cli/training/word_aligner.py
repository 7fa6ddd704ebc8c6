"""The word aligner of a training is trained on its word links and joins the bundle."""

import torch

from attn_cli.alignment.link_table import LinkTable
from attn_cli.bundles import manifest, storage
from attn_cli.nn.builder import build_word_aligner
from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.training import checkpoint, events
from attn_cli.training.aligner_trainer import AlignerTrainer
from attn_cli.training.alignments import Alignments
from attn_cli.training.budget import MIN_ALIGNER_SECONDS
from attn_cli.training.data import PreparedData
from attn_cli.training.resume import CHECKPOINTS
from attn_cli.training.train_run import Context, TrainRun
from attn_cli.training.vocabulary_transfer import transfer_vocabulary


def train_word_aligner(
    data: PreparedData, alignments: Alignments, run: TrainRun, context: Context
) -> LinkTable | None:
    """A word aligner taught by the links joins the bundle; what it then says of the pairs.

    Every worker trains it. It has random numbers of its own, so that the network's are the same
    before and after. None where it was interrupted, or left out for want of time; a notice says so
    then.
    """
    assert alignments.links is not None
    recipe, group = data.recipe, context.group
    max_seconds = run.budget.left() - alignments.reserved_seconds  # the main worker's decides
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        aligner = build_word_aligner(
            recipe.model,
            source_vocab=data.tokenizers[0].vocab_size,
            target_vocab=data.tokenizers[1].vocab_size,
        )
        if run.start_from is not None and run.start_from.has_files(manifest.WORD_ALIGNER):
            with torch.no_grad():
                weights, _ = checkpoint.load(run.start_from.word_aligner)
                weights = transfer_vocabulary(weights, run.start_from, data.tokenizers)
                load_state(aligner, weights, where=str(run.start_from.word_aligner))
        trainer = AlignerTrainer(
            aligner.to(context.hardware.device),
            data.train,
            alignments.links,
            settings=recipe.train,
            seed=recipe.seed,
            folder=run.out / CHECKPOINTS,
            emit=context.emit,
            interrupted=context.interrupted,
            max_seconds=max_seconds,
            group=group,
        )
        if not (run.resume and trainer.resume()):
            group.seed()
        try:
            if group.broadcast(max_seconds < MIN_ALIGNER_SECONDS and not trainer.is_finished):
                raise TimeoutError
            links = trainer.run()
        except TimeoutError:
            context.emit(
                events.Notice(
                    "no word aligner: it would learn too little in the "
                    f"{max(0.0, max_seconds):.0f} s that --max-minutes leaves for it"
                )
            )
            return None
    if links is not None and group.is_main:
        storage.add_file(
            run.out, manifest.WORD_ALIGNER, checkpoint.serialize(unique_state_dict(aligner))
        )
    return links
