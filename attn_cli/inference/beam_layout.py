"""The sentence of each row of a search, and the layout of the rows as a rectangle."""

from dataclasses import dataclass

import numpy as np

from attn_cli.types import IntArray

#: Sentences without rows are dropped once less than this fraction of all has rows.
COMPACT_BELOW = 0.75


@dataclass(frozen=True, eq=False, slots=True)
class BeamRows:
    """N rows of a search over `sentences` sources; row n belongs to `sentence[n]`."""

    sentence: IntArray
    sentences: int

    @classmethod
    def initial(cls, sentences: int) -> "BeamRows":
        """Return the rows at the start of a search, one for each sentence."""
        return cls(np.arange(sentences, dtype=np.int32), sentences)

    def reordered(self, rows: IntArray) -> "BeamRows":
        """Select the rows `rows`, in that order, with repetitions."""
        return BeamRows(self.sentence[rows], self.sentences)

    def is_identity(self) -> bool:
        """Return whether row n is the only row of sentence n."""
        return len(self.sentence) == self.sentences and bool(
            (self.sentence == np.arange(self.sentences)).all()
        )

    def live_sentences(self) -> IntArray | None:
        """Return the sentences with rows, or None if these are `COMPACT_BELOW` or more of all."""
        live = np.flatnonzero(np.bincount(self.sentence))  # np.unique would import numpy.ma
        return live.astype(np.int32) if len(live) < COMPACT_BELOW * self.sentences else None

    def restrict_to(self, live: IntArray) -> "BeamRows":
        """Drop all sentences except `live`, ascending, and renumber these."""
        return BeamRows(np.searchsorted(live, self.sentence).astype(np.int32), len(live))

    def layout(self) -> tuple[IntArray, IntArray]:
        """Lay the rows out as B sentences with Q slots, the most rows of a sentence.

        Returns the row in each slot (B, Q), 0 in empty ones, and the slot of each row (N,), from 0
        to B·Q - 1.
        """
        count = np.bincount(self.sentence, minlength=self.sentences)
        width = int(count.max())
        order = np.argsort(self.sentence, kind="stable")
        first = np.cumsum(count) - count  # of each sentence, in that order
        slot_of_row = np.empty(len(order), np.int32)
        slot_of_row[order] = (
            self.sentence[order] * width + np.arange(len(order)) - first[self.sentence[order]]
        )
        row_at_slot = np.zeros(self.sentences * width, np.int32)
        row_at_slot[slot_of_row] = np.arange(len(order))
        return row_at_slot.reshape(self.sentences, width), slot_of_row
