"""How a search ranks hypotheses of different lengths (Wu et al. 2016, §7, equation 14)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from attn_cli.types import FloatArray


def length_norm(length: Any, alpha: float) -> Any:
    """lp = ((5 + |Y|) / 6)^α: what a log-probability of |Y| pieces, end included, is divided by."""
    return ((5.0 + length) / 6.0) ** alpha


def coverage(attended: FloatArray, real: NDArray[np.bool_], beta: float) -> FloatArray:
    """cp = β Σ_j log min(Σ_i a_ij, 1) over the real source pieces: never above 0.

    attended (N, S) is the attention each source piece has received so far, real (N, S) the mask.
    A row that has looked nowhere, as that of a network without attention, has no penalty.
    """
    kept = np.where(real, np.clip(attended, 1e-9, 1.0), 1.0)
    penalty: FloatArray = beta * np.log(kept).sum(-1) * attended.any(-1)
    return penalty
