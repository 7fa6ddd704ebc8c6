"""Scores become weights: softmax, and two that give exact zeros. Know no attention and no mask.

Each takes scores (…, S) in which what must not be looked at is -inf, and gives a distribution over
the others.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def softmax(scores: Tensor) -> Tensor:
    """(…, S) → (…, S), every weight above 0."""
    return scores.softmax(-1)


def sparsemax(scores: Tensor) -> Tensor:
    """The point of the simplex that is nearest to the scores (Martins & Astudillo 2016, alg. 1)."""
    centred, ordered, rank = _ordered(scores, lowest=-2.0)
    total = ordered.cumsum(-1)
    support = (1 + rank * ordered > total).sum(-1, keepdim=True)  # (…, 1)
    threshold = (total.gather(-1, support - 1) - 1) / support
    return (centred - threshold).clamp(min=0)


def entmax(scores: Tensor) -> Tensor:
    """1.5-entmax, half-way between softmax and sparsemax (Peters et al. 2019, alg. 2)."""
    centred, ordered, rank = _ordered(scores / 2, lowest=-2.0)
    mean = ordered.cumsum(-1) / rank
    spread = rank * ((ordered * ordered).cumsum(-1) / rank - mean * mean)
    root = ((1 - spread) / rank).clamp(min=0).detach().sqrt()
    support = (mean - root <= ordered).sum(-1, keepdim=True) - 1  # (…, 1), the last one's place
    # The root of what was chosen alone: the others' may be that of 0, which has no derivative.
    chosen = ((1 - spread) / rank).gather(-1, support).clamp(min=_SMALLEST).sqrt()
    threshold = mean.gather(-1, support) - chosen
    return (centred - threshold).clamp(min=0).square()


#: What a recipe may name.
NORMALIZERS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": softmax,
    "sparsemax": sparsemax,
    "entmax": entmax,
}

_SMALLEST = 1e-12


def _ordered(scores: Tensor, *, lowest: float) -> tuple[Tensor, Tensor, Tensor]:
    """Scores less their highest, the same in descending order, and ranks from 1.

    A score `lowest` below the highest gets no weight whatever the others are, so nothing has to be
    lower: the sums of -inf would be none.
    """
    centred = (scores - scores.amax(-1, keepdim=True)).clamp(min=lowest)
    ordered = centred.sort(dim=-1, descending=True).values
    rank = torch.ones_like(ordered).cumsum(-1)
    return centred, ordered, rank
