"""The state of a training without tensors and without its position in the text."""

from dataclasses import dataclass, field
from typing import Any

from attn_cli.config import TrainConfig
from attn_cli.training.budget import Schedule
from attn_cli.training.early_stopping import ValidationResult
from attn_cli.training.gradients import Losses


@dataclass
class TrainerState:
    """The state of a training without tensors, saved as JSON in a checkpoint."""

    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    history: list[ValidationResult] = field(default_factory=list)
    best: ValidationResult | None = None  # of the bundle: a validation or an average
    published: bool = False
    loss_sum: float = 0.0
    loss_count: int = 0
    guided_sum: float = 0.0  # over the pieces that were guided
    guided_pieces: int = 0
    reward: float | None = None  # the baseline of hard attention
    schedule: Schedule | None = None  # with a time limit
    finished: str = ""

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> "TrainerState":
        """From the JSON of a checkpoint."""
        history = [ValidationResult(**row) for row in facts["history"]]
        best = ValidationResult(**facts["best"]) if facts.get("best") else None
        schedule = Schedule(**facts["schedule"]) if facts.get("schedule") else None
        return cls(**{**facts, "history": history, "best": best, "schedule": schedule})

    def count(self, losses: Losses) -> None:
        """Add the losses of an update to the interval since `reset_interval`."""
        self.loss_sum += losses.translation
        self.loss_count += 1
        self.guided_sum += losses.guided
        self.guided_pieces += int(losses.guided_pieces)

    def reset_interval(self) -> None:
        """Start a new interval."""
        self.loss_sum, self.loss_count = 0.0, 0
        self.guided_sum, self.guided_pieces = 0.0, 0

    def restore_schedule(self, settings: TrainConfig, *, limited: bool) -> None:
        """Adapt the saved schedule to `settings.max_steps`, and a time limit if `limited`."""
        planned, limit = self.schedule, settings.max_steps
        if planned is None:
            return
        is_new = planned.limit != limit
        if self.step >= planned.last and (is_new or limited):
            self.schedule = None  # used up
        elif is_new:
            every = settings.validate_every
            self.schedule = planned.replan(self.step, limit, every=every, limit=limit)

    @property
    def is_validated(self) -> bool:
        """Whether the current network has been validated."""
        return bool(self.history) and self.history[-1].step == self.step

    def is_due(self, schedule: Schedule) -> bool:
        """Whether to validate the current network."""
        validated = self.history[-1].step if self.history else 0
        is_last = self.step == schedule.last
        return self.step > 0 and (self.step - validated >= schedule.every or is_last)
