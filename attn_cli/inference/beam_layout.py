"""Which sentence each row of a search belongs to, and how rows stand side by side in sentences.

Knows numpy alone: what every engine has to work out before its network may look at the sources.
"""

from dataclasses import dataclass

import numpy as np

from attn_cli.types import IntArray

#: The share of sentences that must still have a row for the others to be carried along.
CROWDED = 0.75


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """N rows of a search over `sentences` sources; row n belongs to `sentence[n]`."""

    sentence: IntArray
    sentences: int

    @classmethod
    def one_each(cls, sentences: int) -> "Rows":
        """The beginning of a search: a row for each sentence."""
        return cls(np.arange(sentences, dtype=np.int32), sentences)

    def reordered(self, rows: IntArray) -> "Rows":
        """The rows `rows`, in that order, repeated or left out as they come."""
        return Rows(self.sentence[rows], self.sentences)

    def one_for_each(self) -> bool:
        """Whether row n is the one row of sentence n."""
        return len(self.sentence) == self.sentences and bool(
            (self.sentence == np.arange(self.sentences)).all()
        )

    def worth_keeping(self) -> IntArray | None:
        """The sentences that have a row, None where nearly all do: copying costs more then."""
        kept = np.unique(self.sentence)
        return kept.astype(np.int32) if len(kept) < CROWDED * self.sentences else None

    def within(self, kept: IntArray) -> "Rows":
        """The same rows where only the sentences `kept`, ascending, are left."""
        return Rows(np.searchsorted(kept, self.sentence).astype(np.int32), len(kept))

    def places(self) -> tuple[IntArray, IntArray]:
        """Rows as a rectangle of sentences with as many places as the fullest one needs.

        Returns the row in each place (B, Q), 0 in empty ones, and where in the B·Q places each row
        stands (N,).
        """
        count = np.bincount(self.sentence, minlength=self.sentences)
        width = int(count.max())
        order = np.argsort(self.sentence, kind="stable")
        first = np.cumsum(count) - count  # of each sentence, in that order
        place = np.empty(len(order), np.int32)
        place[order] = (
            self.sentence[order] * width + np.arange(len(order)) - first[self.sentence[order]]
        )
        row = np.zeros(self.sentences * width, np.int32)
        row[place] = np.arange(len(order))
        return row.reshape(self.sentences, width), place
