"""What comes between two updates, decided by the main worker and followed by all."""

from dataclasses import astuple, fields
from typing import NamedTuple

from attn_cli.training.budget import Schedule
from attn_cli.training.group import Group

#: Why a training stops; "" while it goes on.
REASONS = ("", "interrupted", "steps", "minutes", "patience")


class Decision(NamedTuple):
    """What comes between two updates, as the main worker decides it: plain values.

    `stop` is one of `REASONS`, `save` whether the state is to be saved, `schedule` a new one.
    """

    stop: str
    save: bool = False
    schedule: Schedule | None = None


def synchronize(decision: Decision, group: Group) -> Decision:
    """What all workers do next: what the main worker decides, or stop where one of them is
    interrupted."""
    if group.size == 1:
        return decision
    plan = [0.0] * len(fields(Schedule))
    if decision.schedule is not None:
        plan = [float(value) for value in astuple(decision.schedule)]
    sent = [float(REASONS.index(decision.stop)), float(decision.save), *plan]
    if not group.is_main:
        sent = [0.0] * len(sent)
    stopped = float(decision.stop == "interrupted")
    interrupted, stop, saving, *plan = group.sum([stopped, *sent])
    return Decision(
        "interrupted" if interrupted else REASONS[int(stop)],
        bool(saving),
        Schedule.from_values(plan) if plan[0] else None,
    )
