"""Segment a corpus: each distinct word form once; batches look the segmentations up.

Since forms, not sentences, are segmented, the word of each piece is known, and subword sampling
(Kudo 2018) takes one random number a word.
"""

import itertools
from array import array
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attn_cli.data.arrays import RaggedArray, Storage, blocks, slices
from attn_cli.data.augmentation import Augmentation
from attn_cli.data.corpus import Corpus, CorpusSide
from attn_cli.data.corpus_report import MAX_LISTED_LINES, CorpusReport, SkipReason
from attn_cli.types import IntArray

MAX_CANDIDATES = 16  # segmentations of a form that subword sampling chooses from
_PAIRS = 1 << 18  # pairs whose lengths are compared together
_FORMS = 1 << 14  # forms segmented before they are stored


class Segmenter(Protocol):
    """The part of a tokenizer's interface that segmentation needs."""

    def segment(self, form: str) -> tuple[int, ...]:
        """Return the piece ids of one word form; at least one."""
        ...

    def candidates(self, form: str, n: int) -> list[tuple[tuple[int, ...], float]]:
        """Return up to `n` segmentations of one word form with their log-probabilities."""
        ...


def segment_corpus(
    corpus: Corpus,
    source: Segmenter,
    target: Segmenter,
    *,
    sampling: float = 0.0,
    augmentation: Augmentation | None = None,
    source_prefix: tuple[int, ...] = (),
) -> "SubwordCorpus":
    """Segment the pairs of `corpus`; with `sampling` > 0, a form has up to 16 segmentations.

    `sampling` is the smoothing exponent of Kudo 2018. With `augmentation`, both results of
    `augment`, all forms are segmented, not only those in the pairs. The ids of `source_prefix`
    begin every source sentence.
    """
    all_forms = augmentation is not None
    source_pieces, target_pieces = (
        _segmentation(
            side, corpus.pairs, tokenizer, sampling, all_forms, _Table(corpus.storage, name)
        )
        for side, tokenizer, name in (
            (corpus.source, source, "source"),
            (corpus.target, target, "target"),
        )
    )
    return SubwordCorpus(
        corpus,
        source_pieces,
        target_pieces,
        _piece_counts(corpus.source, source_pieces, corpus.pairs),
        _piece_counts(corpus.target, target_pieces, corpus.pairs),
        augmentation,
        source_prefix,
    )


