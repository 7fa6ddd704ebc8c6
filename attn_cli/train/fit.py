"""Alignments of a bitext from the bitext alone: a committee's votes, and a head taught by them.

Knows corpora and a folder to keep the head in; no network that translates, and no terminal.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from attn_cli import __version__, bundle, config
from attn_cli.align.table import LinkTable
from attn_cli.config import Recipe
from attn_cli.engine.torch_engine import TorchMatcher
from attn_cli.nn.build import build_head
from attn_cli.nn.hardware import torch_device
from attn_cli.nn.state import tensors_of
from attn_cli.text.corpus import Corpus
from attn_cli.text.pieces import Segmented, segmented
from attn_cli.text.tokenizer import Tokenizer
from attn_cli.train import checkpoint, events
from attn_cli.train.head import HeadTrainer
from attn_cli.train.links import LINKS, prepared
from attn_cli.train.resuming import CHECKPOINTS
from attn_cli.train.session import export_graphs, tokenizers_for

#: Pairs from which a head is tried at all: with fewer it learns for longer than it is worth.
FEWEST = 2_000

#: A head is trusted whose links are the committee's, where it has not seen them, with an F1 in % of
#: at least this.
TRUSTED = 75.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was learnt of a corpus: the votes on its pairs, and a head where one could be taught.

    `votes` are of the pairs by their numbers in `corpus`, and so are `links`: what head and votes
    together say, or the votes again where they are alone.
    """

    corpus: Corpus
    votes: LinkTable
    links: LinkTable
    source: Tokenizer
    target: Tokenizer
    matcher: TorchMatcher | None


def recipe_for(name: str, source: str, target: str, *, seed: int) -> Recipe:
    """The recipe of a model that aligns alone. Its vocabulary folds the case, as the votes do."""
    return Recipe(
        name=name,
        source=source,
        target=target,
        seed=seed,
        tokenizer=config.Tokenizer(normalization="nmt_nfkc_cf"),
        model=config.Model(alignment_head=config.AlignmentHead(enabled=True)),
    )


def fit(
    recipe: Recipe,
    corpus: Corpus,
    out: Path,
    *,
    device: str,
    threads: int,
    emit: events.Listener,
    interrupted: Callable[[], bool] = lambda: False,
) -> Fitted | None:
    """Link the words of `corpus`, and teach a head; the folder `out` becomes its bundle.

    The head learns from pairs that are not too long (`data.max_length`). It is left out where these
    are too few, or where it does not agree with the committee on pairs that were kept from it; a
    notice says so, and there is no bundle then. None when `interrupted`. Raises what the parts
    raise.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    text, tokenizers = _in_pieces(recipe, corpus, emit)
    cache = out / CHECKPOINTS / LINKS
    links = prepared(
        recipe,
        corpus,
        n_lines=len(corpus.lines),
        cache=cache,
        workers=threads,
        emit=emit,
        interrupted=interrupted,
    )
    if links is None or interrupted():
        return None
    alone = Fitted(corpus, links.table, links.table, *tokenizers, matcher=None)
    text = _short(text, recipe.data.max_length)
    if len(text) < FEWEST:
        emit(events.Noticed(f"{len(text):,} pairs are too few for an alignment head: votes alone"))
        return alone
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    links.keep(cache)
    trainer = HeadTrainer(
        build_head(
            recipe.model,
            source_vocab=tokenizers[0].vocab_size,
            target_vocab=tokenizers[1].vocab_size,
        ).to(torch_device(device)),
        text,
        links.table,
        settings=recipe.train,
        seed=recipe.seed,
        folder=out / CHECKPOINTS,
        emit=emit,
        interrupted=interrupted,
    )
    together = trainer.run()
    if together is None:
        return None
    assert trainer.at.agreement is not None
    if trainer.at.agreement.f1 < TRUSTED:
        emit(events.Noticed("the alignment head learnt too little of these pairs: votes alone"))
        return alone
    bundle.write_definition(out, recipe, *tokenizers)
    weights = {bundle.HEAD: checkpoint.serialize(tensors_of(trainer.head))}
    bundle.seal(out, recipe, version=__version__, scores={}, files=weights)
    export_graphs(out, recipe, emit)
    return replace(alone, links=together, matcher=TorchMatcher(trainer.head))


def _in_pieces(
    recipe: Recipe, corpus: Corpus, emit: events.Listener
) -> tuple[Segmented, tuple[Tokenizer, Tokenizer]]:
    """The corpus in the pieces of a vocabulary that is learnt from it."""
    began = time.monotonic()
    tokenizers = tokenizers_for(recipe, corpus)
    text = segmented(corpus, *tokenizers)
    emit(
        events.Prepared(
            pairs=len(corpus),
            valid_pairs=0,
            source_vocab=tokenizers[0].vocab_size,
            target_vocab=tokenizers[1].vocab_size,
            seconds=time.monotonic() - began,
        )
    )
    return text, tokenizers


def _short(text: Segmented, longest: int) -> Segmented:
    """The pairs of at most so many pieces a side: what a head makes of a pair grows with both."""
    lengths = np.maximum(text.source_lengths, text.target_lengths)[text.pairs]
    return replace(text, corpus=text.corpus.part(text.pairs[lengths <= longest]))
