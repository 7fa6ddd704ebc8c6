"""Build the network of a recipe and its trainer."""

from dataclasses import replace

import torch
from torch import Tensor

from attn_cli import __version__
from attn_cli.bundles import manifest, storage
from attn_cli.config import Recipe
from attn_cli.data.batching import BatchIterator, sequential_batches
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.engines.interface import HeadSelection, default_heads
from attn_cli.nn.builder import build_model
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import load_state
from attn_cli.training import checkpoint
from attn_cli.training.data import PreparedData
from attn_cli.training.early_stopping import ValidationResult
from attn_cli.training.resume import CHECKPOINTS, Plan
from attn_cli.training.train_run import Context, TrainRun
from attn_cli.training.trainer import Trainer
from attn_cli.training.validation import SentenceWatcher, Validator, pick_sample
from attn_cli.training.vocabulary_transfer import transfer_vocabulary


def build_network(data: PreparedData, run: TrainRun) -> Seq2Seq:
    """Build the network, with the parameters of `run.start_from` if that is set.

    Raises ModelError if they do not fit.
    """
    source, target = data.tokenizers
    network = build_model(
        data.recipe.model, source_vocab_size=source.vocab_size, target_vocab_size=target.vocab_size
    )
    if run.start_from is not None:
        with torch.no_grad():
            weights, _ = checkpoint.load(run.start_from.weights)
            weights = transfer_vocabulary(weights, run.start_from, data.tokenizers)
            load_state(network, weights, where=str(run.start_from.weights))
    return network


def _heads_to_show(recipe: Recipe) -> HeadSelection | None:
    """Return the heads to show during training, None without attention."""
    if not recipe.model.has_attention:
        return None
    return default_heads(recipe)


def build_trainer(
    network: Seq2Seq, data: PreparedData, plan: Plan, run: TrainRun, context: Context
) -> Trainer:
    """Build the trainer of a network, which writes the bundle into `run.out`."""
    recipe, group = data.recipe, context.group
    validation = Validator(
        list(sequential_batches(data.valid, data.valid.pairs, tokens=recipe.train.batch_tokens)),
        list(data.valid.corpus.source_texts()),
        list(data.valid.corpus.target_texts()),
        tokenizers=data.tokenizers,
        search=replace(SearchConfig.of(recipe.decode), beam=1),
        hardware=context.hardware,
        heads=_heads_to_show(recipe),
        interrupted=context.interrupted,
        group=group,
    )

    watch = None
    if group.is_main and (run.watch or run.live):
        sources = list(data.valid.corpus.source_texts())
        source, target = run.watch or (sources[pick_sample(sources)], None)
        watch = SentenceWatcher(
            source,
            target,
            tokenizers=data.tokenizers,
            search=validation.search,
            heads=validation.heads,
        )

    def save_best(tensors: dict[str, Tensor], result: ValidationResult | None) -> None:
        scores = {}
        if result is not None:
            scores = {
                "step": result.step,
                "bleu": {"score": round(result.bleu, 2), "on": "validation, greedy"},
            }
        weights = {manifest.WEIGHTS: checkpoint.serialize(tensors)}
        storage.write_manifest(run.out, recipe, version=__version__, scores=scores, files=weights)

    return Trainer(
        network,
        BatchIterator(data.train, tokens=recipe.train.batch_tokens, seed=recipe.seed),
        validation,
        settings=recipe.train,
        hardware=context.hardware,
        folder=run.out / CHECKPOINTS,
        text=plan.text,
        save_best=save_best,
        emit=context.emit,
        interrupted=context.interrupted,
        budget=run.budget,
        watch=watch,
        group=group,
    )
