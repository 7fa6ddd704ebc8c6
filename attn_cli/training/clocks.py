"""Measure the time and the throughput of a training."""

from collections.abc import Callable


class Clock:
    """Seconds of training, including those before a resume."""

    def __init__(self, before: float, now: Callable[[], float]) -> None:
        self._now, self._start = now, now() - before

    def seconds(self) -> float:
        """Return the seconds so far."""
        return self._now() - self._start


class Throughput:
    """Target pieces per second since `restart`, without the `paused` seconds of validations."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.restart()

    def restart(self) -> None:
        """Start a new measurement."""
        self.tokens, self.paused, self._start = 0, 0.0, self._now()

    def seconds(self) -> float:
        """Return the seconds of this measurement."""
        return max(1e-9, self._now() - self._start - self.paused)

    def tokens_per_second(self) -> float:
        """Return the target pieces per second."""
        return self.tokens / self.seconds()
