"""Prepare the text of a training: segmented pairs, in files that all workers map."""

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

#: The default number of updates: this many epochs, within these bounds.
EPOCHS, MIN_STEPS, MAX_STEPS = 20, 3_000, 30_000

#: The same for fine-tuning.
FINETUNING_EPOCHS, MIN_FINETUNING_STEPS = 8, 40

#: With a time limit, the default number of updates is multiplied by this.
TIMED_EPOCHS_FACTOR = 2


@dataclass(frozen=True)
class PreparedData:
    """The segmented text of a training, and its recipe with `train.max_steps` set.

    `digest` is that of all text. `n_lines` is the number of lines of the training file, 0 on
    workers that have not read it.
    """

    recipe: Recipe
    train: SubwordCorpus
    valid: SubwordCorpus
    digest: str
    tokenizers: tuple[SubwordTokenizer, SubwordTokenizer]
    n_lines: int


def prepare_data(recipe: Recipe, run: TrainRun, context: Context) -> PreparedData:
    """Read the text, train or load its vocabulary, and segment it.

    The first worker of each machine prepares the text there; all workers map it.
    """
    group, emit = context.group, context.emit
    start = time.monotonic()
    local_recipe = config.rebase_paths(recipe, run.out, Path())  # relative to the working directory
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
    """The text as words: training and validation pairs, and the reports of skipped lines."""

    train: corpus.Corpus
    variants: Augmentation | None
    valid: corpus.Corpus
    reports: list[CorpusReport]


def _load_text(recipe: Recipe, folder: Path, stdin: BinaryIO | None) -> _LoadedText:
    storage = Storage.create(folder)
    loaded = corpus_reader.load(
        recipe.data,
        Path(),
        corpus_reader.CorpusOptions(
            literals=LiteralRules.from_recipe(recipe),
            rules=recipe_rules(recipe),
            detach_opening_marks=recipe.tokenizer.detach_opening_marks,
            storage=storage,
        ),
        seed=recipe.seed,
        stdin=stdin,
    )
    train, variants = augment(loaded.train, recipe.data.augmentation, seed=recipe.seed)
    return _LoadedText(train, variants, loaded.valid, list(loaded.reports))


def _segment_and_store(
    recipe: Recipe,
    folder: Path,
    loaded: _LoadedText | None,
    tokenizers: tuple[SubwordTokenizer, SubwordTokenizer],
) -> None:
    """Segment the text and store it; append to the reports of skipped pairs."""
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
    """Run `work` on the first worker of each machine; return its result, None on the others.

    All wait for the main worker. Raises TrainingError on the others if it fails there.
    """
    try:
        result = work() if group.is_local_main else None
    except BaseException:
        if group.is_main:
            group.broadcast(False)
        raise
    if not group.broadcast(True):
        raise TrainingError(
            "the main worker could not prepare the text", "See the error of the main worker."
        )
    return result


def text_folder(out: Path, group: Group) -> Path:
    """Return the folder of this machine's prepared text during training."""
    first = group.rank - group.worker_rank.local_rank
    return out / CHECKPOINTS / (f"{TEXT_FOLDER}-{first}" if first else TEXT_FOLDER)


def remove_text(folder: Path) -> None:
    """Remove the prepared text, which may be large; resuming prepares it again."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty: it has checkpoints
        folder.parent.rmdir()


def _set_max_steps(recipe: Recipe, text: SubwordCorpus, *, finetuning: bool, timed: bool) -> Recipe:
    """Return the recipe with `train.max_steps` set from the amount of text if it is 0.

    For a `timed` training it is an upper bound.
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
