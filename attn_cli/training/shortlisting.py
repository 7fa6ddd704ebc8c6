"""A model's shortlist, counted from the word links of its training text.

Knows corpora in pieces and links; no network. Links are between words: each piece of a word counts
as linked to each piece of the words that it is linked to. See `data/shortlist.py`.
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
from attn_cli.training.given_pairs import read_given_pairs
from attn_cli.training.word_links import read_links
from attn_cli.types import EOS, UNK, IntArray

#: The commonest target pieces, which every sentence may use.
N_FREQUENT = 200

#: Target pieces of a source piece: those with the most links, and on average no more than so many.
MAX_PER_PIECE, MAX_AVERAGE = 60, 11

#: WordAlignment of a source piece to a target piece that weigh less than this together are noise:
#: an aligner's guess in one pair.
MIN_WEIGHT = 0.3

#: WordAlignment of a word aligner that are counted have at least this probability.
MIN_PROBABILITY = 0.1

#: Target places of a batch that a word aligner reads.
_BATCH_PIECES = 8_000
_PAIRS, _FORMS = 1 << 14, 1 << 17  # pairs, and pairs of forms, counted together

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]


def build_shortlist(
    text: SubwordCorpus, links: LinkTable, tokenizers: tuple[SubwordTokenizer, SubwordTokenizer]
) -> Shortlist:
    """The shortlist of a vocabulary, from the pairs of `text` and their `links`.

    Always listed are the end, what literals are copied by, the bytes where a translation may be
    spelt in them, and the commonest pieces of the target text. To the pieces that a source piece is
    linked to comes the target piece that is spelt as it is.
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
    """A shortlist for a model, from the pairs that `data` names relative to where we are.

    Their `links` are in a file, line by line, or what the model's word aligner finds. Raises
    DataError for text or links that cannot be used, ModelError for a model
    without a word aligner.
    """
    if links is None and not model.can_align:
        raise ModelError(
            f"the model {model.name} has no word aligner to link the words of these pairs",
            "Give their links with --links, as attn align --fit makes them.",
        )
    pairs, report = read_given_pairs(data, model.recipe, stdin=stdin)
    text, _ = segment_corpus(pairs, model.source, model.target).filter_lengths(
        max_length=data.max_length, max_ratio=data.max_ratio
    )
    if links is None:
        table = link_words(open_aligner(model), text)
    else:
        table = read_links(links, text.corpus, n_lines=report.n_read, stdin=stdin)
    return build_shortlist(text, table, (model.source, model.target))


def link_words(matcher: AlignmentModel, text: SubwordCorpus) -> LinkTable:
    """The links of all pairs of `text` as a word aligner finds them, with probabilities."""
    columns: list[tuple[NDArray[np.generic], ...]] = []
    for batch in sequential_batches(text, text.pairs, tokens=_BATCH_PIECES):
        links = matcher.align(
            PaddedWords(batch.source, batch.source_word_ids),
            PaddedWords(batch.target_out, batch.target_word_ids),
        ).links  # (B, T, S)
        row, target, source = np.nonzero(links >= MIN_PROBABILITY)
        columns.append((batch.indices[row], source, target, links[row, target, source]))
    pairs, source, target, weights = map(np.concatenate, zip(*columns, strict=True))
    return LinkTable.from_arrays(pairs, source, target, weights, n_pairs=len(text.corpus.lines))


def count_links(text: SubwordCorpus, links: LinkTable, target_vocab: int) -> tuple[Longs, Floats]:
    """Pairs of pieces that are linked, rising, as source piece · V + target piece; and how much
    the links of each weigh together."""
    n_forms = len(text.target.first) - 1
    forms, weights = _sum_by_key(_form_pairs(text, links, n_forms))
    return _sum_by_key(_piece_pairs(text, *np.divmod(forms, n_forms), weights, target_vocab))


def _form_pairs(
    text: SubwordCorpus, links: LinkTable, n_forms: int
) -> Iterator[tuple[Longs, Floats]]:
    """Of each block of pairs the forms that are linked, as source form · forms + target form."""
    sides = text.corpus.source.sentences, text.corpus.target.sentences
    for start in range(0, len(text), _PAIRS):
        pairs = text.pairs[start : start + _PAIRS]
        sources, targets = (side.gather(pairs) for side in sides)
        first, ends = links.starts[pairs], links.starts[pairs + 1]
        count = ends - first
        link = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
        row = np.repeat(np.arange(len(pairs)), count)
        form = sources.values[sources.starts[row] + links.source[link]].astype(np.int64)
        other = targets.values[targets.starts[row] + links.target[link]]
        yield form * n_forms + other, links.score[link].astype(np.float64)
    for side in sides:
        side.release()


def _piece_pairs(
    text: SubwordCorpus,
    source_forms: Longs,
    target_forms: Longs,
    weights: Floats,
    target_vocab: int,
) -> Iterator[tuple[Longs, Floats]]:
    """Each piece of a source form with each piece of the target form that it is linked to."""
    for start in range(0, len(source_forms), _FORMS):
        block = slice(start, start + _FORMS)
        (source, n_source), (target, n_target) = (
            _pieces_of(side, forms[block])
            for side, forms in ((text.source, source_forms), (text.target, target_forms))
        )
        count = n_source * n_target  # of the combinations of each pair of forms
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        width = np.repeat(n_target, count)
        first, other = (
            np.repeat(np.cumsum(lengths) - lengths, count) for lengths in (n_source, n_target)
        )
        piece = source[first + within // width] * target_vocab + target[other + within % width]
        yield piece, np.repeat(weights[block], count)


def _pieces_of(side: Segmentation, forms: Longs) -> tuple[Longs, Longs]:
    """The pieces of these forms, one behind the other, and how many each has."""
    rows = side.pieces.gather(side.first[forms])
    return rows.values.astype(np.int64), rows.lengths


def _sum_by_key(blocks: Iterator[tuple[Longs, Floats]]) -> tuple[Longs, Floats]:
    """The distinct keys of all blocks, rising, and the sum of each one's weights."""
    keys: Longs = np.zeros(0, np.int64)
    sums: Floats = np.zeros(0, np.float64)
    for some, weights in blocks:
        distinct, place = np.unique(np.concatenate([keys, some]), return_inverse=True)
        keys = distinct
        sums = np.bincount(place, np.concatenate([sums, weights])).astype(np.float64)
    return keys, sums


def _most_frequent(text: SubwordCorpus, vocab: int) -> Longs:
    """The pieces that occur most often in the target text, EOS and specials not among them."""
    of_form = text.corpus.target.counts(text.pairs)
    pieces = text.target.pieces.gather(text.target.first[:-1])
    counts = np.bincount(pieces.values, np.repeat(of_form, pieces.lengths), minlength=vocab)
    ranked = np.argsort(-counts, kind="stable")[:N_FREQUENT]
    return ranked[(counts[ranked] > 0) & (ranked > EOS)]


def _identical_pieces(source: SubwordTokenizer, target: SubwordTokenizer) -> IntArray:
    """(source pieces,) the target piece of the same spelling, -1 where there is none."""
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
    """The shortlist of weighed pairs of pieces: in each row those of the most weight, and of these
    the most frequent if they are too many together."""
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
