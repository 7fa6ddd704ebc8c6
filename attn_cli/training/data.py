"""Prepare the text of a training: pairs in subwords, in files mapped by all workers."""

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

from attn_cli import config
from attn_cli.bundles import bundle
from attn_cli.config import Recipe
from attn_cli.data import corpus, corpus_reader, store
from attn_cli.data.arrays import Storage
from attn_cli.data.augmentation import Augmentation, augment
from attn_cli.data.corpus_report import CorpusReport
from attn_cli.data.literals import LiteralRules
from attn_cli.data.segmentation import SubwordCorpus, segment_corpus
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.data.word_rules import recipe_rules
from attn_cli.errors import TrainingError
from attn_cli.training import events
from attn_cli.training.group import Group
from attn_cli.training.resume import CHECKPOINTS, TEXT_FOLDER
from attn_cli.training.train_run import Context, TrainRun
from attn_cli.training.vocabulary import broadcast_tokenizers, train_tokenizers

T = TypeVar("T")

#: Updates where the recipe leaves them open: this many times through the text, within bounds.
EPOCHS, MIN_STEPS, MAX_STEPS = 20, 3_000, 30_000

#: The same where training goes on from a model.
FINETUNING_EPOCHS, MIN_FINETUNING_STEPS = 8, 40

#: Where a time limit decides, updates may be this many times as many.
TIMED_EPOCHS_FACTOR = 2


@dataclass(frozen=True)
class PreparedData:
    """What a network is trained and validated on.

    `recipe` says how many updates there are at most. `digest` is that of all the text; `n_lines`
    counts the lines that the training file has, and is 0 on workers that have not read it.
    """

    recipe: Recipe
    train: SubwordCorpus
    valid: SubwordCorpus
    digest: str
    tokenizers: tuple[SubwordTokenizer, SubwordTokenizer]
    n_lines: int


def prepare_data(recipe: Recipe, run: TrainRun, context: Context) -> PreparedData:
    """Read the text, learn or load its vocabulary, split it into pieces.

    One worker of each machine prepares the text there, and all of them open it.
    """
    group, emit = context.group, context.emit
    start = time.monotonic()
    local_recipe = config.rebase_paths(recipe, run.out, Path())  # as a person would name the files
    folder = text_folder(run.out, group)
    emit(events.Activity("reading the text"))
    loaded = _run_on_each_machine(group, lambda: _load_text(local_recipe, folder, run.stdin))
    if not run.resume and (recipe.train.new_vocabulary or run.start_from is None):
        emit(events.Activity("learning the vocabulary"))
    tokenizers = broadcast_tokenizers(recipe, group, lambda: _load_tokenizers(recipe, run, loaded))
    emit(events.Activity("splitting words into pieces"))
    _run_on_each_machine(
        group, lambda: _segment_and_store(local_recipe, folder, loaded, tokenizers)
    )
    group.barrier()
    text = store.load(folder)
    reports = loaded.reports if loaded is not None else []
    for report in reports:
        for sentence in report.messages():
            emit(events.Notice(sentence))
    emit(
        events.DataPrepared(
            pairs=len(text.train),
            valid_pairs=len(text.valid),
            source_vocab=tokenizers[0].vocab_size,
            target_vocab=tokenizers[1].vocab_size,
            seconds=time.monotonic() - start,
        )
    )
    recipe = _set_max_steps(
        recipe, text.train, finetuning=run.start_from is not None, timed=run.budget.is_limited
    )
    n_lines = reports[0].n_read if reports else 0
    return PreparedData(recipe, text.train, text.valid, text.digest, tokenizers, n_lines)


@dataclass(frozen=True)
class _LoadedText:
    """A text as it was read: what is taught, what is validated on, and what was left out."""

    train: corpus.Corpus
    variants: Augmentation | None
    valid: corpus.Corpus
    reports: list[CorpusReport]


def _load_text(recipe: Recipe, folder: Path, stdin: BinaryIO | None) -> _LoadedText:
    storage = Storage.create(folder)
    loaded = corpus_reader.load(
        recipe.data,
        Path(),
        seed=recipe.seed,
        stdin=stdin,
        storage=storage,
        literals=LiteralRules.from_recipe(recipe),
        rules=recipe_rules(recipe),
    )
    train, variants = augment(loaded.train, recipe.data.augmentation, seed=recipe.seed)
    return _LoadedText(train, variants, loaded.valid, list(loaded.reports))


def _segment_and_store(
    recipe: Recipe,
    folder: Path,
    loaded: _LoadedText | None,
    tokenizers: tuple[SubwordTokenizer, SubwordTokenizer],
) -> None:
    """Split the text into pieces and store it. Adds to the reports of what was left out."""
    assert loaded is not None
    training, report = segment_corpus(
        loaded.train,
        *tokenizers,
        sampling=recipe.tokenizer.subword_alpha,
        augmentation=loaded.variants,
        source_prefix=tokenizers[0].prefix_ids,
    ).filter_lengths(max_length=recipe.data.max_length, max_ratio=recipe.data.max_ratio)
    loaded.reports.append(report)
    valid = segment_corpus(loaded.valid, *tokenizers, source_prefix=tokenizers[0].prefix_ids)
    store.save(folder, training, valid)


def _run_on_each_machine(group: Group, work: Callable[[], T]) -> T | None:
    """What the first worker of each machine makes, None on the others.

    They wait for the main worker, however long it takes. Raises TrainingError on them if it fails.
    """
    try:
        result = work() if group.is_local_main else None
    except BaseException:
        if group.is_main:
            group.broadcast(False)
        raise
    if not group.broadcast(True):
        raise TrainingError(
            "the main worker could not prepare the text", "Look at what it says itself."
        )
    return result


def text_folder(out: Path, group: Group) -> Path:
    """Where the prepared text of this machine is while a training runs."""
    first = group.rank - group.worker_rank.local_rank
    return out / CHECKPOINTS / (f"{TEXT_FOLDER}-{first}" if first else TEXT_FOLDER)


def remove_text(folder: Path) -> None:
    """Remove the prepared text, which may be large and is prepared again when training goes on."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # it holds checkpoints
        folder.parent.rmdir()


def _set_max_steps(recipe: Recipe, text: SubwordCorpus, *, finetuning: bool, timed: bool) -> Recipe:
    """The recipe with `train.max_steps` decided: by the amount of text where it says 0.

    Where the training is `timed` that is what the text deserves at most.
    """
    if recipe.train.max_steps:
        return recipe
    n_pieces = int(text.target_lengths[text.pairs].sum()) + len(text)  # one EOS each
    epochs, min_steps = (
        (FINETUNING_EPOCHS, MIN_FINETUNING_STEPS) if finetuning else (EPOCHS, MIN_STEPS)
    )
    steps = max(epochs * n_pieces // recipe.train.batch_tokens, min_steps)
    steps = TIMED_EPOCHS_FACTOR * steps if timed else min(steps, MAX_STEPS)
    return replace(recipe, train=replace(recipe.train, max_steps=steps))


def _load_tokenizers(
    recipe: Recipe, run: TrainRun, loaded: _LoadedText | None
) -> tuple[SubwordTokenizer, SubwordTokenizer]:
    if run.resume:
        return bundle.load_tokenizers(run.out, recipe)
    if run.start_from is not None and not recipe.train.new_vocabulary:
        return run.start_from.source, run.start_from.target
    assert loaded is not None
    return train_tokenizers(recipe, loaded.train, loaded.variants)
