"""The pieces that each sentence of a search may use, and columns of scores turned into pieces.

Knows numpy alone: what every engine does before and after its network scores a shortlist.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attn_cli.inference.beam_layout import Rows
from attn_cli.inference.engines.interface import StepOut
from attn_cli.types import PAD, IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """The lists of B sentences: `pieces` (B, L) rise, below 0 behind a sentence's last.

    A network scores their columns. Behind the last piece a column's log-probability is -inf.
    """

    pieces: IntArray

    def of(self, sentences: IntArray) -> "Listing":
        """The lists of these sentences, in that order."""
        return Listing(self.pieces[sentences])

    def columns(self, rows: Rows, pieces: IntArray) -> IntArray:
        """(N,) pieces → the column of each in the list of its row, 0 where it is not there."""
        columns: IntArray = self._where(rows, pieces).argmax(1).astype(np.int32)
        return columns

    def with_pieces(self, found: StepOut, rows: Rows, gold: IntArray | None) -> StepOut:
        """What a step found, with pieces for its columns.

        A column that stands for none is PAD. The log-probability of a piece of `gold` (N,) that is
        not listed is -inf.
        """
        ids = np.maximum(self.pieces[rows.sentence[:, None], found.ids], PAD)  # (N, C)
        gold_logp = found.gold_logp
        if gold is not None and gold_logp is not None:
            there = self._where(rows, gold).any(1)
            gold_logp = np.where(there, gold_logp, np.float32(-np.inf))
        return found._replace(ids=ids, gold_logp=gold_logp)

    def _where(self, rows: Rows, pieces: IntArray) -> NDArray[np.bool_]:
        """(N, L): where the list of a row has its piece."""
        there: NDArray[np.bool_] = self.pieces[rows.sentence] == pieces[:, None]
        return there
