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

#: A pair is held out from one of so many lexicons.
FOLDS = 5

#: Maximum pairs whose likelihood is computed, and word pairs computed together: bound time, memory.
MAX_PAIRS, _CELLS = 20_000, 1 << 22

#: The share of the probability that a word has from its frequency alone.
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
    kept = np.zeros(len(table.score), np.bool_)
    kept[np.argsort(-table.score, kind="stable")[:count]] = True
    counted = np.concatenate([[0], np.cumsum(kept)])
    return LinkTable(
        table.source[kept], table.target[kept], table.score[kept], counted[table.starts]
    )


def held_out_likelihood(
    source: WordSequences, target: WordSequences, links: LinkTable, *, seed: int
) -> float:
    """Nats a word of pairs that are held out: the mean of both directions.

    As in IBM model 1, the probability of a word is the mean over the words of the other side of how
    often each is linked to it, here counted in the links of the other pairs.
    """
    rng = np.random.default_rng(seed)
    fold = rng.integers(FOLDS, size=len(links))
    drawn = rng.permutation(len(links))[:MAX_PAIRS]
    pair = np.repeat(np.arange(len(links)), np.diff(links.starts))
    ours = source.ids[source.starts[pair] + links.source].astype(np.int64)
    theirs = target.ids[target.starts[pair] + links.target].astype(np.int64)
    total, words = 0.0, 0
    for held in range(FOLDS):
        learned = fold[pair] != held
        lexicon = _Lexicon(source, target, ours[learned], theirs[learned])
        for some in _blocks(source, target, drawn[fold[drawn] == held]):
            total += lexicon.log_probability(source, target, some)
            words += int(source.lengths[some].sum() + target.lengths[some].sum())
    return total / max(1, words)


def _blocks(
    source: WordSequences, target: WordSequences, pairs: Int64Array
) -> Iterator[Int64Array]:
    """The pairs in parts of at most `_CELLS` pairs of words, or of one."""
    cells = np.cumsum(source.lengths[pairs] * target.lengths[pairs])
    if not len(cells):
        return
    cuts = np.searchsorted(cells, np.arange(_CELLS, int(cells[-1]), _CELLS)) + 1
    yield from filter(len, np.split(pairs, np.unique(cuts)))


class _Lexicon:
    """How often each word is linked to each other, and occurs at all."""

    def __init__(
        self, source: WordSequences, target: WordSequences, ours: Int64Array, theirs: Int64Array
    ) -> None:
        n_source, self._n_target = (int(side.ids.max(initial=-1)) + 1 for side in (source, target))
        self._key, counts = np.unique(ours * self._n_target + theirs, return_counts=True)
        self._counts = counts.astype(np.float64)
        self._of_source = np.maximum(1, np.bincount(ours, minlength=n_source))
        self._of_target = np.maximum(1, np.bincount(theirs, minlength=self._n_target))
        self._source, self._target = _frequencies(source), _frequencies(target)

    def log_probability(
        self, source: WordSequences, target: WordSequences, pairs: Int64Array
    ) -> float:
        """Of all words of these pairs, both directions added."""
        n_source, n_target = source.lengths[pairs], target.lengths[pairs]
        cells = n_source * n_target
        row = np.repeat(np.arange(len(pairs)), cells)
        place = np.arange(len(row)) - np.repeat(np.cumsum(cells) - cells, cells)
        s, t = place // n_target[row], place % n_target[row]
        ours = source.ids[source.starts[pairs][row] + s].astype(np.int64)
        theirs = target.ids[target.starts[pairs][row] + t].astype(np.int64)
        counts = self._links(ours * self._n_target + theirs)
        first_s, first_t = (np.cumsum(n) - n for n in (n_source, n_target))
        to_target = np.bincount(
            first_t[row] + t, counts / self._of_source[ours] / n_source[row], int(n_target.sum())
        )
        to_source = np.bincount(
            first_s[row] + s, counts / self._of_target[theirs] / n_target[row], int(n_source.sum())
        )
        ids = [
            np.concatenate([side.ids[side.starts[pair] : side.starts[pair + 1]] for pair in pairs])
            for side in (source, target)
        ]
        logp = [
            np.log(BACKGROUND * background[of_side] + (1 - BACKGROUND) * found).sum()
            for background, of_side, found in zip(
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
