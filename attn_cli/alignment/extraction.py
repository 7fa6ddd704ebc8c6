"""Extract hard links from a soft alignment, by four methods.

What a link weighs is its probability where the table
knows it, and else the cell's weight (`SoftAlignment.link_scores`): `threshold` and every `minimum`
go by that, while who is the heaviest of a row or a column is read off the weights.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from attn_cli.choices import Extraction
from attn_cli.errors import get_choice
from attn_cli.types import FloatArray, SoftAlignment, WordAlignment

#: The least weight of a link for `threshold`, unless one is given. A word aligner is as good
#: from 0.3 to 0.5 on Hansards en-fr.dev and best at 0.3 on the demo corpus; so is attention there.
DEFAULT_THRESHOLD = 0.3

#: Itermax: what a cell counts for when one of its words has a link, and how often it looks.
ALPHA, ROUNDS = 0.9, 2


def extract(
    alignment: SoftAlignment, method: Extraction = "threshold", minimum: float | None = None
) -> WordAlignment:
    """Return the links of a matrix by a method, each with its score, which is at least `minimum`.

    Without a `minimum`, `threshold` takes `DEFAULT_THRESHOLD` and the others 0. Raises UsageError
    for an unknown method.
    """
    extract_links = get_choice(EXTRACTIONS, method, "an extraction")
    default = DEFAULT_THRESHOLD if method == "threshold" else 0.0
    return extract_links(alignment, default if minimum is None else minimum)


def threshold(alignment: SoftAlignment, minimum: float) -> WordAlignment:
    """Every cell whose weight is at least `minimum`, with that weight."""
    return _links(alignment, np.argwhere(alignment.link_scores >= minimum))


def argmax(alignment: SoftAlignment, minimum: float = 0.0) -> WordAlignment:
    """The heaviest source word of each target word, the first of equals, with its weight.

    A target word gets no link if its unaligned share is larger, or its largest weight is below
    `minimum`.
    """
    if not alignment.source:
        return _links(alignment, np.empty((0, 2), dtype=np.intp))
    best = alignment.weights.max(axis=1)  # (T,)
    columns = alignment.weights.argmax(axis=1)  # (T,)
    heavy = alignment.link_scores[np.arange(len(columns)), columns] >= minimum  # (T,)
    linked = (best >= alignment.unaligned) & heavy
    return _links(alignment, np.stack([np.flatnonzero(linked), columns[linked]], axis=1))


def mutual(alignment: SoftAlignment, minimum: float = 0.0) -> WordAlignment:
    """The links of `argmax` whose target word is also the heaviest of its source word.

    So every word has at most one link (the Argmax of Jalili Sabet et al. 2020, section 3.2).
    """
    cells = _mutual(alignment.weights, alignment.unaligned) & (alignment.link_scores >= minimum)
    return _links(alignment, np.argwhere(cells))


def itermax(alignment: SoftAlignment, minimum: float = 0.0) -> WordAlignment:
    """The links of `mutual`, then those of another look at what they leave (`ROUNDS` in all).

    In the second look a weight counts whole where neither of its words has a link, times `ALPHA`
    where one has, and not at all where both have (Itermax of Jalili Sabet et al. 2020, section
    3.2). So words without a partner may find one, and some words have two.
    """
    heavy = alignment.link_scores >= minimum  # (T, S)
    linked = np.zeros(heavy.shape, dtype=np.bool_)
    for _ in range(ROUNDS):
        targets = linked.any(axis=1, keepdims=True)  # (T, 1)
        sources = linked.any(axis=0, keepdims=True)  # (1, S)
        share = np.where(targets & sources, 0.0, np.where(targets | sources, ALPHA, 1.0))
        linked |= heavy & _mutual(alignment.weights * share, alignment.unaligned)
    return _links(alignment, np.argwhere(linked))


#: Extractions by their names: (alignment, minimum score of a link) → links.
EXTRACTIONS: dict[str, Callable[[SoftAlignment, float], WordAlignment]] = {
    "threshold": threshold,
    "argmax": argmax,
    "mutual": mutual,
    "itermax": itermax,
}


def _mutual(weights: FloatArray | NDArray[np.float64], unaligned: FloatArray) -> NDArray[np.bool_]:
    """(T, S): where a cell above 0 is the heaviest of its row and of its column, the first of
    equals, and no lighter than the row's unaligned share."""
    found = np.zeros(weights.shape, dtype=np.bool_)
    if not weights.size:
        return found
    rows = np.arange(len(weights))  # (T,)
    columns = weights.argmax(axis=1)  # (T,)
    best = weights[rows, columns]  # (T,)
    chosen = (weights.argmax(axis=0)[columns] == rows) & (best >= unaligned) & (best > 0)
    found[rows[chosen], columns[chosen]] = True
    return found


def _links(alignment: SoftAlignment, cells: NDArray[np.intp]) -> WordAlignment:
    """Links from `cells` (n, 2) of (target, source) indices."""
    weights = {(int(s), int(t)): float(alignment.link_scores[t, s]) for t, s in cells}
    return WordAlignment(frozenset(weights), len(alignment.source), len(alignment.target), weights)
