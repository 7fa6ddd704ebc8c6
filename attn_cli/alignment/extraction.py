"""Extract hard links from a soft alignment, by four methods.

The score of a link is its probability if the table has one, else the weight of its cell
(`SoftAlignment.link_scores`). `threshold` and every `minimum` compare scores; the largest cell of a
row or a column is that of the largest weight.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from attn_cli.choices import Extraction
from attn_cli.errors import get_choice
from attn_cli.types import FloatArray, SoftAlignment, WordAlignment

#: Minimum score of a link for `threshold`, by default. The AER of a word aligner is the same from
#: 0.3 to 0.5 on Hansards en-fr.dev; on the demo corpus 0.3 is best, also for attention.
DEFAULT_THRESHOLD = 0.3

#: Itermax: the factor of a cell one of whose words has a link, and the number of rounds.
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
    """Return every cell whose score is at least `minimum`."""
    return _links(alignment, np.argwhere(alignment.link_scores >= minimum))


def argmax(alignment: SoftAlignment, minimum: float = 0.0) -> WordAlignment:
    """Return the source word of the largest weight for each target word, the first of equals.

    A target word has no link if its unaligned share is larger, or the link's score is below
    `minimum`.
    """
    if not alignment.source:
        return _links(alignment, np.empty((0, 2), dtype=np.intp))
    best = alignment.weights.max(axis=1)  # (T,)
    columns = alignment.weights.argmax(axis=1)  # (T,)
    is_scored = alignment.link_scores[np.arange(len(columns)), columns] >= minimum  # (T,)
    linked = (best >= alignment.unaligned) & is_scored
    return _links(alignment, np.stack([np.flatnonzero(linked), columns[linked]], axis=1))


def mutual(alignment: SoftAlignment, minimum: float = 0.0) -> WordAlignment:
    """Return the links of `argmax` whose weight is also the largest of its source word.

    So every word has at most one link (the Argmax of Jalili Sabet et al. 2020, section 3.2).
    """
    cells = _mutual(alignment.weights, alignment.unaligned) & (alignment.link_scores >= minimum)
    return _links(alignment, np.argwhere(cells))


def itermax(alignment: SoftAlignment, minimum: float = 0.0) -> WordAlignment:
    """Return the links of `mutual`, then those of further rounds over the rest (`ROUNDS` in all).

    After the first round a weight is multiplied by 1 if neither of its words has a link, by `ALPHA`
    if one has, and by 0 if both have (Itermax of Jalili Sabet et al. 2020, section 3.2). So words
    without a link may get one, and some words have two.
    """
    is_scored = alignment.link_scores >= minimum  # (T, S)
    linked = np.zeros(is_scored.shape, dtype=np.bool_)
    for _ in range(ROUNDS):
        targets = linked.any(axis=1, keepdims=True)  # (T, 1)
        sources = linked.any(axis=0, keepdims=True)  # (1, S)
        share = np.where(targets & sources, 0.0, np.where(targets | sources, ALPHA, 1.0))
        linked |= is_scored & _mutual(alignment.weights * share, alignment.unaligned)
    return _links(alignment, np.argwhere(linked))


#: Extractions by their names: (alignment, minimum score of a link) → links.
EXTRACTIONS: dict[str, Callable[[SoftAlignment, float], WordAlignment]] = {
    "threshold": threshold,
    "argmax": argmax,
    "mutual": mutual,
    "itermax": itermax,
}


def _mutual(weights: FloatArray | NDArray[np.float64], unaligned: FloatArray) -> NDArray[np.bool_]:
    """Return (T, S) whether a cell is above 0, the largest of its row and of its column (the first
    of equals), and at least the row's unaligned share."""
    cells = np.zeros(weights.shape, dtype=np.bool_)
    if not weights.size:
        return cells
    rows = np.arange(len(weights))  # (T,)
    columns = weights.argmax(axis=1)  # (T,)
    best = weights[rows, columns]  # (T,)
    chosen = (weights.argmax(axis=0)[columns] == rows) & (best >= unaligned) & (best > 0)
    cells[rows[chosen], columns[chosen]] = True
    return cells


def _links(alignment: SoftAlignment, cells: NDArray[np.intp]) -> WordAlignment:
    """Return links from `cells` (n, 2) of (target, source) indices."""
    weights = {(int(s), int(t)): float(alignment.link_scores[t, s]) for t, s in cells}
    return WordAlignment(frozenset(weights), len(alignment.source), len(alignment.target), weights)
