"""Errors that a user can act on, and their exit statuses.

`app` writes the problem and the hint of an `AttnError` and exits with its status.

    AttnError
    ├── UsageError       2   the command line, an option or a recipe is wrong
    ├── DataError        3   text, links or gold alignments that cannot be used
    ├── ModelError       4   a model that is missing, damaged or unsuitable
    ├── TrainingError    5   training cannot continue: NaN, disk full
    └── ClusterError     5   a cluster could not be started, or was lost
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, TypeVar


class ExitStatus(IntEnum):
    """Exit statuses of `attn`."""

    OK = 0
    BUG = 1
    USAGE = 2
    BAD_DATA = 3
    BAD_MODEL = 4
    TRAINING = 5
    INTERRUPTED = 130
    TERMINATED = 143


class AttnError(Exception):
    """An error that the user can act on.

    `problem` says what is wrong and where, `hint` what to do; a final full stop is optional.
    """

    status: ExitStatus = ExitStatus.BUG

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


class UsageError(AttnError):
    """The command line, an option's value or a recipe is wrong."""

    status = ExitStatus.USAGE


class DataError(AttnError):
    """Input text, links or gold alignments that are missing or cannot be used."""

    status = ExitStatus.BAD_DATA


class ModelError(AttnError):
    """A model that is missing, damaged, of a newer format, or unsuitable for the command."""

    status = ExitStatus.BAD_MODEL


class TrainingError(AttnError):
    """Training cannot continue: the loss is NaN, the disk is full."""

    status = ExitStatus.TRAINING


class ClusterError(AttnError):
    """A cluster did not start, or was lost."""

    status = ExitStatus.TRAINING


T = TypeVar("T")


def get_choice(registry: Mapping[Any, T], name: str, what: str) -> T:
    """Return the entry of that name in a registry, such as the scorers or the output formats.

    Raises UsageError for an unknown name; `what` says what it should be: "a scorer".
    """
    if name not in registry:
        raise UsageError(f"{name!r} is not {what}", f"Choose one of {', '.join(registry)}.")
    return registry[name]
