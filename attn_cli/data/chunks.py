"""Cut a sequence of lines into lists, by number and by cost."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

#: Maximum cost of the lines of a chunk: 1,024 lines of 200 characters, or 4 of 8,000.
MAX_CHUNK_COST = 1 << 18

_MAX_TABLE_LENGTH = 8192  # characters of a line that a table may show

T = TypeVar("T")


def cost_of_text(text: str) -> int:
    """Return the share of `MAX_CHUNK_COST` that a line takes: its table grows with its square."""
    return len(text) + len(text) * min(len(text), _MAX_TABLE_LENGTH) // 1024


def chunked(items: Iterable[T | None], size: int, *, cost: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield lists of items, which end after every `size` items of all and at `MAX_CHUNK_COST`.

    The item None ends a list too. The ends depend only on the items since the last multiple of
    `size`, so that parts that begin there are cut as the whole.
    """
    chunk: list[T] = []
    total = count = 0
    for item in items:
        if item is not None:
            chunk.append(item)
            count += 1
            total += cost(item)
        if chunk and (item is None or count % size == 0 or total >= MAX_CHUNK_COST):
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one shorter."""
    remaining = iter(items)
    while group := list(itertools.islice(remaining, size)):
        yield group
