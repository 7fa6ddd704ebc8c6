"""The options of a training outside its recipe, and the context that its parts share."""

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
    """The options of a training that its recipe does not have.

    `plan` comes from `resume.write_plan` or `resume.read_plan`. `accept_new_data` permits text that
    has changed since. `watch` is a source sentence to translate at each validation, and its target
    for forced decoding or None; with `live`, for a panel, a validation sentence is the default.
    """

    out: Path
    resume: bool = False
    is_continued: bool = False  # of a training started before, resumed or restarted
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
    """The workers of a training, this worker's hardware, the listener, the check for a stop."""

    group: Group
    hardware: Hardware
    emit: events.Listener
    interrupted: Callable[[], bool]
