"""A clock with nested sections: an inner section stops the outer one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any


class Clock:
    """Seconds and calls of each section, without those of the sections inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._open: list[str] = []
        self._since = perf_counter()

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Count the block as `name`."""
        self._turn()
        self._open.append(name)
        self.calls[name] = self.calls.get(name, 0) + 1
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        now = perf_counter()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now

    def watch(self, owner: Any, name: str, section: str) -> None:
        """Count every later call of that function or method as `section`."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **keywords: Any) -> Any:
            with self.section(section):
                return function(*arguments, **keywords)

        setattr(owner, name, timed)
