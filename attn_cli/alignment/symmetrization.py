"""Combine two alignments of a pair, one from each direction: links, or tables of weights.

Links are (source, target) in both directions; `pharaoh.transpose` converts target-source links.

Koehn, Och & Marcu (2003), section 3.1, and Koehn et al. (2005) for the last:

    intersection          links of both directions
    union                 links of either
    grow-diag             the intersection, then repeatedly links of the union that are adjacent
                          to one of the result (horizontally, vertically or diagonally)
    grow-diag-final       then the other links of forward, then those of reverse
    grow-diag-final-and   the same, but only between two words that have no link yet

Implementations differ in the condition for adding a link, and give different links:

* `both` of its words have no link yet: lilt/alignment-scripts (Zenkel, Wuebker & DeNero 2019),
  whose published links for GIZA++ on Romanian-English this reproduces. Each addition is then
  one-to-one, so that grow-diag-final and grow-diag-final-and are the same.
* `either` of its words: the paper, Moses' `symal` and fast_align's `atools`. Recall is higher,
  precision lower.

If two neighbors share a word, the first that is visited is added; the order differs between tools
and changes a few links. Links are visited in passes, by source word, then by target word; a link
added ahead of the pass is visited in it, one added behind it in the next. The neighbors of a link
are visited in the order of `NEIGHBORS`.
"""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush

import numpy as np

from attn_cli.choices import LinkSymmetrization, Unaligned
from attn_cli.errors import get_choice
from attn_cli.types import SoftAlignment, WordAlignment

Link = tuple[int, int]

#: (source, target) steps to the neighbors of a link, in the order of lilt/alignment-scripts: that
#: of a set of these in Python before 3.8.
NEIGHBORS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, 0), (1, -1), (1, 1))


def symmetrize(
    forward: WordAlignment,
    reverse: WordAlignment,
    method: LinkSymmetrization,
    *,
    unaligned: Unaligned = "both",
) -> WordAlignment:
    """Combine the links of both directions; both are (source, target).

    The score of a link is the mean of its scores in both directions, 0 in one without it. If a link
    of either direction has no score, none of the result has one.
    """
    pairs = _combine(forward.links, reverse.links, method, unaligned)
    weighted = forward.scores.keys() >= forward.links and reverse.scores.keys() >= reverse.links
    return WordAlignment(
        pairs,
        max(forward.n_source, reverse.n_source),
        max(forward.n_target, reverse.n_target),
        {pair: _mean_weight(forward, reverse, pair) for pair in pairs} if weighted else {},
    )


def harmonic_mean(forward: SoftAlignment, reverse: SoftAlignment) -> SoftAlignment:
    """Combine a table (T, S) and one of the reverse direction (S, T) into one (T, S).

    With p = P(source word | target word) of forward and q = P(target word | source word) of
    reverse, a cell is their harmonic mean

        2 p q / (p + q)

    which is at most twice the smaller of the two: high only where both directions agree. For counts
    it is the Dice coefficient of Och & Ney's (2003) heuristic models, C(s, t) / C(t) being p and
    C(s, t) / C(s) being q. A row that sums to more than 1, as it may where several source words
    attend to one target word, is scaled down to 1; the rest of a row's sum up to 1 is unaligned.
    """
    assert reverse.weights.shape == forward.weights.shape[::-1], "tables of different pairs"
    prob_given_target = forward.weights.astype(np.float64)  # (T, S)
    prob_given_source = reverse.weights.T.astype(np.float64)  # (T, S)
    total = prob_given_target + prob_given_source
    mean = np.divide(
        2 * prob_given_target * prob_given_source, total, out=np.zeros_like(total), where=total > 0
    )
    mass = mean.sum(axis=1)  # (T,)
    weights = (mean / np.maximum(mass, 1)[:, None]).astype(np.float32)
    return SoftAlignment(
        forward.source,
        forward.target,
        weights,
        np.maximum(1 - mass, 0).astype(np.float32),
        forward.kind,
        forward.level,
        forward.mode,
    )


def _combine(
    forward: frozenset[Link],
    reverse: frozenset[Link],
    method: LinkSymmetrization,
    unaligned: Unaligned,
) -> frozenset[Link]:
    combine = get_choice(_COMBINATIONS, method, "a symmetrization of links")
    return combine(forward, reverse, unaligned)


def _grow_diag(
    forward: frozenset[Link], reverse: frozenset[Link], unaligned: Unaligned
) -> "_GrowingAlignment":
    growing = _GrowingAlignment(forward & reverse)
    growing.grow(forward | reverse, unaligned)
    return growing


def _grow_diag_final(
    forward: frozenset[Link], reverse: frozenset[Link], unaligned: Unaligned, final: Unaligned
) -> frozenset[Link]:
    growing = _grow_diag(forward, reverse, unaligned)
    for direction in (forward, reverse):
        for link in sorted(direction):
            growing.add(link, final)
    return frozenset(growing.links)


#: Symmetrizations by their names: (forward, reverse, rule for a link to add) → links.
_COMBINATIONS: dict[
    str, Callable[[frozenset[Link], frozenset[Link], Unaligned], frozenset[Link]]
] = {
    "intersection": lambda forward, reverse, rule: forward & reverse,
    "union": lambda forward, reverse, rule: forward | reverse,
    "grow-diag": lambda forward, reverse, rule: frozenset(_grow_diag(forward, reverse, rule).links),
    "grow-diag-final": lambda forward, reverse, rule: _grow_diag_final(
        forward, reverse, rule, rule
    ),
    "grow-diag-final-and": lambda forward, reverse, rule: _grow_diag_final(
        forward, reverse, rule, "both"
    ),
}


class _GrowingAlignment:
    """Links, and the words that have one."""

    def __init__(self, links: Iterable[Link]) -> None:
        self.links: set[Link] = set(links)
        self.sources = {s for s, _ in self.links}
        self.targets = {t for _, t in self.links}

    def add(self, link: Link, unaligned: Unaligned) -> bool:
        """Add the link if both or either of its words, as `unaligned` says, have none yet."""
        s, t = link
        free = s not in self.sources, t not in self.targets
        if not (all(free) if unaligned == "both" else any(free)):
            return False
        self.links.add(link)
        self.sources.add(s)
        self.targets.add(t)
        return True

    def grow(self, union: frozenset[Link], unaligned: Unaligned) -> None:
        """Add neighbors from the union, pass by pass, until there are none.

        Each link is visited once: words never lose a link, so a neighbor that cannot be added
        then cannot be added later.
        """
        this_pass = sorted(self.links)  # sorted, it is a heap
        while this_pass:
            next_pass: list[Link] = []
            while this_pass:
                s, t = heappop(this_pass)
                for near in ((s + ds, t + dt) for ds, dt in NEIGHBORS):
                    if near in union and self.add(near, unaligned):
                        heappush(this_pass if near > (s, t) else next_pass, near)
            this_pass = next_pass


def _mean_weight(forward: WordAlignment, reverse: WordAlignment, pair: Link) -> float:
    return (forward.scores.get(pair, 0.0) + reverse.scores.get(pair, 0.0)) / 2
