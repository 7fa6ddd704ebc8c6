"""The decisions before an update, made by the main worker and followed by all workers."""

from dataclasses import astuple, fields
from typing import NamedTuple

from attn_cli.training.budget import Schedule
from attn_cli.training.group import Group

#: The reasons to stop a training; "" to continue.
REASONS = ("", "interrupted", "steps", "minutes", "patience")


class Decision(NamedTuple):
    """The main worker's decision before an update of the network.

    `stop` is one of `REASONS`, `save` whether to save a checkpoint, `schedule` a new schedule.
    """

    stop: str
    save: bool = False
    schedule: Schedule | None = None


def synchronize(decision: Decision, group: Group) -> Decision:
    """Return the main worker's decision, or that to stop if any worker is interrupted."""
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


class AlignerDecision(NamedTuple):
    """The main worker's decision before an update of the word aligner.

    `interrupted` if any worker is, `too_slow` if too few updates fit into the time limit.
    """

    interrupted: bool
    too_slow: bool
    save: bool
    max_steps: int


def synchronize_aligner(decision: AlignerDecision, group: Group) -> AlignerDecision:
    """Return the main worker's decision; it is `interrupted` if any worker's is."""
    if group.size == 1:
        return decision
    from_main = list(map(float, decision[1:])) if group.is_main else [0.0] * 3
    interrupted, too_slow, save, max_steps = group.sum([decision.interrupted, *from_main])
    return AlignerDecision(bool(interrupted), bool(too_slow), bool(save), int(max_steps))
