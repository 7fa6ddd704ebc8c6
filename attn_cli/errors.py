"""Every failure the program knows by name, and the exit status each one ends with.

Knows nothing of terminals: `app` turns an `AttnError` into its sentence, its hint and its status.

    AttnError
    ├── UsageError       2   the command line, an option or a recipe is wrong
    ├── DataError        3   text, links or gold that cannot be used as they are
    ├── ModelError       4   a model that is missing, damaged, or unfit for what was asked
    ├── TrainingError    5   training could not go on: not a number, disk full
    └── ClusterError     5   a cluster could not be started, or was lost
"""

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a script may rely on (httpie `status.py` taught us to make it an enum)."""

    OK = 0
    BUG = 1
    USAGE = 2
    BAD_DATA = 3
    BAD_MODEL = 4
    TRAINING = 5
    INTERRUPTED = 130
    TERMINATED = 143


class AttnError(Exception):
    """A failure the user can act on: one sentence saying what and where, one saying what to do.

    `problem` and `hint` are whole sentences without a final full stop needed; neither holds a
    traceback or a type name.
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
    """Input text, links or gold alignments that are missing or cannot be used as they are."""

    status = ExitStatus.BAD_DATA


class ModelError(AttnError):
    """A model that is missing, damaged, of a newer format, or unfit for what was asked of it."""

    status = ExitStatus.BAD_MODEL


class TrainingError(AttnError):
    """Training could not go on: the loss is not a number, the disk is full."""

    status = ExitStatus.TRAINING


class ClusterError(AttnError):
    """A cluster does not start, or was lost at work."""

    status = ExitStatus.TRAINING
