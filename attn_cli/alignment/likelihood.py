"""How well word links predict: the likelihood of the words of held-out pairs.

The probabilities are estimated from the links of the other pairs.

Needs no gold: of two tables with as many links, the one whose links are right more often makes the
better lexicon. benchmarks/README.md shows where it was compared with gold.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attn_cli.alignment.link_table import LinkTable
from attn_cli.types import IntArray

#: Number of lexicons; each pair is held out from one.
FOLDS = 5

#: Maximum pairs whose likelihood is computed, and word pairs computed together: bound time, memory.
MAX_PAIRS, _CELLS = 20_000, 1 << 22

#: Weight of a word's frequency in the interpolation with its lexicon probability.
BACKGROUND = 0.1

Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WordSequences:
    """A side of a text: sentence p is the word numbers `ids[starts[p]:starts[p + 1]]`."""

    ids: IntArray
    starts: Int64Array

    @property
    def lengths(self) -> Int64Array:
        """(pairs,) words of each sentence."""
        return np.diff(self.starts)


def select_strongest(table: LinkTable, count: int) -> LinkTable:
    """Return the table with only its `count` links of the highest score."""
    is_selected = np.zeros(len(table.score), np.bool_)
    is_selected[np.argsort(-table.score, kind="stable")[:count]] = True
    counted = np.concatenate([[0], np.cumsum(is_selected)])
    return LinkTable(
        table.source[is_selected],
        table.target[is_selected],
        table.score[is_selected],
        counted[table.starts],
    )


def held_out_likelihood(
    source: WordSequences, target: WordSequences, links: LinkTable, *, seed: int
) -> float:
    """Return the log-likelihood of held-out pairs in nats a word, over both directions.

    As in IBM model 1, the probability of a word is the mean of its lexicon probabilities for the
    words of the other side, here estimated from the links of the other pairs.
    """
    rng = np.random.default_rng(seed)
    fold = rng.integers(FOLDS, size=len(links))
    evaluated = rng.permutation(len(links))[:MAX_PAIRS]
    pair = np.repeat(np.arange(len(links)), np.diff(links.starts))
    source_words = source.ids[source.starts[pair] + links.source].astype(np.int64)
    target_words = target.ids[target.starts[pair] + links.target].astype(np.int64)
    total, words = 0.0, 0
    for held_out in range(FOLDS):
        others = fold[pair] != held_out
        lexicon = _Lexicon(source, target, source_words[others], target_words[others])
        for block in _blocks(source, target, evaluated[fold[evaluated] == held_out]):
            total += lexicon.log_probability(source, target, block)
            words += int(source.lengths[block].sum() + target.lengths[block].sum())
    return total / max(1, words)


def _blocks(
    source: WordSequences, target: WordSequences, pairs: Int64Array
) -> Iterator[Int64Array]:
    """Yield the pairs in blocks of at most `_CELLS` pairs of words, or of one pair."""
    cells = np.cumsum(source.lengths[pairs] * target.lengths[pairs])
    if not len(cells):
        return
    cuts = np.searchsorted(cells, np.arange(_CELLS, int(cells[-1]), _CELLS)) + 1
    yield from filter(len, np.split(pairs, np.unique(cuts)))


class _Lexicon:
    """Counts of linked words, and the frequency of each word."""

    def __init__(
        self,
        source: WordSequences,
        target: WordSequences,
        source_words: Int64Array,
        target_words: Int64Array,
    ) -> None:
        n_source, self._n_target = (int(side.ids.max(initial=-1)) + 1 for side in (source, target))
        self._key, counts = np.unique(
            source_words * self._n_target + target_words, return_counts=True
        )
        self._counts = counts.astype(np.float64)
        self._of_source = np.maximum(1, np.bincount(source_words, minlength=n_source))
        self._of_target = np.maximum(1, np.bincount(target_words, minlength=self._n_target))
        self._source, self._target = _frequencies(source), _frequencies(target)

    def log_probability(
        self, source: WordSequences, target: WordSequences, pairs: Int64Array
    ) -> float:
        """Return the sum over all words of these pairs, in both directions."""
        n_source, n_target = source.lengths[pairs], target.lengths[pairs]
        cells = n_source * n_target
        row = np.repeat(np.arange(len(pairs)), cells)
        place = np.arange(len(row)) - np.repeat(np.cumsum(cells) - cells, cells)
        s, t = place // n_target[row], place % n_target[row]
        source_words = source.ids[source.starts[pairs][row] + s].astype(np.int64)
        target_words = target.ids[target.starts[pairs][row] + t].astype(np.int64)
        counts = self._links(source_words * self._n_target + target_words)
        first_s, first_t = (np.cumsum(n) - n for n in (n_source, n_target))
        to_target = np.bincount(
            first_t[row] + t,
            counts / self._of_source[source_words] / n_source[row],
            int(n_target.sum()),
        )
        to_source = np.bincount(
            first_s[row] + s,
            counts / self._of_target[target_words] / n_target[row],
            int(n_source.sum()),
        )
        ids = [
            np.concatenate([side.ids[side.starts[pair] : side.starts[pair + 1]] for pair in pairs])
            for side in (source, target)
        ]
        logp = [
            np.log(BACKGROUND * background[of_side] + (1 - BACKGROUND) * likelihood).sum()
            for background, of_side, likelihood in zip(
                (self._source, self._target), ids, (to_source, to_target), strict=True
            )
        ]
        return float(sum(logp))

    def _links(self, key: Int64Array) -> Float64Array:
        if not len(self._key):
            return np.zeros(len(key))
        place = np.minimum(np.searchsorted(self._key, key), len(self._key) - 1)
        counts: Float64Array = np.where(self._key[place] == key, self._counts[place], 0.0)
        return counts


def _frequencies(side: WordSequences) -> Float64Array:
    counts = np.bincount(side.ids) + 0.5
    shares: Float64Array = counts / counts.sum()
    return shares
