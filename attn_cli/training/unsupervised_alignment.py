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
from attn_cli.training.aligner_trainer import train_new_aligner
from attn_cli.training.finishing import export_graphs
from attn_cli.training.resume import CHECKPOINTS
from attn_cli.training.vocabulary import train_tokenizers
from attn_cli.training.word_links import LINKS, prepare_word_links

#: Pairs from which a head is tried at all: with fewer it learns for longer than it is worth.
MIN_PAIRS = 2_000

#: A head is trusted whose links are the committee's, where it has not seen them, with an F1 in % of
#: at least this.
MIN_F1 = 75.0

#: Nats a word by which the links of a head must foretell other pairs better than votes do.
MIN_GAIN = 0.03

#: How many times as long as the votes a head takes, about: from 1.7 with 169,000 pairs to 3.4 with
#: 29,000.
ALIGNER_TIME_FACTOR = 2.5

#: The folder of what is done, until all is.
UNFINISHED = ".fit"


@dataclass(frozen=True, eq=False)
class FittedAlignments:
    """What was learnt of a corpus: the votes on its pairs, and a head where one could be taught.

    `votes` are of the pairs by their numbers in `corpus`, and so are `links`: what head and votes
    together say where they are `combined`, else the votes again.
    """

    corpus: Corpus
    votes: LinkTable
    links: LinkTable
    source: SubwordTokenizer
    target: SubwordTokenizer
    matcher: TorchAligner | None
    combined: bool = False


def aligner_recipe(name: str, source: str, target: str, *, seed: int) -> Recipe:
    """The recipe of a model that aligns alone. Its vocabulary folds the case, as the votes do."""
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
    """Link the words of `corpus`; to `teach` a head makes the folder `out` its bundle.

    `members` vote, as in `statistical.collect_votes`. The head learns from pairs that are not too
    long (`data.max_length`). It is left out where these are too few, or where it does not agree
    with the committee on pairs that were kept from it; a notice says so, and there is no bundle
    then. Its links are joined to the votes where that makes a clearly better lexicon
    (`held_out_likelihood`).

    What is done lies in `out` until all is: None when `interrupted`, and the next `fit` of the same
    goes on from there, as after a kill. Raises UsageError where something else was begun there,
    unless `force` discards it, and what the parts raise.
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
    result = FittedAlignments(corpus, links.table, links.table, *tokenizers, matcher=None)
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
    """The folder for what is done, empty unless it holds a part of the same.

    Raises UsageError where it holds a part of something else.
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
    """The same with a head that makes a bundle of `out`, or unchanged where it is no good.

    None when `interrupted`.
    """
    tokenizers = votes_only.source, votes_only.target
    text = _filter_lengths(segment_corpus(votes_only.corpus, *tokenizers), recipe.data.max_length)
    if len(text) < MIN_PAIRS:
        emit(events.Notice(f"{len(text):,} pairs are too few for a word aligner: votes alone"))
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
        emit(events.Notice("the word aligner learnt too little of these pairs: votes alone"))
        return votes_only
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    storage.write_definition(out, recipe, *tokenizers)
    weights = {manifest.WORD_ALIGNER: checkpoint.serialize(unique_state_dict(trainer.aligner))}
    storage.write_manifest(out, recipe, version=__version__, scores={}, files=weights)
    export_graphs(out, recipe, emit)
    matcher = TorchAligner(trainer.aligner)
    if has_better_lexicon(votes_only.corpus, votes_only.votes, combined, seed=recipe.seed):
        return replace(votes_only, links=combined, matcher=matcher, combined=True)
    emit(events.Notice("the votes link these pairs as well without the word aligner"))
    return replace(votes_only, matcher=matcher)


def has_better_lexicon(corpus: Corpus, votes: LinkTable, combined: LinkTable, *, seed: int) -> bool:
    """Whether the links of head and votes together are better than those of the votes.

    Both are represented by as many links. Those of the head agree with one another more than they
    are right, so the lexicon has to be better by `MIN_GAIN`.
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
    """The pairs of at most so many pieces a side: what a head makes of a pair grows with both."""
    lengths = np.maximum(text.source_lengths, text.target_lengths)[text.pairs]
    return replace(text, corpus=text.corpus.subset(text.pairs[lengths <= max_length]))
