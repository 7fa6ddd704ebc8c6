"""Types of command-line options that several benchmarks have."""

import argparse
from collections.abc import Callable, Iterable


def some_of(names: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """What reads some of these names, with commas between them."""
    known = set(names)

    def read(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := set(chosen) - known:
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not a system")
        return chosen

    return read


def whole_numbers(text: str) -> tuple[int, ...]:
    """Integers with commas between them."""
    return tuple(map(int, text.split(",")))


def numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them."""
    return tuple(map(float, text.split(",")))
