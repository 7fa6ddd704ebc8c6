"""Constrain a search to write each placeholder of a sentence exactly once.

A hypothesis ends only after each of its placeholders. A row that would end before, or that has just
enough steps left, writes the next placeholder instead.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.inference.engines.interface import StepOutput
from attn_cli.types import EOS, IntArray

Bits = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Candidates of a step beyond the beam, to replace forbidden ones: of a search with placeholders,
#: and of one without, where forbidden candidates are rare.
EXTRA_CANDIDATES, EXTRA_CANDIDATES_WITHOUT = 8, 2


@dataclass(frozen=True, eq=False)
class Copying:
    """The placeholders of a vocabulary, and those of B sentences.

    Placeholder n, from 0 to `count` - 1, is the piece `first` + n. Bit n of `required` (B,) is set
    if the sentence has to contain it. `banned` (V,) marks pieces that no sentence may contain.
    """

    first: int
    count: int
    required: Bits
    banned: NDArray[np.bool_]

    def next_of(self, unwritten: Bits) -> IntArray:
        """(N,) unwritten placeholders → the first of them as a piece, or EOS (N,)."""
        lowest = np.log2(np.maximum(unwritten & -unwritten, 1)).astype(np.int32)
        return np.where(unwritten > 0, self.first + lowest, EOS).astype(np.int32)

    def after(self, unwritten: Bits, pieces: IntArray) -> Bits:
        """(N,) unwritten placeholders, (N,) pieces → (N,) the placeholders after these pieces."""
        return unwritten & ~self._bits(pieces)

    def restrict(
        self, out: StepOutput, unwritten: Bits, due: IntArray, steps_left: Bits
    ) -> "Restricted":
        """Return the allowed candidates of N rows, with `due` (N,) where it is required.

        `steps_left` (N,) is the number of pieces that a row can write after this one.
        """
        assert out.target_logp is not None
        ids, logp = out.ids, out.logp.astype(np.float64)  # (N, C)
        bits = self._bits(ids)
        left = count_bits(unwritten)  # (N,)
        allowed = ~self.banned[ids] & ((bits & ~unwritten[:, None]) == 0)
        allowed &= (ids != EOS) | (left == 0)[:, None]
        forced = (steps_left <= left) | ((ids[:, 0] == EOS) & (left > 0))  # (N,)
        allowed &= ~forced[:, None] | (bits > 0)
        must_add = ~(allowed & (ids == due[:, None])).any(1) & (forced | ~allowed.any(1))
        last = np.where(must_add, out.target_logp.astype(np.float64), -np.inf)
        logp = np.where(allowed, logp, -np.inf)
        return Restricted(np.column_stack([ids, due]), np.column_stack([logp, last]))

    @cached_property
    def banned_when_complete(self) -> NDArray[np.bool_]:
        """(V,) pieces banned in a row without unwritten placeholders, all placeholders included."""
        banned = self.banned.copy()
        banned[self.first : self.first + self.count] = True
        return banned

    def _bits(self, ids: IntArray) -> Bits:
        """Return the bit of each placeholder, 0 for other pieces."""
        numbers = ids.astype(np.int64) - self.first
        inside = (numbers >= 0) & (numbers < self.count)
        return np.where(inside, np.int64(1) << np.where(inside, numbers, 0), 0)


class Restricted(NamedTuple):
    """Candidates (N, C + 1) and their log-probabilities, -inf of forbidden ones."""

    ids: IntArray
    logp: Floats


def count_bits(bits: Bits) -> Bits:
    """Return the number of set bits of each number."""
    counts = np.zeros_like(bits)
    while bits.any():
        counts += bits & 1
        bits = bits >> 1
    return counts
