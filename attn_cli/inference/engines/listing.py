"""The shortlists of the sentences of a search, and the pieces of the columns of their logits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attn_cli.inference.beam_layout import BeamRows
from attn_cli.inference.engines.interface import StepOutput
from attn_cli.types import PAD, IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """The shortlists of B sentences: `pieces` (B, L), ascending, negative after a list's end.

    Column l of the logits is that of piece l; after a list's end its log-probability is -inf.
    """

    pieces: IntArray

    def of(self, sentences: IntArray) -> "Listing":
        """Return the lists of these sentences, in that order."""
        return Listing(self.pieces[sentences])

    def columns(self, rows: BeamRows, pieces: IntArray) -> IntArray:
        """(N,) pieces → the column of each in the list of its row, 0 if it is not listed."""
        columns: IntArray = self._where(rows, pieces).argmax(1).astype(np.int32)
        return columns

    def with_pieces(
        self, output: StepOutput, rows: BeamRows, target: IntArray | None
    ) -> StepOutput:
        """Return the output of a step with pieces in place of columns.

        Columns after the end of a list become PAD. The log-probability of a `target` (N,) piece
        outside of its list is -inf.
        """
        ids = np.maximum(self.pieces[rows.sentence[:, None], output.ids], PAD)  # (N, C)
        target_logp = output.target_logp
        if target is not None and target_logp is not None:
            is_listed = self._where(rows, target).any(1)
            target_logp = np.where(is_listed, target_logp, np.float32(-np.inf))
        return output._replace(ids=ids, target_logp=target_logp)

    def _where(self, rows: BeamRows, pieces: IntArray) -> NDArray[np.bool_]:
        """(N, L): where the list of a row has its piece."""
        is_piece: NDArray[np.bool_] = self.pieces[rows.sentence] == pieces[:, None]
        return is_piece
