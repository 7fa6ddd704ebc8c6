"""The length and coverage penalties of beam search (Wu et al. 2016, §7, equation 14)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from attn_cli.types import FloatArray


def length_norm(length: Any, alpha: float) -> Any:
    """Return lp = ((5 + |Y|) / 6)^α, the divisor of a log-probability of |Y| pieces with EOS."""
    return ((5.0 + length) / 6.0) ** alpha


def coverage(attention: FloatArray, mask: NDArray[np.bool_], beta: float) -> FloatArray:
    """Return cp (N,) = β Σ_j log min(Σ_i a_ij, 1) over the source pieces, at most 0.

    `attention` (N, S) is the sum over target pieces of the attention weights of each source piece,
    `mask` (N, S) is False at padding. A row without attention has no penalty.
    """
    covered = np.where(mask, np.clip(attention, 1e-9, 1.0), 1.0)
    penalty: FloatArray = beta * np.log(covered).sum(-1) * attention.any(-1)
    return penalty
