"""Build a model's shortlist from word links of its training text: see `data/shortlist.py`.

A link of two words counts as a link of each pair of their pieces.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.bundles.bundle import Bundle
from attn_cli.data.batching import sequential_batches
from attn_cli.data.segmentation import Segmentation, SubwordCorpus, segment_corpus
from attn_cli.data.shortlist import Shortlist
from attn_cli.data.tokenizer_interface import SubwordTokenizer, is_same_vocabulary
from attn_cli.errors import ModelError
from attn_cli.inference.engines.interface import AlignmentModel, PaddedWords
from attn_cli.inference.engines.registry import open_aligner
from attn_cli.training.link_file import read_links
from attn_cli.training.training_pairs import read_training_pairs
from attn_cli.types import EOS, UNK, IntArray

#: The number of frequent target pieces that every sentence may use.
N_FREQUENT = 200

#: The most target pieces of a source piece, and their greatest mean.
MAX_PER_PIECE, MAX_AVERAGE = 60, 11

#: Pairs of pieces whose links have a smaller total weight are ignored as noise of the aligner.
MIN_WEIGHT = 0.3

#: The smallest probability of a word aligner's link that counts.
MIN_PROBABILITY = 0.1

#: Target pieces in a batch of a word aligner, padding included.
_BATCH_PIECES = 8_000
_PAIRS, _FORMS = 1 << 14, 1 << 17  # the size of a block of pairs, and of pairs of forms

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]


def build_shortlist(
    text: SubwordCorpus, links: LinkTable, tokenizers: tuple[SubwordTokenizer, SubwordTokenizer]
) -> Shortlist:
    """Build the shortlist of a vocabulary from the pairs of `text` and their `links`.

    For every sentence it lists EOS, the pieces that copy literals, bytes if the tokenizer falls
    back to them, and the most frequent target pieces. For a source piece it lists its linked target
    pieces and the target piece of the same spelling.
    """
    source, target = tokenizers
    always = np.union1d(target.fallback_pieces, _most_frequent(text, target.vocab_size))
    pieces, weights = count_links(text, links, target.vocab_size)
    source_ids, target_ids = np.divmod(pieces, target.vocab_size)
    is_kept = (weights >= MIN_WEIGHT) & ~np.isin(target_ids, always)
    source_ids, target_ids, weights = source_ids[is_kept], target_ids[is_kept], weights[is_kept]
    return _prune(
        source_ids,
        target_ids,
        weights,
        always,
        _identical_pieces(source, target),
        target.vocab_size,
    )


def shortlist_from_text(
    model: Bundle,
    data: config.DataConfig,
    *,
    links: Path | None = None,
    stdin: BinaryIO | None = None,
) -> Shortlist:
    """Build a shortlist for a model from the pairs of `data`, relative to the working directory.

    `links` is a file with one line for each pair; without it the model's word aligner links them.
    Raises DataError for text or links that cannot be used, ModelError without a word aligner.
    """
    if links is None and not model.can_align:
        raise ModelError(
            f"the model {model.name} has no word aligner to link the words of these pairs",
            "Give their links with --links, as attn align --fit makes them.",
        )
    pairs, report = read_training_pairs(data, model.recipe, stdin=stdin)
    text, _ = segment_corpus(pairs, model.source, model.target).filter_lengths(
        max_length=data.max_length, max_ratio=data.max_ratio
    )
    if links is None:
        table = link_words(open_aligner(model), text)
    else:
        table = read_links(links, text.corpus, n_lines=report.n_read, stdin=stdin)
    return build_shortlist(text, table, (model.source, model.target))


def link_words(aligner: AlignmentModel, text: SubwordCorpus) -> LinkTable:
    """Link all pairs of `text` with a word aligner; the weights are probabilities."""
    columns: list[tuple[NDArray[np.generic], ...]] = []
    for batch in sequential_batches(text, text.pairs, tokens=_BATCH_PIECES):
        links = aligner.align(
            PaddedWords(batch.source, batch.source_word_ids),
            PaddedWords(batch.target_out, batch.target_word_ids),
        ).links  # (B, T, S)
        row, target, source = np.nonzero(links >= MIN_PROBABILITY)
        columns.append((batch.indices[row], source, target, links[row, target, source]))
    pairs, source, target, weights = map(np.concatenate, zip(*columns, strict=True))
    return LinkTable.from_arrays(pairs, source, target, weights, n_pairs=len(text.corpus.lines))


def count_links(text: SubwordCorpus, links: LinkTable, target_vocab: int) -> tuple[Longs, Floats]:
    """Return the linked pairs of pieces, and the total weight of the links of each.

    A pair is the number source piece · V + target piece; they are sorted.
    """
    n_forms = len(text.target.first) - 1
    forms, weights = _sum_by_key(_form_pairs(text, links, n_forms))
    return _sum_by_key(_piece_pairs(text, *np.divmod(forms, n_forms), weights, target_vocab))


def _form_pairs(
    text: SubwordCorpus, links: LinkTable, n_forms: int
) -> Iterator[tuple[Longs, Floats]]:
    """Yield blocks of linked forms, as source form · n_forms + target form, and weights."""
    sides = text.corpus.source.sentences, text.corpus.target.sentences
    for start in range(0, len(text), _PAIRS):
        pairs = text.pairs[start : start + _PAIRS]
        sources, targets = (side.gather(pairs) for side in sides)
        first, ends = links.starts[pairs], links.starts[pairs + 1]
        count = ends - first
        link = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
        row = np.repeat(np.arange(len(pairs)), count)
        source = sources.values[sources.starts[row] + links.source[link]].astype(np.int64)
        target = targets.values[targets.starts[row] + links.target[link]]
        yield source * n_forms + target, links.score[link].astype(np.float64)
    for side in sides:
        side.release()


def _piece_pairs(
    text: SubwordCorpus,
    source_forms: Longs,
    target_forms: Longs,
    weights: Floats,
    target_vocab: int,
) -> Iterator[tuple[Longs, Floats]]:
    """Yield blocks of the pairs of pieces of linked forms, and their weights."""
    for start in range(0, len(source_forms), _FORMS):
        block = slice(start, start + _FORMS)
        (source, n_source), (target, n_target) = (
            _pieces_of(side, forms[block])
            for side, forms in ((text.source, source_forms), (text.target, target_forms))
        )
        count = n_source * n_target  # of the combinations of each pair of forms
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        width = np.repeat(n_target, count)
        source_start, target_start = (
            np.repeat(np.cumsum(lengths) - lengths, count) for lengths in (n_source, n_target)
        )
        source_piece = source[source_start + within // width]
        target_piece = target[target_start + within % width]
        yield source_piece * target_vocab + target_piece, np.repeat(weights[block], count)


def _pieces_of(side: Segmentation, forms: Longs) -> tuple[Longs, Longs]:
    """Return the concatenated pieces of these forms, and how many each has."""
    rows = side.pieces.gather(side.first[forms])
    return rows.values.astype(np.int64), rows.lengths


def _sum_by_key(blocks: Iterator[tuple[Longs, Floats]]) -> tuple[Longs, Floats]:
    """Return the distinct keys of all blocks, sorted, and the total weight of each."""
    keys: Longs = np.zeros(0, np.int64)
    sums: Floats = np.zeros(0, np.float64)
    for block, weights in blocks:
        keys, index = np.unique(np.concatenate([keys, block]), return_inverse=True)
        sums = np.bincount(index, np.concatenate([sums, weights])).astype(np.float64)
    return keys, sums


def _most_frequent(text: SubwordCorpus, vocab: int) -> Longs:
    """Return the most frequent pieces of the target text, without EOS and special pieces."""
    form_counts = text.corpus.target.counts(text.pairs)
    pieces = text.target.pieces.gather(text.target.first[:-1])
    counts = np.bincount(pieces.values, np.repeat(form_counts, pieces.lengths), minlength=vocab)
    ranked = np.argsort(-counts, kind="stable")[:N_FREQUENT]
    return ranked[(counts[ranked] > 0) & (ranked > EOS)]


def _identical_pieces(source: SubwordTokenizer, target: SubwordTokenizer) -> IntArray:
    """Return for each source piece the target piece of the same spelling, or -1."""
    if is_same_vocabulary(source, target):
        return np.arange(source.vocab_size, dtype=np.int32)
    number = {target.piece(id): id for id in range(target.vocab_size)}
    ids = (number.get(source.piece(id), -1) for id in range(source.vocab_size))
    return np.fromiter(ids, np.int32, source.vocab_size)


def _prune(
    source_ids: Longs,
    target_ids: Longs,
    weights: Floats,
    always: Longs,
    identical: IntArray,
    target_vocab: int,
) -> Shortlist:
    """Return the shortlist of the pairs with the most weight, within the limits of its size."""
    order = np.lexsort((target_ids, -weights, source_ids))
    source_ids, target_ids, weights = source_ids[order], target_ids[order], weights[order]
    rank = np.arange(len(source_ids)) - np.searchsorted(source_ids, source_ids)
    kept_rows = np.flatnonzero(rank < MAX_PER_PIECE)
    if len(kept_rows) > (max_links := MAX_AVERAGE * len(identical)):
        kept_rows = np.sort(kept_rows[np.argsort(-weights[kept_rows], kind="stable")[:max_links]])
    keys = source_ids[kept_rows] * target_vocab + target_ids[kept_rows]
    rows = np.flatnonzero((identical > UNK) & ~np.isin(identical, always))
    keys = np.union1d(keys, rows * target_vocab + identical[rows])
    pieces, linked = np.divmod(keys, target_vocab)
    starts = np.searchsorted(pieces, np.arange(len(identical) + 1)).astype(np.int64)
    return Shortlist(always.astype(np.int32), linked.astype(np.int32), starts, target_vocab)
