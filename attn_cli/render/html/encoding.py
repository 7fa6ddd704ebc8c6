"""Encode a table of weights as a short text for a page.

A weight is an integer q in thousandths, rounded down: `q >= 10 * k` holds if and only if the weight
reaches a threshold of k hundredths. Runs of zeros are counted, since most weights are almost 0.

A value q from 1 to 1000 is two symbols, q // 64 and q % 64; a run of n zeros, 1 <= n <= 76, is one,
number n + 15. The symbols are printable ASCII without `"` and `\\`, which JSON escapes, and `<`,
which could end a script element.
"""

import numpy as np

from attn_cli.types import FloatArray

SYMBOLS = "".join(sign for sign in map(chr, range(32, 127)) if sign not in '"\\<')

_HIGH, _LOW = 16, 64
_LONGEST_RUN = len(SYMBOLS) - _HIGH

#: 0.29 in float32 is a little less than 0.29, but has to reach a threshold of 0.29.
_SLACK = 1e-4


def encode_weights(weights: FloatArray) -> str:
    """Encode weights (T, S), 0 to 1, row by row; NaN counts as 0."""
    thousandths = np.floor(np.nan_to_num(weights, nan=0.0).astype(np.float64) * 1000 + _SLACK)
    values = np.clip(thousandths, 0, 1000).astype(np.int64).ravel()  # (T * S,)
    cells = np.flatnonzero(values)
    parts: list[str] = []
    end = 0
    for cell, value in zip(cells.tolist(), values[cells].tolist(), strict=True):
        parts.append(_zeros(cell - end))
        parts.append(SYMBOLS[value // _LOW] + SYMBOLS[value % _LOW])
        end = cell + 1
    return "".join([*parts, _zeros(len(values) - end)])


def _zeros(count: int) -> str:
    """Encode a run of zeros of any length."""
    whole, rest = divmod(count, _LONGEST_RUN)
    return SYMBOLS[-1] * whole + (SYMBOLS[_HIGH + rest - 1] if rest else "")
