"""Types of command-line options that several benchmarks share."""

import argparse
from collections.abc import Callable, Iterable


def names_of(names: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of names with commas between them, which accepts these names only."""
    accepted = set(names)

    def read(text: str) -> tuple[str, ...]:
        result = tuple(text.split(","))
        if unknown := set(result) - accepted:
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not a system")
        return result

    return read


def whole_numbers(text: str) -> tuple[int, ...]:
    """Parse integers with commas between them."""
    return tuple(map(int, text.split(",")))


def numbers(text: str) -> tuple[float, ...]:
    """Parse numbers with commas between them."""
    return tuple(map(float, text.split(",")))
