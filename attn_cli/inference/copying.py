"""What a search must write exactly once, and what it must not write. Knows candidates, no text.

A sentence ends only when each of its placeholders has been written. A row that would end before, or
that has just enough steps left, writes the next one instead.
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

#: Candidates of a step beyond the beam, in the place of those that may not be written: of a search
#: with placeholders, and of one without, which seldom meets any.
SPARE, SPARE_WITHOUT = 8, 2


@dataclass(frozen=True, eq=False)
class Copying:
    """The placeholders of a vocabulary, and those of B sentences.

    Placeholder n is the piece `first` + n, of which there are `count`. Bit n of `required` (B,) is
    set where the sentence has to write it. `banned` (V,) tells the pieces that no sentence may.
    """

    first: int
    count: int
    required: Bits
    banned: NDArray[np.bool_]

    def next_of(self, unwritten: Bits) -> IntArray:
        """(N,) placeholders left to write → the piece that is due: the first of them, or EOS."""
        lowest = np.log2(np.maximum(unwritten & -unwritten, 1)).astype(np.int32)
        return np.where(unwritten > 0, self.first + lowest, EOS).astype(np.int32)

    def after(self, unwritten: Bits, pieces: IntArray) -> Bits:
        """(N,) placeholders left once these pieces are written too."""
        return unwritten & ~self._bits(pieces)

    def restrict(
        self, out: StepOutput, unwritten: Bits, due: IntArray, steps_left: Bits
    ) -> "Restricted":
        """The candidates of N rows that may be written, `due` (N,) among them where it must be.

        `steps_left` (N,) counts the pieces that a row may still write behind this one.
        """
        assert out.target_logp is not None
        ids, logp = out.ids, out.logp.astype(np.float64)  # (N, C)
        bits = self._bits(ids)
        left = count_bits(unwritten)  # (N,)
        allowed = ~self.banned[ids] & ((bits & ~unwritten[:, None]) == 0)
        allowed &= (ids != EOS) | (left == 0)[:, None]
        forced = (steps_left <= left) | ((ids[:, 0] == EOS) & (left > 0))  # (N,)
        allowed &= ~forced[:, None] | (bits > 0)
        wanted = ~(allowed & (ids == due[:, None])).any(1) & (forced | ~allowed.any(1))
        last = np.where(wanted, out.target_logp.astype(np.float64), -np.inf)
        logp = np.where(allowed, logp, -np.inf)
        return Restricted(np.column_stack([ids, due]), np.column_stack([logp, last]))

    @cached_property
    def never(self) -> NDArray[np.bool_]:
        """(V,) what a row with nothing left to write may not: the banned, and all placeholders."""
        never = self.banned.copy()
        never[self.first : self.first + self.count] = True
        return never

    def _bits(self, ids: IntArray) -> Bits:
        """The bit of each placeholder, 0 for other pieces."""
        numbers = ids.astype(np.int64) - self.first
        inside = (numbers >= 0) & (numbers < self.count)
        return np.where(inside, np.int64(1) << np.where(inside, numbers, 0), 0)


class Restricted(NamedTuple):
    """Candidates (N, C + 1) and their log-probabilities, -inf for those that are not to be."""

    ids: IntArray
    logp: Floats


def count_bits(bits: Bits) -> Bits:
    """How many bits of each number are set."""
    counts = np.zeros_like(bits)
    while bits.any():
        counts += bits & 1
        bits = bits >> 1
    return counts
