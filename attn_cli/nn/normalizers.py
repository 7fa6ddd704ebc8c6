"""Normalizers: from energies to attention weights. Softmax, sparsemax and 1.5-entmax.

Each takes energies (…, S), -inf at masked positions, and returns weights (…, S) that sum to 1, 0 at
masked positions.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def softmax(energies: Tensor) -> Tensor:
    """(…, S) → (…, S): exp(e_j) / Σ_k exp(e_k), positive wherever the energy is not -inf."""
    return energies.softmax(-1)


def sparsemax(energies: Tensor) -> Tensor:
    """(…, S) → (…, S): the nearest point of the simplex (Martins & Astudillo 2016, alg. 1)."""
    centered, ordered, rank = _sort_energies(energies, lowest=-2.0)
    total = ordered.cumsum(-1)
    support = (1 + rank * ordered > total).sum(-1, keepdim=True)  # (…, 1)
    threshold = (total.gather(-1, support - 1) - 1) / support
    return (centered - threshold).clamp(min=0)


def entmax(energies: Tensor) -> Tensor:
    """(…, S) → (…, S): 1.5-entmax, between softmax and sparsemax (Peters et al. 2019, alg. 2)."""
    centered, ordered, rank = _sort_energies(energies / 2, lowest=-2.0)
    mean = ordered.cumsum(-1) / rank
    spread = rank * ((ordered * ordered).cumsum(-1) / rank - mean * mean)
    root = ((1 - spread) / rank).clamp(min=0).detach().sqrt()
    support = (mean - root <= ordered).sum(-1, keepdim=True) - 1  # (…, 1), index of the last one
    # sqrt only at the support: its gradient at 0 is infinite.
    deviation = ((1 - spread) / rank).gather(-1, support).clamp(min=_EPSILON).sqrt()
    threshold = mean.gather(-1, support) - deviation
    return (centered - threshold).clamp(min=0).square()


#: Normalizers by the names of the recipe.
NORMALIZERS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": softmax,
    "sparsemax": sparsemax,
    "entmax": entmax,
}

_EPSILON = 1e-12


def _sort_energies(energies: Tensor, *, lowest: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the energies minus their maximum, the same in descending order, and ranks from 1.

    Differences are clamped at `lowest`, where the weight is 0 already, since sums of -inf are NaN.
    """
    centered = (energies - energies.amax(-1, keepdim=True)).clamp(min=lowest)
    ordered = centered.sort(dim=-1, descending=True).values
    rank = torch.ones_like(ordered).cumsum(-1)
    return centered, ordered, rank
