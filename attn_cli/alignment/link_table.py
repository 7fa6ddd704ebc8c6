"""The links of a whole corpus in a few flat arrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attn_cli.types import FloatArray, IntArray


@dataclass(frozen=True, eq=False, slots=True)
class LinkTable:
    """Links of many pairs, each with a score from 0 to 1: 8 bytes a link.

    Pair p's links are the rows `starts[p]` to `starts[p + 1]` of `source`, `target` (n,) uint16,
    the indices of the words in their sentences, and `score` (n,) float32. A pair without links has
    not been aligned.
    """

    source: NDArray[np.uint16]
    target: NDArray[np.uint16]
    score: FloatArray
    starts: NDArray[np.int64]

    @classmethod
    def from_links(cls, pairs: Iterable[Mapping[tuple[int, int], float]]) -> "LinkTable":
        """Make a table of the links of each pair: (source, target) → score."""
        rows = [dict(pair) for pair in pairs]
        places = np.array([link for row in rows for link in row], np.uint16).reshape(-1, 2)
        weight = np.array([value for row in rows for value in row.values()], np.float32)
        starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return cls(places[:, 0].copy(), places[:, 1].copy(), weight, starts)

    @classmethod
    def from_arrays(
        cls,
        pairs: NDArray[np.integer],
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        weight: NDArray[np.floating],
        *,
        n_pairs: int,
    ) -> "LinkTable":
        """Make a table of (n,) links in any order, each with the number of its pair."""
        order = np.argsort(pairs, kind="stable")
        starts = np.searchsorted(pairs[order], np.arange(n_pairs + 1)).astype(np.int64)
        return cls(
            source[order].astype(np.uint16),
            target[order].astype(np.uint16),
            weight[order].astype(np.float32),
            starts,
        )

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.starts) - 1

    def links(self, pair: int) -> dict[tuple[int, int], float]:
        """Return the links of one pair: (source, target) → score."""
        rows = slice(self.starts[pair], self.starts[pair + 1])
        places = zip(self.source[rows].tolist(), self.target[rows].tolist(), strict=True)
        return dict(zip(places, self.score[rows].tolist(), strict=True))

    def to_matrices(self, pairs: IntArray, *, n_target: int, n_source: int) -> FloatArray:
        """Return (B, n_target, n_source) the scores of the links of (B,) pairs; 0 without a link.

        Links to words beyond these sizes, of truncated sentences, are left out.
        """
        first = self.starts[pairs]
        lengths = self.starts[np.asarray(pairs) + 1] - first
        row = np.repeat(np.arange(len(pairs)), lengths)
        begin = np.cumsum(lengths) - lengths
        link = np.arange(lengths.sum()) + np.repeat(first - begin, lengths)
        source, target = self.source[link], self.target[link]
        inside = (source < n_source) & (target < n_target)
        table = np.zeros((len(pairs), n_target, n_source), np.float32)
        table[row[inside], target[inside], source[inside]] = self.score[link[inside]]
        return table
