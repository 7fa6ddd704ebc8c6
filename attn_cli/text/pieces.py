"""The corpus in pieces: each distinct word form segmented once, and looked up when a batch is made.

Knows corpora of word forms and asks a tokenizer for segmentations; knows no batch. That forms, not
sentences, are segmented gives the word of each piece for nothing, and makes subword sampling (Kudo
2018) a matter of one random number a word.
"""

from array import array
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attn_cli.text.corpus import NUMBERED, Corpus, Finding, Ragged, Report, Side, blocks
from attn_cli.text.variants import Variants
from attn_cli.values import IntArray

CANDIDATES = 16  # segmentations of a form that subword sampling chooses from


class Segmenter(Protocol):
    """What is asked of a tokenizer here."""

    def segment(self, form: str) -> tuple[int, ...]:
        """The piece ids of one word form; at least one."""
        ...

    def candidates(self, form: str, n: int) -> list[tuple[tuple[int, ...], float]]:
        """Up to `n` segmentations of one word form with their log-probabilities."""
        ...


def segmented(
    corpus: Corpus,
    source: Segmenter,
    target: Segmenter,
    *,
    sampling: float = 0.0,
    variants: Variants | None = None,
) -> "Segmented":
    """The pairs of `corpus` as pieces; with `sampling` > 0 each form has up to 16 segmentations.

    With `variants`, which `corpus` must be widened for, they vary when they are drawn.
    """
    every = variants is not None
    ours = _segmentation(corpus.source, corpus.pairs, source, sampling=sampling, every=every)
    theirs = _segmentation(corpus.target, corpus.pairs, target, sampling=sampling, every=every)
    return Segmented(
        corpus,
        ours,
        theirs,
        _piece_counts(corpus.source, ours, corpus.pairs),
        _piece_counts(corpus.target, theirs, corpus.pairs),
        variants,
    )


@dataclass(frozen=True, eq=False, slots=True)
class Segmentation:
    """The forms of one side as pieces.

    The candidates of form f are the rows `first[f]` to `first[f + 1]` of `pieces`, the
    deterministic one first. Where forms are sampled, `reach` (rows,) is f plus the probability of
    f's candidates up to and including that row: one binary search then draws for many forms.
    """

    pieces: Ragged
    first: IntArray
    reach: NDArray[np.float64] | None = None

    def rows(self, forms: IntArray, rng: np.random.Generator | None = None) -> IntArray:
        """The row of each form: its deterministic one, or with `rng` and `reach` a drawn one."""
        if rng is None or self.reach is None:
            return self.first[forms]
        rows = np.searchsorted(self.reach, forms + rng.random(len(forms)), side="right")
        return np.minimum(rows, self.first[forms + 1] - 1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Segmented:
    """The pairs of a corpus in pieces.

    `source_lengths` and `target_lengths` (all pairs,) count the deterministic pieces without EOS;
    they are 0 for pairs of the corpus that are not in this part.
    """

    corpus: Corpus
    source: Segmentation
    target: Segmentation
    source_lengths: IntArray
    target_lengths: IntArray
    variants: Variants | None = None

    @property
    def pairs(self) -> IntArray:
        return self.corpus.pairs

    def __len__(self) -> int:
        return len(self.corpus)

    def limited(self, *, max_length: int, max_ratio: float) -> tuple["Segmented", Report]:
        """The pairs with at most `max_length` pieces a side, one side at most `max_ratio` times
        as long as the other. Raises DataError if there is none.
        """
        source, target = self.source_lengths[self.pairs], self.target_lengths[self.pairs]
        longer, shorter = np.maximum(source, target), np.minimum(source, target)
        long = longer > max_length
        uneven = (longer > max_ratio * shorter) & ~long
        lines = self.corpus.lines[self.pairs]
        reasons = {
            f"more than {max_length} pieces on a side": lines[long],
            f"one side more than {max_ratio:g} times as long as the other": lines[uneven],
        }
        kept = self.corpus.part(self.pairs[~(long | uneven)])
        findings = tuple(
            Finding(reason, len(found), tuple(found[:NUMBERED].tolist()))
            for reason, found in reasons.items()
            if len(found)
        )
        report = Report(self.corpus.name, len(self), len(kept), findings)
        report.insist()
        return replace(self, corpus=kept), report


def _segmentation(
    side: Side, pairs: IntArray, tokenizer: Segmenter, *, sampling: float, every: bool
) -> Segmentation:
    """The candidates of `every` form, or of those in `pairs`; others have one without pieces."""
    pieces, starts, first, logp = array("i"), array("q", [0]), array("i", [0]), array("d")
    for form, count in zip(side.forms, side.counts(pairs).tolist(), strict=True):
        for ids, score in _options(form, tokenizer, sampling) if count or every else _NO_PIECES:
            pieces.extend(ids)
            starts.append(len(pieces))
            logp.append(score)
        first.append(len(logp))
    bounds = np.frombuffer(first, np.int32)
    return Segmentation(
        Ragged(np.frombuffer(pieces, np.int32), np.frombuffer(starts, np.int64)),
        bounds,
        _reach(sampling * np.frombuffer(logp, np.float64), bounds) if sampling else None,
    )


_NO_PIECES: list[tuple[tuple[int, ...], float]] = [((), 0.0)]


def _options(
    form: str, tokenizer: Segmenter, sampling: float
) -> list[tuple[tuple[int, ...], float]]:
    """A form's segmentations and their log-probabilities, the deterministic one first."""
    best = tokenizer.segment(form)
    if not sampling:
        return [(best, 0.0)]
    logp = dict(tokenizer.candidates(form, CANDIDATES))
    return [(best, logp.pop(best, max(logp.values(), default=0.0))), *logp.items()]


def _reach(scores: NDArray[np.float64], first: IntArray) -> NDArray[np.float64]:
    """Each row's form plus the softmax of the form's scores, summed up to and with the row."""
    begin, sizes = first[:-1], np.diff(first)
    form = np.repeat(np.arange(len(sizes)), sizes)
    mass = np.exp(scores - np.maximum.reduceat(scores, begin)[form])
    total = np.cumsum(mass / np.add.reduceat(mass, begin)[form])
    before = np.concatenate(([0.0], total))[begin][form]
    return form + (total - before)


def _piece_counts(side: Side, segmentation: Segmentation, pairs: IntArray) -> IntArray:
    """(all pairs,) the pieces of each sentence in `pairs`, 0 for the others."""
    of_form = segmentation.pieces.lengths[segmentation.first[:-1]]
    counts = np.zeros(len(side.sentences), np.int32)
    for block in blocks(pairs):
        sentences = side.sentences.gather(block)
        counts[block] = np.add.reduceat(of_form[sentences.values], sentences.starts[:-1])
    return counts
