"""Count the updates of the word aligner's training, and measure how long they take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from attn_cli.data.segmentation import SubwordCorpus

#: Target tokens in a batch, padding included.
BATCH_TOKENS = 4_000

#: Epochs, and the number of updates that suffices for any text that fits into them.
EPOCHS, SUFFICIENT_STEPS = 10, 900

#: Updates to measure before the number that fits into the time limit is computed.
PACE_UPDATES = 10

#: The time of a forward pass, as a share of an update's.
FORWARD_SHARE = 0.35


class AlignerPace:
    """Measures the seconds of an update and of relabeling all pairs."""

    def __init__(self, batches: int) -> None:
        self._batches = batches
        self._updates: list[float] = []
        self._relabeling: float | None = None

    @contextmanager
    def time_update(self) -> Iterator[None]:
        """Measure an update."""
        start = time.monotonic()
        yield
        self._updates.append(time.monotonic() - start)
        del self._updates[:-PACE_UPDATES]

    @contextmanager
    def time_relabeling(self) -> Iterator[None]:
        """Measure relabeling."""
        start = time.monotonic()
        yield
        self._relabeling = time.monotonic() - start

    @property
    def is_known(self) -> bool:
        """Whether enough updates have been measured."""
        return len(self._updates) >= PACE_UPDATES

    @property
    def update(self) -> float:
        """Mean seconds of the last updates."""
        return sum(self._updates) / max(1, len(self._updates))

    @property
    def relabeling(self) -> float:
        """Seconds of the last relabeling, or an estimate from the forward passes it needs."""
        if self._relabeling is not None:
            return self._relabeling
        return self._batches * FORWARD_SHARE * self.update


def count_batches(text: SubwordCorpus) -> int:
    """Estimate the number of batches in an epoch."""
    n_pieces = int(text.target_lengths[text.pairs].sum()) + len(text)  # one EOS each
    return max(1, n_pieces // (BATCH_TOKENS * 9 // 10))


def default_steps(text: SubwordCorpus) -> int:
    """Count the updates of `EPOCHS` epochs, at most `SUFFICIENT_STEPS` or 1.5 epochs."""
    epoch = count_batches(text)
    return min(EPOCHS * epoch, max(SUFFICIENT_STEPS, epoch * 3 // 2))
