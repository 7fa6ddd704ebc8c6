"""Train a word aligner for a finished model, without changing its translation network."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import torch

from attn_cli import __version__
from attn_cli.bundles import storage
from attn_cli.bundles.bundle import Bundle
from attn_cli.bundles.manifest import CARD, CONFIDENCE, SHORTLIST, WEIGHTS, WORD_ALIGNER
from attn_cli.choices import Precision
from attn_cli.config import Recipe
from attn_cli.data.segmentation import segment_corpus
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.training import checkpoint, events
from attn_cli.training.finishing import export_graphs
from attn_cli.training.training_pairs import read_training_pairs
from attn_cli.training.word_aligner import train_new_aligner
from attn_cli.training.word_links import LINKS, prepare_word_links

#: The folder of unfinished work.
UNFINISHED = ".aligner"


def train_aligner_only(
    recipe: Recipe,
    start: Bundle,
    out: Path,
    *,
    device: str,
    threads: int,
    emit: events.Listener,
    interrupted: Callable[[], bool] = lambda: False,
    stdin: BinaryIO | None = None,
) -> bool:
    """Write the model `start` into `out` with a word aligner trained on pairs.

    `recipe` names the pairs, relative to the working directory, and has the settings of the word
    aligner and its training. Links come from the file of `train.guided_alignment`, or from
    statistical aligners. Returns False if `interrupted`; the same call then continues the
    unfinished work in `out`. Raises DataError for text or links that cannot be used.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    pairs, report = read_training_pairs(recipe.data, start.recipe, stdin=stdin)
    text, shorter = segment_corpus(pairs, start.source, start.target).filter_lengths(
        max_length=recipe.data.max_length, max_ratio=recipe.data.max_ratio
    )
    for sentence in (*report.messages(), *shorter.messages()):
        emit(events.Notice(sentence))
    unfinished = out / UNFINISHED
    links = prepare_word_links(
        recipe,
        text.corpus,
        n_lines=report.n_read,
        cache=unfinished / LINKS,
        workers=threads,
        emit=emit,
        interrupted=interrupted,
        resume=True,
        stdin=stdin,
    )
    if links is None or interrupted():
        return False
    links.save(unfinished / LINKS)
    trainer = train_new_aligner(
        recipe,
        text,
        links.table,
        vocab=(start.source.vocab_size, start.target.vocab_size),
        folder=unfinished,
        device=device,
        emit=emit,
        interrupted=interrupted,
    )
    if trainer is None:
        return False
    files = {
        name: start.file(name).read_bytes()
        for name in (WEIGHTS, SHORTLIST, CONFIDENCE, CARD)
        if start.has_files(name)
    }
    files[WORD_ALIGNER] = checkpoint.serialize(unique_state_dict(trainer.aligner))
    scores = {name: each for name, each in start.facts["scores"].items() if name != "aer"}
    recipe = replace(start.recipe, model=recipe.model)
    storage.write_definition(out, recipe, start.source, start.target)
    storage.write_manifest(out, recipe, version=__version__, scores=scores, files=files)
    shutil.rmtree(unfinished, ignore_errors=True)
    precision: Precision = "int8" if start.precision == "int8" else "fp32"
    export_graphs(out, replace(recipe, train=replace(recipe.train, export=precision)), emit)
    return True
