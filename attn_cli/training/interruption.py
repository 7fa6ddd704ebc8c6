"""Interrupt long work by an exception between two of its batches."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Interrupted(Exception):  # noqa: N818 - not an error
    """The user has interrupted the training."""


def until_interrupted(interrupted: Callable[[], bool], items: Iterable[T]) -> Iterator[T]:
    """Yield the items; raise Interrupted before the next item if `interrupted()`."""
    for item in items:
        if interrupted():
            raise Interrupted
        yield item
