"""Emit the translation of a watched sentence during training."""

from collections.abc import Callable
from typing import Protocol

from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.training import events

#: The largest share of the training time to spend on the watched sentence.
WATCH_SHARE = 0.01


class Watch(Protocol):
    """Translates one sentence with a network."""

    def __call__(self, network: Seq2Seq, step: int) -> events.SentenceTranslated: ...


class SentenceReporter:
    """Emits the event of a `watch`, and measures its seconds by `clock`; does nothing without one.

    The network is in evaluation mode during the translation, and in training mode afterwards.
    """

    def __init__(
        self, watch: Watch | None, *, emit: events.Listener, clock: Callable[[], float]
    ) -> None:
        self.watch, self.emit, self.clock = watch, emit, clock
        self._last_seconds = 0.0

    def report(self, network: Seq2Seq, step: int) -> None:
        """Translate the sentence with the network of update `step`, and emit the event."""
        if self.watch is None:
            return
        start = self.clock()
        network.eval()
        self.emit(self.watch(network, step))
        network.train()
        self._last_seconds = self.clock() - start

    def report_if_affordable(self, network: Seq2Seq, step: int, interval: float) -> None:
        """`report`, if the last one took at most `WATCH_SHARE` of an interval, in seconds."""
        if self._last_seconds <= WATCH_SHARE * interval:
            self.report(network, step)
