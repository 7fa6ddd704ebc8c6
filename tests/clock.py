"""A clock that changes only when a test changes it."""


class Clock:
    """Stands for a function such as `time.monotonic`, and for the module `time` itself."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now  # in seconds

    def __call__(self) -> float:
        return self.now

    monotonic = __call__
