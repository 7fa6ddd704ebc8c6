"""Fit the schedule of a training into a limit of wall time.

Imports no torch. Tests replace the clock.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from attn_cli.config import TrainConfig

#: The share of the time left after reading the text for word links and word aligner together.
ALIGNER_SHARE = 0.3

#: The share of that time for the links if a word aligner is trained on them.
LINKS_SHARE = 0.6

#: The word aligner is skipped if it has fewer seconds than this.
MIN_ALIGNER_SECONDS = 5.0

#: Seconds from the end of a training to the exit of its process.
EXIT_SECONDS = 1.0

#: Seconds of an export: constant, and for each million parameters.
EXPORT_SECONDS, EXPORT_SECONDS_PER_MILLION = 3.0, 0.3

#: Seconds of calibrating the confidence, in validations.
CALIBRATION_VALIDATIONS = 1.0

#: Until a validation has been measured, it counts as this many updates.
VALIDATION_UPDATES = 12.0

#: The first validation comes after this share of the time at the latest, to measure it early.
FIRST_VALIDATION_SHARE = 0.25

#: The speed is first measured after this many seconds or this share of the time left. The first
#: updates are excluded, since they initialize. A measurement spans at least this many updates.
FIRST_MEASURE_SECONDS, FIRST_MEASURE_SHARE, SETUP_UPDATES, MIN_MEASURED_UPDATES = 10.0, 0.03, 2, 3

#: The time between later measurements: this share of the limit, or of the time left.
REPLAN_SHARE, LATE_REPLAN_SHARE = 0.05, 0.2

#: A schedule is kept if a new one would move its end by less than this share of the updates left,
#: or if it exceeds the limit by less than this share.
TOLERANCE = 0.02

#: The fewest validations with a time limit, if they take at most this share of the time.
MIN_VALIDATIONS, VALIDATION_SHARE = 8, 0.1

#: The longest warm-up, as a share of all updates.
WARMUP_SHARE = 0.1


@dataclass(frozen=True)
class TimeBudget:
    """The wall time of a command, from the start of its process to its exit.

    `started` is a time of `clock`; `max_seconds` is infinite without a limit.
    """

    max_seconds: float = math.inf
    started: float = field(default_factory=time.monotonic)
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def from_minutes(cls, minutes: float | None, started: float) -> "TimeBudget":
        """Return a limit of `minutes` from `started`, a `time.monotonic`; None for no limit."""
        return cls(math.inf if minutes is None else 60.0 * minutes, started)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self.max_seconds)

    def elapsed(self) -> float:
        """Seconds since the command started."""
        return self.clock() - self.started

    def left(self) -> float:
        """Seconds until the limit, negative after it."""
        return self.max_seconds - self.elapsed()


@dataclass(frozen=True)
class Schedule:
    """The last update, and the course of the learning rate until then.

    The rate rises until update `warmup` and decays until update `last`. A schedule made at update
    `start` continues the former rate: `risen` is the share of the highest rate that it had in the
    warm-up, `fallen` the share of the decay behind it. `limit` is `train.max_steps` at that time,
    `every` the updates between two validations.
    """

    last: int
    warmup: int
    every: int
    limit: int
    start: int = 0
    risen: float = 0.0
    fallen: float = 0.0

    @classmethod
    def from_values(cls, values: Sequence[float]) -> "Schedule":
        """Return the schedule with these values of its fields, in order."""
        last, warmup, every, limit, start = map(int, values[:5])
        return cls(last, warmup, every, limit, start, *values[5:])

    def warmup_factor(self, step: int) -> float:
        """Return the share of the highest rate at update `step` (from 1); 1 after the warm-up."""
        if step >= self.warmup:
            return 1.0
        done = (step - self.start) / (self.warmup - self.start)
        return self.risen + (1.0 - self.risen) * done

    def decay_progress(self, step: int) -> float:
        """Return the share of the decay behind update `step`, up to 1 at `last`."""
        begin = max(self.start, self.warmup)
        if step <= begin:
            return self.fallen
        done = min(1.0, (step - begin) / max(1, self.last - begin))
        return self.fallen + (1.0 - self.fallen) * done

    @classmethod
    def from_config(cls, settings: TrainConfig) -> "Schedule":
        """Return the schedule of a recipe without a time limit."""
        last = settings.max_steps
        return cls(last, settings.warmup_steps, settings.validate_every, limit=last)

    def replan(self, step: int, last: int, *, every: int, limit: int) -> "Schedule":
        """Return a schedule that ends with update `last` and continues the rate of `step`.

        The warm-up is shortened to `WARMUP_SHARE` of all updates if that is less, but never ends
        immediately.
        """
        warmup = self.warmup
        if step < warmup:
            warmup = min(warmup, max(step + step // 4 + 1, round(WARMUP_SHARE * last)))
        return Schedule(
            last,
            warmup,
            every,
            limit,
            start=step,
            risen=self.warmup_factor(step),
            fallen=self.decay_progress(step),
        )


@dataclass(frozen=True)
class Pace:
    """Measured seconds of an update and of a validation."""

    update: float
    validation: float


def seconds_to_finish(pace: Pace, parameters: int, *, average: bool, export: bool) -> float:
    """Estimate the seconds from the last validation to the exit: averaging, export, calibration."""
    seconds = EXIT_SECONDS + CALIBRATION_VALIDATIONS * pace.validation
    if average:
        seconds += pace.validation
    if export:
        seconds += EXPORT_SECONDS + EXPORT_SECONDS_PER_MILLION * parameters / 1e6
    return seconds


def updates_within(seconds: float, pace: Pace, *, every: int) -> int:
    """Return how many updates fit into `seconds`, validating every `every` and at the end."""
    usable = seconds - pace.validation  # the one at the end
    return max(0, math.floor(usable / (pace.update + pace.validation / every)))


def validation_interval(seconds: float, pace: Pace, *, at_most: int) -> int:
    """Return the updates between two validations: `at_most`, or fewer for `MIN_VALIDATIONS`.

    The validations take at most `VALIDATION_SHARE` of `seconds`.
    """
    affordable = VALIDATION_SHARE * seconds / max(pace.validation, 1e-9)
    count = max(1.0, min(MIN_VALIDATIONS, affordable))
    updates = (seconds - count * pace.validation) / pace.update
    return max(1, min(at_most, math.ceil(updates / count)))


class Planner:
    """Measures the speed of a training and fits its schedule into the time left."""

    def __init__(self, budget: TimeBudget, *, parameters: int, average: bool, export: bool) -> None:
        self.budget = budget
        self._parameters, self._average, self._export = parameters, average, export
        self._update_seconds: float | None = None  # as measured so far
        self._validation_seconds: float | None = None
        self._interval_is_measured: bool | None = None  # `every` is from a measured validation
        self._to_skip = SETUP_UPDATES
        self._restart()

    def _restart(self) -> None:
        self._measure_start, self._updates = self.budget.clock(), 0

    def count_update(self) -> None:
        """Count an update that has been made."""
        if self._to_skip:
            self._to_skip -= 1
            self._restart()
        else:
            self._updates += 1

    def count_validation(self, seconds: float) -> None:
        """Record the seconds of a validation."""
        self._validation_seconds = seconds
        self._measure_start += seconds

    @property
    def pace(self) -> Pace | None:
        """The measured pace; None before the first update is measured."""
        update = self._update_seconds
        if update is None and self._updates:
            update = self._measured_seconds() / self._updates
        if update is None:
            return None
        validation = self._validation_seconds
        return Pace(update, VALIDATION_UPDATES * update if validation is None else validation)

    def _measured_seconds(self) -> float:
        return max(1e-9, self.budget.clock() - self._measure_start)

    @property
    def _has_new_validation(self) -> bool:
        """Whether the validation interval can now be set from a measured validation."""
        return self._interval_is_measured is False and self._validation_seconds is not None

    def _is_due(self) -> bool:
        if self._has_new_validation:  # a training that would end here may have time left
            return True
        left = max(0.0, self.budget.left())
        if self._update_seconds is None:
            wait = min(FIRST_MEASURE_SECONDS, FIRST_MEASURE_SHARE * left)
        else:
            wait = min(REPLAN_SHARE * self.budget.max_seconds, LATE_REPLAN_SHARE * left)
        return self._updates >= MIN_MEASURED_UPDATES and self._measured_seconds() >= wait

    def replan(self, step: int, schedule: Schedule, settings: TrainConfig) -> Schedule | None:
        """Return a schedule that uses the time left, or None to keep `schedule`.

        None if `schedule` is close enough, between two measurements, and without a limit.
        """
        if not (self.budget.is_limited and self._is_due()):
            return None
        if self._updates >= MIN_MEASURED_UPDATES:
            now = self._measured_seconds() / self._updates
            self._update_seconds = (
                now if self._update_seconds is None else (self._update_seconds + now) / 2
            )
            self._restart()
        pace = self.pace
        assert pace is not None
        seconds = self.budget.left() - self.seconds_to_finish()
        every, is_measured = schedule.every, self._validation_seconds is not None
        if self._interval_is_measured != is_measured:  # twice: estimated, then measured
            every = validation_interval(seconds, pace, at_most=settings.validate_every)
            if not is_measured:
                soon = math.ceil(FIRST_VALIDATION_SHARE * seconds / pace.update)
                every = min(every, soon)
            self._interval_is_measured = is_measured
        limit = settings.max_steps
        last = min(limit, step + updates_within(seconds, pace, every=every))
        has_moved = abs(last - schedule.last) > TOLERANCE * (schedule.last - step)
        return (
            schedule.replan(step, last, every=every, limit=limit)
            if (has_moved or every != schedule.every)
            else None
        )

    def seconds_to_finish(self) -> float:
        """Estimate the seconds from the last validation to the exit."""
        pace = self.pace or Pace(0.0, self._validation_seconds or 0.0)
        return seconds_to_finish(pace, self._parameters, average=self._average, export=self._export)

    def seconds_left(self, step: int, schedule: Schedule) -> float:
        """Estimate the seconds from update `step` to the exit.

        If the time limit ends the schedule, these are all seconds left.
        """
        left = max(0.0, self.budget.left())
        if schedule.last < schedule.limit:
            return left
        pace = self.pace or Pace(0.0, 0.0)
        updates = max(0, schedule.last - step)
        seconds = updates * pace.update + math.ceil(updates / schedule.every) * pace.validation
        return min(seconds + self.seconds_to_finish(), left)

    def is_over(self) -> bool:
        """Whether an update, a validation and the end exceed the time left by `TOLERANCE`.

        The schedule itself ends in time; this handles a slowdown since it was made.
        """
        if not self.budget.is_limited:
            return False
        pace = self.pace or Pace(0.0, 0.0)
        needed = pace.update + pace.validation + self.seconds_to_finish()
        return self.budget.left() + TOLERANCE * self.budget.max_seconds < needed
