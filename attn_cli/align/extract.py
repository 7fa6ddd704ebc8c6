"""Turns soft weights into hard links, two ways.

Knows nothing of where the weights come from.
"""

import numpy as np
from numpy.typing import NDArray

from attn_cli.values import Links, SoftAlignment


def threshold(alignment: SoftAlignment, minimum: float) -> Links:
    """Every cell whose weight is at least `minimum`, with that weight."""
    return _links(alignment, np.argwhere(alignment.weights >= minimum))


def argmax(alignment: SoftAlignment, minimum: float = 0.0) -> Links:
    """The heaviest source word of each target word, the first of equals, with its weight.

    A target word gets no link where the leftover is heavier still, or where its heaviest weight is
    below `minimum`.
    """
    if not alignment.source:
        return _links(alignment, np.empty((0, 2), dtype=np.intp))
    best = alignment.weights.max(axis=1)  # (T,)
    linked = (best >= alignment.leftover) & (best >= minimum)
    columns = alignment.weights.argmax(axis=1)  # (T,)
    return _links(alignment, np.stack([np.flatnonzero(linked), columns[linked]], axis=1))


def _links(alignment: SoftAlignment, cells: NDArray[np.intp]) -> Links:
    """Links from `cells` (n, 2) of (target, source) indices."""
    weights = {(int(s), int(t)): float(alignment.weights[t, s]) for t, s in cells}
    return Links(frozenset(weights), len(alignment.source), len(alignment.target), weights)
