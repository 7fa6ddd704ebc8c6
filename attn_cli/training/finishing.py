"""Finish a trained model: select its head, export its graphs, calibrate its confidence."""

import time
from dataclasses import replace
from pathlib import Path

import torch

from attn_cli.alignment.link_table import LinkTable
from attn_cli.bundles import bundle, manifest, storage
from attn_cli.config import Recipe
from attn_cli.data.batching import sequential_batches
from attn_cli.errors import AttnError
from attn_cli.inference.calibration import calibrate
from attn_cli.inference.confidence import MIN_PAIRS
from attn_cli.inference.engines.registry import EngineOptions, open_generator
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import load_state
from attn_cli.training import checkpoint, events
from attn_cli.training.budget import EXIT_SECONDS
from attn_cli.training.data import PreparedData
from attn_cli.training.head_selection import find_best_head, sample_pairs
from attn_cli.training.shortlisting import build_shortlist
from attn_cli.training.train_run import Context, TrainRun


def select_attention_head(
    network: Seq2Seq, data: PreparedData, links: LinkTable, out: Path, context: Context
) -> Recipe:
    """Select the attention head that agrees best with `links`; write it into the bundle's recipe.

    Returns the recipe, unchanged if it names a head or the model has only one. Loads the bundle's
    weights into the network.
    """
    recipe = data.recipe
    layers, heads = recipe.model.heads
    if layers * heads <= 1 or recipe.decode.attention_layer or recipe.decode.attention_head:
        return recipe
    with torch.no_grad():
        weights, _ = checkpoint.load(out / manifest.WEIGHTS)
        load_state(network, weights, where=str(out / manifest.WEIGHTS))
    pairs = sample_pairs(data.train, links)
    selected = find_best_head(
        network,
        sequential_batches(data.train, pairs, tokens=recipe.train.batch_tokens)
        if len(pairs)
        else (),
        links,
        model=recipe.model,
        hardware=context.hardware,
    )
    if selected is None:
        return recipe
    decode = replace(recipe.decode, attention_layer=selected.layer, attention_head=selected.head)
    recipe = replace(recipe, decode=decode)
    storage.write_recipe(out, recipe)
    context.emit(events.Notice(selected.describe()))
    return recipe


def write_shortlist(out: Path, data: PreparedData, links: LinkTable) -> None:
    """Build the shortlist of a model from word links, and add it to the bundle."""
    shortlist = build_shortlist(data.train, links, data.tokenizers)
    storage.add_file(out, manifest.SHORTLIST, shortlist.to_bytes())


def export_graphs(out: Path, recipe: Recipe, emit: events.Listener) -> None:
    """Export the bundle's graphs in the precision of the recipe, if any.

    The model works without graphs, so a failure is only a notice.
    """
    if recipe.train.export == "none":
        return
    try:
        from attn_cli.export.bundle_export import export
    except ModuleNotFoundError as error:
        emit(events.Notice(f"no graphs: {error.name} is not installed"))
        return
    start = time.monotonic()
    emit(events.Activity("making graphs"))
    try:
        exported = export(bundle.open_bundle(out), precision=recipe.train.export)
    except AttnError as error:
        emit(events.Notice(f"no graphs: {error.problem}"))
        return
    seconds = time.monotonic() - start
    emit(events.GraphsExported(recipe.train.export, exported.bytes, exported.difference, seconds))


def calibrate_confidence(run: TrainRun, data: PreparedData, emit: events.Listener) -> None:
    """Calibrate the model's confidence on the validation pairs, as many as the time allows.

    The model works without confidence, so a failure is only a notice.
    """
    corpus = data.valid.corpus
    pairs = list(zip(corpus.source_texts(), corpus.target_texts(), strict=True))
    if len(pairs) < MIN_PAIRS:
        return
    start = time.monotonic()
    emit(events.Activity("calibrating confidence"))
    try:
        model = bundle.open_bundle(run.out)
        generator = open_generator(model, EngineOptions(device=run.device, threads=run.threads))
        seconds = run.budget.left() - EXIT_SECONDS
        result = calibrate(model, generator, pairs, max_seconds=seconds)
        storage.add_file(run.out, manifest.CONFIDENCE, result.calibration.to_bytes())
    except AttnError as error:
        emit(events.Notice(f"no confidence: {error.problem}"))
        return
    emit(
        events.ConfidenceCalibrated(
            pairs=result.calibration.pairs,
            correlation=result.correlation,
            logp_correlation=result.logp_correlation,
            seconds=time.monotonic() - start,
        )
    )
