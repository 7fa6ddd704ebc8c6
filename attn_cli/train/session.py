"""A recipe and a folder become a trained bundle: text, vocabulary, network, loop, in that order.

Knows neither Typer nor Rich: what happens is told as events.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from attn_cli import __version__, bundle
from attn_cli.bundle import Bundle
from attn_cli.config import Recipe
from attn_cli.decode.beam import Search
from attn_cli.nn.build import build
from attn_cli.nn.hardware import Hardware, choose
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state import restore
from attn_cli.text import corpus
from attn_cli.text.batching import Batches, batches_of
from attn_cli.text.pieces import Segmented, segmented
from attn_cli.text.tokenizer import Tokenizer
from attn_cli.train import checkpoint, events
from attn_cli.train.loop import Trainer
from attn_cli.train.resuming import CHECKPOINTS
from attn_cli.train.stopping import Scored
from attn_cli.train.validation import Validation

#: Updates where the recipe leaves them open: this many times through the text, within bounds.
EPOCHS, FEWEST_STEPS, MOST_STEPS = 20, 3_000, 30_000


@dataclass(frozen=True)
class Run:
    """What to train and where: everything that is not in the recipe."""

    out: Path
    resume: bool = False
    start_from: Bundle | None = None
    device: str = "auto"
    threads: int | None = None
    max_minutes: float | None = None
    stdin: BinaryIO | None = None


def train(
    recipe: Recipe,
    run: Run,
    *,
    emit: events.Listener,
    interrupted: Callable[[], bool] = lambda: False,
) -> events.Finished:
    """Train `recipe`, whose data paths are relative to `run.out`, and leave a bundle there.

    Raises DataError, UsageError, TrainingError or ModelError as their parts do.
    """
    if run.threads:
        torch.set_num_threads(run.threads)
    hardware = choose(run.device, recipe.train.precision)
    torch.manual_seed(recipe.seed)
    text = _prepare(recipe, run, emit)
    recipe = text.recipe
    network = build(
        recipe.model,
        source_vocab=text.tokenizers[0].vocab_size,
        target_vocab=text.tokenizers[1].vocab_size,
    )
    if run.start_from is not None:
        with torch.no_grad():
            weights, _ = checkpoint.load(run.start_from.weights)
            restore(network, weights, where=str(run.start_from.weights))
    trainer = _trainer(recipe, run, text, network.to(hardware.device), hardware, emit, interrupted)
    if run.resume:
        trainer.resume()
    emit(
        events.Started(
            step=trainer.at.step,
            max_steps=recipe.train.max_steps,
            parameters=sum(p.numel() for p in network.parameters()),
            device=hardware.device.type,
            precision=hardware.precision,
            threads=torch.get_num_threads(),
        )
    )
    return trainer.run()


@dataclass(frozen=True)
class _Text:
    recipe: Recipe
    train: Segmented
    valid: Segmented
    tokenizers: tuple[Tokenizer, Tokenizer]


def _prepare(recipe: Recipe, run: Run, emit: events.Listener) -> _Text:
    """Read the text once, learn or load its vocabulary, split it into pieces."""
    began = time.monotonic()
    here = bundle.relocated(recipe, run.out, Path()).data  # as a person would name the files
    loaded = corpus.load(here, Path(), seed=recipe.seed, stdin=run.stdin)
    tokenizers = _tokenizers(recipe, run, loaded.train)
    reports = list(loaded.reports)
    sampling = recipe.tokenizer.sampling
    training, report = segmented(loaded.train, *tokenizers, sampling=sampling).limited(
        max_length=recipe.data.max_length, max_ratio=recipe.data.max_ratio
    )
    reports.append(report)
    valid = segmented(loaded.valid, *tokenizers)
    recipe = _with_steps(recipe, training)
    for report in reports:
        for sentence in report.sentences():
            emit(events.Noticed(sentence))
    emit(
        events.Prepared(
            pairs=len(training),
            valid_pairs=len(valid),
            source_vocab=tokenizers[0].vocab_size,
            target_vocab=tokenizers[1].vocab_size,
            seconds=time.monotonic() - began,
        )
    )
    if run.resume:
        bundle.write_recipe(run.out, recipe)
    else:
        shutil.rmtree(run.out / CHECKPOINTS, ignore_errors=True)
        bundle.write_definition(run.out, recipe, *tokenizers)
    return _Text(recipe, training, valid, tokenizers)


def _with_steps(recipe: Recipe, text: Segmented) -> Recipe:
    """The recipe with `train.max_steps` decided: by the amount of text where it says 0."""
    if recipe.train.max_steps:
        return recipe
    places = int(text.target_lengths[text.pairs].sum()) + len(text)  # one EOS each
    steps = EPOCHS * places // recipe.train.batch_tokens
    steps = min(max(steps, FEWEST_STEPS), MOST_STEPS)
    return replace(recipe, train=replace(recipe.train, max_steps=steps))


def _tokenizers(recipe: Recipe, run: Run, text: corpus.Corpus) -> tuple[Tokenizer, Tokenizer]:
    if run.resume:
        return bundle.load_tokenizers(run.out, recipe)
    if run.start_from is not None:
        return run.start_from.source, run.start_from.target
    source, target = text.source_counts(), text.target_counts()
    if recipe.tokenizer.joint:
        both = dict(source)
        for form, count in target.items():
            both[form] = both.get(form, 0) + count
        joint = Tokenizer.train_on_counts(both, recipe.tokenizer)
        return joint, joint
    return (
        Tokenizer.train_on_counts(source, recipe.tokenizer),
        Tokenizer.train_on_counts(target, recipe.tokenizer),
    )


def _trainer(
    recipe: Recipe,
    run: Run,
    text: _Text,
    network: Seq2Seq,
    hardware: Hardware,
    emit: events.Listener,
    interrupted: Callable[[], bool],
) -> Trainer:
    validation = Validation(
        list(batches_of(text.valid, text.valid.pairs, tokens=recipe.train.batch_tokens)),
        list(text.valid.corpus.source_texts()),
        list(text.valid.corpus.target_texts()),
        tokenizers=text.tokenizers,
        how=replace(Search.of(recipe.decode), beam=1),
        hardware=hardware,
    )

    def publish(tensors: dict[str, Tensor], scored: Scored | None) -> None:
        checkpoint.save(run.out / bundle.WEIGHTS, tensors, {})
        scores = {}
        if scored is not None:
            scores = {
                "step": scored.step,
                "bleu": {"score": round(scored.bleu, 2), "on": "validation, greedy"},
            }
        bundle.seal(run.out, recipe, version=__version__, scores=scores)

    return Trainer(
        network,
        Batches(text.train, tokens=recipe.train.batch_tokens, seed=recipe.seed),
        validation,
        settings=recipe.train,
        hardware=hardware,
        folder=run.out / CHECKPOINTS,
        publish=publish,
        emit=emit,
        interrupted=interrupted,
        max_minutes=run.max_minutes,
    )
