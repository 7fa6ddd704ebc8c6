"""Declares a recipe key: its default, help and bounds."""

from dataclasses import field
from typing import Any

#: Upper bounds of a number whose key declares none: no count or factor that makes sense is larger.
MAX_COUNT, MAX_NUMBER = 10**12, 1e6

#: Upper bounds of the sizes of a network: a matrix of the largest width has 16 GB.
MAX_WIDTH, MAX_VOCABULARY = 1 << 16, 1 << 20


def option(default: Any, help: str, *, low: float | None = None, high: float | None = None) -> Any:
    """Declare a recipe key with its default, its help and its inclusive bounds.

    Without `high` a number has the upper bound of its type above.
    """
    limit = high
    if high is None:
        limit = MAX_COUNT if isinstance(default, int) else MAX_NUMBER
    return field(default=default, metadata={"help": help, "low": low, "high": high, "limit": limit})
