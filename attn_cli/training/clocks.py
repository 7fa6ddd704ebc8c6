"""The time that training takes, and how fast it is."""

from collections.abc import Callable


class Clock:
    """Seconds spent training, those before a resume included."""

    def __init__(self, before: float, now: Callable[[], float]) -> None:
        self._now, self._start = now, now() - before

    def seconds(self) -> float:
        return self._now() - self._start


class Throughput:
    """Target pieces a second since the last report, validations left out."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.restart()

    def restart(self) -> None:
        self.tokens, self.paused, self._start = 0, 0.0, self._now()

    def seconds(self) -> float:
        return max(1e-9, self._now() - self._start - self.paused)

    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds()
