"""The text of a training becomes pairs in subwords, mapped from files that all workers open.

Knows no network and no word links.
"""

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

from attn_cli.bundles import bundle
from attn_cli.config import Recipe
from attn_cli.data import corpus, store
from attn_cli.data.arrays import Storage
from attn_cli.data.augmentation import Variants, varied
from attn_cli.data.literals import Literals
from attn_cli.data.segmentation import Segmented, segmented
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.errors import TrainingError
from attn_cli.training import events
from attn_cli.training.group import Group
from attn_cli.training.resume import CHECKPOINTS, TEXT
from attn_cli.training.train_run import Context, TrainRun
from attn_cli.training.vocabulary import share_tokenizers, tokenizers_for

T = TypeVar("T")

#: Updates where the recipe leaves them open: this many times through the text, within bounds.
EPOCHS, FEWEST_STEPS, MOST_STEPS = 20, 3_000, 30_000

#: The same where training goes on from a model.
MORE_EPOCHS, FEWEST_MORE = 8, 40

#: Where a time limit decides, updates may be this many times as many.
TIMED_EPOCHS_FACTOR = 2


@dataclass(frozen=True)
class PreparedData:
    """What a network is trained and validated on.

    `recipe` says how many updates there are at most. `digest` is that of all the text; `n_lines`
    counts the lines that the training file has, and is 0 on workers that have not read it.
    """

    recipe: Recipe
    train: Segmented
    valid: Segmented
    digest: str
    tokenizers: tuple[Tokenizer, Tokenizer]
    n_lines: int


def prepare_data(recipe: Recipe, run: TrainRun, context: Context) -> PreparedData:
    """Read the text, learn or load its vocabulary, split it into pieces.

    One worker of each machine prepares the text there, and all of them open it.
    """
    group, emit = context.group, context.emit
    began = time.monotonic()
    here = bundle.relocated(recipe, run.out, Path())  # as a person would name the files
    folder = text_folder(run.out, group)
    emit(events.Activity("reading the text"))
    read = _on_each_machine(group, lambda: _read(here, folder, run.stdin))
    if not run.resume and (recipe.train.new_vocabulary or run.start_from is None):
        emit(events.Activity("learning the vocabulary"))
    tokenizers = share_tokenizers(recipe, group, lambda: _tokenizers(recipe, run, read))
    emit(events.Activity("splitting words into pieces"))
    _on_each_machine(group, lambda: _store(here, folder, read, tokenizers))
    group.barrier()
    text = store.load(folder)
    reports = read.reports if read is not None else []
    for report in reports:
        for sentence in report.sentences():
            emit(events.Noticed(sentence))
    emit(
        events.Prepared(
            pairs=len(text.train),
            valid_pairs=len(text.valid),
            source_vocab=tokenizers[0].vocab_size,
            target_vocab=tokenizers[1].vocab_size,
            seconds=time.monotonic() - began,
        )
    )
    recipe = _with_steps(
        recipe, text.train, going_on=run.start_from is not None, timed=run.budget.limited
    )
    n_lines = reports[0].seen if reports else 0
    return PreparedData(recipe, text.train, text.valid, text.digest, tokenizers, n_lines)


@dataclass(frozen=True)
class _Read:
    """A text as it was read: what is taught, what is validated on, and what was left out."""

    taught: corpus.Corpus
    variants: Variants | None
    valid: corpus.Corpus
    reports: list[corpus.Report]


def _read(recipe: Recipe, folder: Path, stdin: BinaryIO | None) -> _Read:
    storage = Storage.create(folder)
    loaded = corpus.load(
        recipe.data,
        Path(),
        seed=recipe.seed,
        stdin=stdin,
        storage=storage,
        literals=Literals.of(recipe),
    )
    taught, variants = varied(loaded.train, recipe.data.augmentation, seed=recipe.seed)
    return _Read(taught, variants, loaded.valid, list(loaded.reports))


def _store(
    recipe: Recipe, folder: Path, read: _Read | None, tokenizers: tuple[Tokenizer, Tokenizer]
) -> None:
    """Split the text into pieces and store it. Adds to the reports of what was left out."""
    assert read is not None
    training, report = segmented(
        read.taught, *tokenizers, sampling=recipe.tokenizer.subword_alpha, variants=read.variants
    ).limited(max_length=recipe.data.max_length, max_ratio=recipe.data.max_ratio)
    read.reports.append(report)
    store.save(folder, training, segmented(read.valid, *tokenizers))


def _on_each_machine(group: Group, work: Callable[[], T]) -> T | None:
    """What the first worker of each machine makes, None on the others.

    They wait for the main worker, however long it takes. Raises TrainingError on them if it fails.
    """
    try:
        made = work() if group.is_local_main else None
    except BaseException:
        if group.is_main:
            group.broadcast(False)
        raise
    if not group.broadcast(True):
        raise TrainingError(
            "the main worker could not prepare the text", "Look at what it says itself."
        )
    return made


def text_folder(out: Path, group: Group) -> Path:
    """Where the prepared text of this machine is while a training runs."""
    first = group.rank - group.place.local_rank
    return out / CHECKPOINTS / (f"{TEXT}-{first}" if first else TEXT)


def remove_text(folder: Path) -> None:
    """Remove the prepared text, which may be large and is prepared again when training goes on."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # it holds checkpoints
        folder.parent.rmdir()


def _with_steps(recipe: Recipe, text: Segmented, *, going_on: bool, timed: bool) -> Recipe:
    """The recipe with `train.max_steps` decided: by the amount of text where it says 0.

    Where the training is `timed` that is what the text deserves at most.
    """
    if recipe.train.max_steps:
        return recipe
    places = int(text.target_lengths[text.pairs].sum()) + len(text)  # one EOS each
    epochs, fewest = (MORE_EPOCHS, FEWEST_MORE) if going_on else (EPOCHS, FEWEST_STEPS)
    steps = max(epochs * places // recipe.train.batch_tokens, fewest)
    steps = TIMED_EPOCHS_FACTOR * steps if timed else min(steps, MOST_STEPS)
    return replace(recipe, train=replace(recipe.train, max_steps=steps))


def _tokenizers(recipe: Recipe, run: TrainRun, read: _Read | None) -> tuple[Tokenizer, Tokenizer]:
    if run.resume:
        return bundle.load_tokenizers(run.out, recipe)
    if run.start_from is not None and not recipe.train.new_vocabulary:
        return run.start_from.source, run.start_from.target
    assert read is not None
    return tokenizers_for(recipe, read.taught, read.variants)
