"""Align a bitext without supervision: a committee's votes, and a word aligner trained on them."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from attn_cli import __version__, config
from attn_cli.alignment.aligner_jobs import CommitteeMember
from attn_cli.alignment.likelihood import WordSequences, held_out_likelihood, select_strongest
from attn_cli.alignment.link_table import LinkTable
from attn_cli.alignment.statistical import COMMITTEE
from attn_cli.bundles import manifest, storage
from attn_cli.config import Recipe
from attn_cli.data.corpus import Corpus
from attn_cli.data.segmentation import SubwordCorpus, segment_corpus
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.errors import UsageError
from attn_cli.files import atomic
from attn_cli.inference.engines.torch import TorchAligner
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.training import checkpoint, events
from attn_cli.training.finishing import export_graphs
from attn_cli.training.resume import CHECKPOINTS
from attn_cli.training.vocabulary import train_tokenizers
from attn_cli.training.word_aligner import train_new_aligner
from attn_cli.training.word_links import LINKS, prepare_word_links

#: The fewest pairs to train a word aligner on: with fewer it takes long and gains little.
MIN_PAIRS = 2_000

#: The smallest F1, in %, of a word aligner's links against the committee's on held-out pairs.
MIN_F1 = 75.0

#: The smallest gain in held-out log-likelihood, in nats per word, for links of the word aligner.
MIN_GAIN = 0.03

#: The approximate time of training a word aligner, as a multiple of the time of the votes.
ALIGNER_TIME_FACTOR = 2.5

#: The folder of unfinished work.
UNFINISHED = ".fit"


@dataclass(frozen=True, eq=False)
class FittedAlignments:
    """The votes on the pairs of a corpus, their links, and a word aligner trained on the votes.

    Pairs are numbered as in `corpus`. `links` are those of word aligner and votes together if they
    are `combined`, else the votes. `word_aligner` is None if none was trained or it was too bad.
    """

    corpus: Corpus
    votes: LinkTable
    links: LinkTable
    source: SubwordTokenizer
    target: SubwordTokenizer
    word_aligner: TorchAligner | None
    combined: bool = False


def aligner_recipe(name: str, source: str, target: str, *, seed: int) -> Recipe:
    """Return the recipe of a word aligner alone. Its vocabulary folds case, like the votes."""
    return Recipe(
        name=name,
        source=source,
        target=target,
        seed=seed,
        tokenizer=config.TokenizerConfig(normalization="nmt_nfkc_cf"),
        model=config.ModelConfig(word_aligner=config.WordAlignerConfig(enabled=True)),
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
    members: Sequence[CommitteeMember] | None = None,
    train_aligner: bool = True,
    force: bool = False,
) -> FittedAlignments | None:
    """Link the words of `corpus`; with `train_aligner` write a word aligner's bundle into `out`.

    `members` vote, as in `statistical.collect_votes`. The word aligner is trained on pairs up to
    `data.max_length`. It is dropped, with a notice and without a bundle, if there are fewer than
    `MIN_PAIRS` of them, or if it does not agree with the committee on held-out pairs. Its links are
    combined with the votes if that improves the lexicon (`held_out_likelihood`).

    Returns None when `interrupted`; a later call with the same arguments continues the unfinished
    work in `out`, as after a kill. Raises UsageError if `out` has other unfinished work, unless
    `force` discards it, and the errors of `prepare_word_links` and `train_new_aligner`.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    unfinished = _prepare_folder(
        recipe, corpus, out, members, train_aligner=train_aligner, force=force
    )
    start = time.monotonic()
    tokenizers = train_tokenizers(recipe, corpus)
    emit(
        events.DataPrepared(
            pairs=len(corpus),
            valid_pairs=0,
            source_vocab=tokenizers[0].vocab_size,
            target_vocab=tokenizers[1].vocab_size,
            seconds=time.monotonic() - start,
        )
    )
    links = prepare_word_links(
        recipe,
        corpus,
        n_lines=len(corpus.lines),
        cache=unfinished / LINKS,
        workers=threads,
        emit=emit,
        interrupted=interrupted,
        members=members,
        later_time_factor=ALIGNER_TIME_FACTOR if train_aligner else 0.0,
    )
    if links is None:
        return None
    links.save(unfinished / LINKS)
    if interrupted():
        return None
    result = FittedAlignments(corpus, links.table, links.table, *tokenizers, word_aligner=None)
    if train_aligner:
        trained = _train_aligner(recipe, result, out, device, emit, interrupted)
        if trained is None:
            return None
        result = trained
    shutil.rmtree(unfinished, ignore_errors=True)
    return result


