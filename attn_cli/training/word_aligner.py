"""Build a word aligner and train it on word links: for a translation model, or alone."""

from collections.abc import Callable
from pathlib import Path

import torch

from attn_cli.alignment.link_table import LinkTable
from attn_cli.bundles import manifest, storage
from attn_cli.config import Recipe
from attn_cli.data.segmentation import SubwordCorpus
from attn_cli.nn.builder import build_word_aligner
from attn_cli.nn.device import find_device
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
    """Train the word aligner of a training and add it to the bundle; return its links of the pairs.

    Every worker calls it. The generator of random numbers is restored, so that the network does not
    depend on the word aligner. Returns None if it was interrupted, or, with a notice, if the time
    limit leaves too little time.
    """
    assert alignments.links is not None
    recipe, group = data.recipe, context.group
    max_seconds = run.budget.left() - alignments.reserved_seconds  # the main worker's counts
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        aligner = build_word_aligner(
            recipe.model,
            source_vocab_size=data.tokenizers[0].vocab_size,
            target_vocab_size=data.tokenizers[1].vocab_size,
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


def train_new_aligner(
    recipe: Recipe,
    text: SubwordCorpus,
    links: LinkTable,
    *,
    vocab: tuple[int, int],
    folder: Path,
    device: str,
    emit: events.Listener,
    interrupted: Callable[[], bool],
) -> AlignerTrainer | None:
    """Build the word aligner of a recipe and train it; return its trainer, or None if interrupted.

    `vocab` is the sizes of the source and target vocabularies. Training resumes from the checkpoint
    in `folder`, if there is one.
    """
    aligner = build_word_aligner(
        recipe.model, source_vocab_size=vocab[0], target_vocab_size=vocab[1]
    )
    trainer = AlignerTrainer(
        aligner.to(find_device(device)),
        text,
        links,
        settings=recipe.train,
        seed=recipe.seed,
        folder=folder,
        emit=emit,
        interrupted=interrupted,
    )
    trainer.resume()
    return None if trainer.run() is None else trainer