@dataclass(frozen=True, eq=False, slots=True)
class Segmentation:
    """The forms of one side as pieces.

    The candidates of form f are the rows `first[f]` to `first[f + 1]` of `pieces`, the
    deterministic one first. With subword sampling, `cumulative_probs` (rows,) is f plus the
    probability of f's candidates up to and including that row: one binary search then samples for
    many forms.
    """

    pieces: RaggedArray
    first: IntArray
    cumulative_probs: NDArray[np.float64] | None = None

    def sample_rows(self, forms: IntArray, rng: np.random.Generator | None = None) -> IntArray:
        """Return the row of each form: a sampled one with `rng` and `cumulative_probs`, else the
        deterministic one."""
        if rng is None or self.cumulative_probs is None:
            return self.first[forms]
        rows = np.searchsorted(self.cumulative_probs, forms + rng.random(len(forms)), side="right")
        return np.minimum(rows, self.first[forms + 1] - 1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class SubwordCorpus:
    """The pairs of a corpus in pieces.

    `source_lengths` and `target_lengths` (all pairs,) count the deterministic pieces without EOS;
    they are 0 for pairs of the corpus that are not in this part. The ids of `source_prefix`, which
    are not counted, begin every source sentence and belong to no word.
    """

    corpus: Corpus
    source: Segmentation
    target: Segmentation
    source_lengths: IntArray
    target_lengths: IntArray
    augmentation: Augmentation | None = None
    source_prefix: tuple[int, ...] = ()

    @property
    def pairs(self) -> IntArray:
        return self.corpus.pairs

    def __len__(self) -> int:
        return len(self.corpus)

    def filter_lengths(
        self, *, max_length: int, max_ratio: float
    ) -> tuple["SubwordCorpus", CorpusReport]:
        """Return the pairs with at most `max_length` pieces a side, one side at most `max_ratio`
        times as long as the other, and a report of the rest. Raises DataError if there is none.
        """
        long, uneven = np.zeros(len(self), bool), np.zeros(len(self), bool)
        for first, pairs in zip(itertools.count(step=_PAIRS), blocks(self.pairs, _PAIRS)):
            source, target = self.source_lengths[pairs], self.target_lengths[pairs]
            longer, shorter = np.maximum(source, target), np.minimum(source, target)
            some = slice(first, first + _PAIRS)
            long[some] = longer > max_length
            uneven[some] = (longer > max_ratio * shorter) & ~long[some]
        reasons = {
            f"more than {max_length} pieces on a side": long,
            f"one side more than {max_ratio:g} times as long as the other": uneven,
        }
        subset = self.corpus.subset(self.pairs[~(long | uneven)])
        skipped = tuple(
            SkipReason(
                reason,
                int(np.count_nonzero(is_skipped)),
                tuple(self.corpus.lines[self.pairs[is_skipped][:MAX_LISTED_LINES]].tolist()),
            )
            for reason, is_skipped in reasons.items()
            if is_skipped.any()
        )
        report = CorpusReport(self.corpus.name, len(self), len(subset), skipped)
        report.require_pairs()
        return replace(self, corpus=subset), report


def _segmentation(
    side: CorpusSide,
    pairs: IntArray,
    tokenizer: Segmenter,
    sampling: float,
    all_forms: bool,
    table: "_Table",
) -> Segmentation:
    """Return the candidates of the forms in `pairs`, or of `all_forms`; others have one, empty."""
    counts = side.counts(pairs)
    forms = iter(side.forms)
    for some in slices(counts, _FORMS):
        for form, count in zip(itertools.islice(forms, len(some)), some.tolist(), strict=True):
            table.add(_options(form, tokenizer, sampling) if count or all_forms else _NO_PIECES)
        table.flush(sampling)
    return table.finish(sampled=bool(sampling))


class _Table:
    """Stores the candidates of forms; those added since `flush` are in memory."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._values = storage.column(f"{name}.pieces.values", np.int32)
        self._starts = storage.column(f"{name}.pieces.starts", np.int64)
        self._first = storage.column(f"{name}.first", np.int32)
        self._cumulative_probs = storage.column(f"{name}.reach", np.float64)
        self._starts.append(np.zeros(1, np.int64))
        self._first.append(np.zeros(1, np.int32))
        self._n_forms = self._n_rows = self._n_values = 0
        self._mass = 0.0
        self._begin()

    def _begin(self) -> None:
        self._pieces, self._ends = array("i"), array("q")
        self._bounds, self._logp = array("i", [0]), array("d")

    def add(self, candidates: list[tuple[tuple[int, ...], float]]) -> None:
        """Add the candidates of the next form."""
        for ids, logp in candidates:
            self._pieces.extend(ids)
            self._ends.append(len(self._pieces))
            self._logp.append(logp)
        self._bounds.append(len(self._logp))

    def flush(self, sampling: float) -> None:
        """Store the forms that were added."""
        bounds = np.frombuffer(self._bounds, np.int32)
        if sampling:
            scores = sampling * np.frombuffer(self._logp, np.float64)
            probs, self._mass = _cumulative_probs(scores, bounds, self._n_forms, self._mass)
            self._cumulative_probs.append(probs)
        self._values.append(self._pieces)
        self._starts.append(np.frombuffer(self._ends, np.int64) + self._n_values)
        self._first.append(bounds[1:] + np.int32(self._n_rows))
        self._n_forms += len(bounds) - 1
        self._n_rows += len(self._logp)
        self._n_values += len(self._pieces)
        self._begin()

    def finish(self, *, sampled: bool) -> Segmentation:
        """Return the segmentation of all forms; no form can be added afterwards."""
        pieces = RaggedArray(self._values.finish(), self._starts.finish())
        first, probs = self._first.finish(), self._cumulative_probs.finish()
        return Segmentation(pieces, first, probs if sampled else None)


_NO_PIECES: list[tuple[tuple[int, ...], float]] = [((), 0.0)]


def _options(
    form: str, tokenizer: Segmenter, sampling: float
) -> list[tuple[tuple[int, ...], float]]:
    """Return a form's segmentations and their log-probabilities, the deterministic one first."""
    best = tokenizer.segment(form)
    if not sampling:
        return [(best, 0.0)]
    logp = dict(tokenizer.candidates(form, MAX_CANDIDATES))
    return [(best, logp.pop(best, max(logp.values(), default=0.0))), *logp.items()]


def _cumulative_probs(
    scores: NDArray[np.float64], first: IntArray, n_forms: int, before: float
) -> tuple[NDArray[np.float64], float]:
    """Return each row's form plus the sum of the softmax of the form's scores up to the row.

    Forms are numbered from `n_forms`; `before` is the sum of all rows before, whose new value is
    returned too.
    """
    begin, sizes = first[:-1], np.diff(first)
    form = np.repeat(np.arange(len(sizes)), sizes)
    mass = np.exp(scores - np.maximum.reduceat(scores, begin)[form])
    total = np.cumsum(np.concatenate(([before], mass / np.add.reduceat(mass, begin)[form])))
    return n_forms + form + (total[1:] - total[begin][form]), float(total[-1])


def _piece_counts(side: CorpusSide, segmentation: Segmentation, pairs: IntArray) -> IntArray:
    """Return (all pairs,) the number of pieces of each sentence in `pairs`, 0 for the others."""
    of_form = segmentation.pieces.lengths_of(segmentation.first[:-1]).astype(np.int32)
    counts = np.zeros(len(side.sentences), np.int32)
    for block, sentences in side.sentences.blocks(pairs):
        counts[block] = np.add.reduceat(of_form[sentences.values], sentences.starts[:-1])
    return counts
