"""How work that takes long is left: by an exception between two of its batches."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """Training is to stop before the work at hand is done."""


def until_interrupted(interrupted: Callable[[], bool], items: Iterable[T]) -> Iterator[T]:
    """The items, one after another. Raises Interrupted in place of the next one."""
    for item in items:
        if interrupted():
            raise Interrupted
        yield item
