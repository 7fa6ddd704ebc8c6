"""The options of a training that are not in its recipe, and the context its parts share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from attn_cli.bundles.bundle import Bundle
from attn_cli.nn.device import Hardware
from attn_cli.training import events
from attn_cli.training.budget import TimeBudget
from attn_cli.training.group import Group
from attn_cli.training.resume import Plan


@dataclass(frozen=True)
class TrainRun:
    """What to train and where: everything that is not in the recipe.

    `plan` was made by `resume.write_plan` or `resume.read_plan`. With `accept_new_data`, text
    that has changed since is trained on. `watch` is a sentence to show at each validation, and the
    target to force upon it or None; with `live` somebody looks at a panel, so that some sentence is
    shown now and then in any case.
    """

    out: Path
    resume: bool = False
    is_continued: bool = False  # a training that was begun before, resumed or begun again
    plan: Plan | None = None
    accept_new_data: bool = False
    start_from: Bundle | None = None
    device: str = "auto"
    threads: int | None = None
    workers: int | None = None
    budget: TimeBudget = field(default_factory=TimeBudget)
    watch: tuple[str, str | None] | None = None
    live: bool = False
    stdin: BinaryIO | None = None


@dataclass(frozen=True)
class Context:
    """The workers of a training, where this one computes, what receives its events and what says
    whether it is to stop."""

    group: Group
    hardware: Hardware
    emit: events.Listener
    interrupted: Callable[[], bool]