def _prepare_folder(
    recipe: Recipe,
    corpus: Corpus,
    out: Path,
    members: Sequence[CommitteeMember] | None,
    *,
    train_aligner: bool,
    force: bool,
) -> Path:
    """Return the folder of unfinished work, emptied if it is not of the same fit.

    Raises UsageError, without `force`, if it has other work.
    """
    folder = out / UNFINISHED
    facts = {
        "version": __version__,
        "digest": corpus.digest,
        "seed": recipe.seed,
        "committee": [asdict(member) for member in members or COMMITTEE],
        "teach": train_aligner,
    }
    text, path = json.dumps(facts, sort_keys=True), folder / "facts.json"
    if path.is_file():
        if path.read_text(encoding="utf-8", errors="replace") == text:
            return folder
        if not force:
            raise UsageError(
                f"{out} holds an unfinished --fit of another text, or with other options",
                "Choose another --out, or discard it with --force.",
            )
    shutil.rmtree(folder, ignore_errors=True)
    atomic.write_text(path, text)
    return folder


def _train_aligner(
    recipe: Recipe,
    votes_only: FittedAlignments,
    out: Path,
    device: str,
    emit: events.Listener,
    interrupted: Callable[[], bool],
) -> FittedAlignments | None:
    """Train a word aligner and write the bundle; return `votes_only` if it is not good enough.

    Returns None when `interrupted`.
    """
    tokenizers = votes_only.source, votes_only.target
    text = _filter_lengths(segment_corpus(votes_only.corpus, *tokenizers), recipe.data.max_length)
    if len(text) < MIN_PAIRS:
        emit(
            events.Notice(
                f"{len(text):,} pairs are too few for a word aligner: only the votes are used"
            )
        )
        return votes_only
    trainer = train_new_aligner(
        recipe,
        text,
        votes_only.votes,
        vocab=(tokenizers[0].vocab_size, tokenizers[1].vocab_size),
        folder=out / UNFINISHED,
        device=device,
        emit=emit,
        interrupted=interrupted,
    )
    if trainer is None:
        return None
    combined = trainer.relabeled
    assert combined is not None
    assert trainer.state.agreement is not None
    if trainer.state.agreement.f1 < MIN_F1:
        emit(
            events.Notice(
                "the word aligner learned too little from these pairs: only the votes are used"
            )
        )
        return votes_only
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    storage.write_definition(out, recipe, *tokenizers)
    weights = {manifest.WORD_ALIGNER: checkpoint.serialize(unique_state_dict(trainer.aligner))}
    storage.write_manifest(out, recipe, version=__version__, scores={}, files=weights)
    export_graphs(out, recipe, emit)
    word_aligner = TorchAligner(trainer.aligner)
    if has_better_lexicon(votes_only.corpus, votes_only.votes, combined, seed=recipe.seed):
        return replace(votes_only, links=combined, word_aligner=word_aligner, combined=True)
    emit(
        events.Notice(
            "the word aligner does not improve the links of these pairs: only the votes are used"
        )
    )
    return replace(votes_only, word_aligner=word_aligner)


def has_better_lexicon(corpus: Corpus, votes: LinkTable, combined: LinkTable, *, seed: int) -> bool:
    """Whether the links of word aligner and votes together are better than those of the votes.

    Equally many links of both are compared. The word aligner's errors are consistent, which raises
    the likelihood, so it has to be better by `MIN_GAIN`.
    """
    source, target = (
        WordSequences(side.sentences.values, side.sentences.starts)
        for side in (corpus.source, corpus.target)
    )
    majority = select_strongest(votes, int((votes.score > 0.5).sum()))
    candidate = select_strongest(combined, len(majority.score))
    before, after = (
        held_out_likelihood(source, target, links, seed=seed) for links in (majority, candidate)
    )
    return after - before > MIN_GAIN


def _filter_lengths(text: SubwordCorpus, max_length: int) -> SubwordCorpus:
    """Return the pairs with at most `max_length` pieces per side, which bounds memory."""
    lengths = np.maximum(text.source_lengths, text.target_lengths)[text.pairs]
    return replace(text, corpus=text.corpus.subset(text.pairs[lengths <= max_length]))
