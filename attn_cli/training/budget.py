"""How much wall time a command may take, and how many updates fit into what is left of it.

Loads no torch. Tests replace the clock.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from attn_cli.config import TrainConfig

#: The share of the time, once the text is read, that word links and word aligner may take together.
ALIGNER_SHARE = 0.3

#: Of that share, what the links may take where the word aligner is to learn from them.
LINKS_SHARE = 0.6

#: The word aligner is left out where it would have fewer seconds than this.
MIN_ALIGNER_SECONDS = 5.0

#: Seconds from the last word of a training to the exit of its process.
EXIT_SECONDS = 1.0

#: Seconds that an export takes: for the exporter itself, and for each million parameters.
EXPORT_SECONDS, EXPORT_SECONDS_PER_MILLION = 3.0, 0.3

#: What calibrating the confidence may take at least, in validations.
CALIBRATION_VALIDATIONS = 1.0

#: A validation takes as long as so many updates, until one has been measured.
VALIDATION_UPDATES = 12.0

#: So that one is measured soon, the first comes after that share of the time at the latest.
FIRST_VALIDATION_SHARE = 0.25

#: The speed is first looked at after so many seconds or that share of the time left, and not in the
#: first updates, which set things up; a look spans at least so many updates.
FIRST_MEASURE_SECONDS, FIRST_MEASURE_SHARE, SETUP_UPDATES, MIN_MEASURED_UPDATES = 10.0, 0.03, 2, 3

#: Later looks are so far apart: that share of the limit, and near the end of the time left.
REPLAN_SHARE, LATE_REPLAN_SHARE = 0.05, 0.2

#: A plan is kept while the new one would move its end by less than this share of what remains, and
#: while it runs over the limit by less than this share of it.
TOLERANCE = 0.02

#: Validations that a training bounded by time has at least, if they take no more than that share.
MIN_VALIDATIONS, VALIDATION_SHARE = 8, 0.1

#: The share of all updates over which the learning rate rises at most.
WARMUP_SHARE = 0.1


@dataclass(frozen=True)
class TimeBudget:
    """The wall time of a command, from the start of its process to its exit.

    `started` is a time of `clock`; `max_seconds` is infinite where there is no limit.
    """

    max_seconds: float = math.inf
    started: float = field(default_factory=time.monotonic)
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def from_minutes(cls, minutes: float | None, started: float) -> "TimeBudget":
        """So many minutes from `started`, a time of `time.monotonic`; None for no limit."""
        return cls(math.inf if minutes is None else 60.0 * minutes, started)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self.max_seconds)

    def elapsed(self) -> float:
        """Seconds since the command started."""
        return self.clock() - self.started

    def left(self) -> float:
        """Seconds until the limit; negative once it has passed."""
        return self.max_seconds - self.elapsed()


@dataclass(frozen=True)
class Schedule:
    """Which update is the last, and how the learning rate gets there; plain values.

    Before update `warmup` the rate rises, after it the rate falls until update `last`. A plan made
    at update `start` goes on from where the rate was: it had `risen` to that share of the highest
    rate, or `fallen` along that share of its decline. `limit` is the recipe's `train.max_steps`
    when the plan was made, `every` the updates between two validations.
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
        """From its fields in order, as numbers of one kind."""
        last, warmup, every, limit, start = map(int, values[:5])
        return cls(last, warmup, every, limit, start, *values[5:])

    def warmup_factor(self, step: int) -> float:
        """The share of the highest rate that update `step` (from 1) has in the warm-up; then 1."""
        if step >= self.warmup:
            return 1.0
        done = (step - self.start) / (self.warmup - self.start)
        return self.risen + (1.0 - self.risen) * done

    def decay_progress(self, step: int) -> float:
        """The share of the decline that update `step` has behind it, from 0 to 1 at `last`."""
        begin = max(self.start, self.warmup)
        if step <= begin:
            return self.fallen
        done = min(1.0, (step - begin) / max(1, self.last - begin))
        return self.fallen + (1.0 - self.fallen) * done

    @classmethod
    def from_config(cls, settings: TrainConfig) -> "Schedule":
        """What the recipe says, where no time limit decides."""
        last = settings.max_steps
        return cls(last, settings.warmup_steps, settings.validate_every, limit=last)

    def replan(self, step: int, last: int, *, every: int, limit: int) -> "Schedule":
        """The schedule that ends with update `last`; the rate goes on from that of `step`.

        The warm-up is shortened to `WARMUP_SHARE` of all updates where that is less, but never
        ends at once.
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
    """Seconds an update and a validation take, as measured."""

    update: float
    validation: float


def seconds_to_finish(pace: Pace, parameters: int, *, average: bool, export: bool) -> float:
    """Seconds from the last validation to the exit: averaging, graphs, calibration, the way out."""
    seconds = EXIT_SECONDS + CALIBRATION_VALIDATIONS * pace.validation
    if average:
        seconds += pace.validation
    if export:
        seconds += EXPORT_SECONDS + EXPORT_SECONDS_PER_MILLION * parameters / 1e6
    return seconds


def updates_within(seconds: float, pace: Pace, *, every: int) -> int:
    """How many updates fit into `seconds`, with a validation after each `every` and at the end."""
    usable = seconds - pace.validation  # the one at the end
    return max(0, math.floor(usable / (pace.update + pace.validation / every)))


def validation_interval(seconds: float, pace: Pace, *, at_most: int) -> int:
    """Updates between two validations: `at_most`, or fewer so that there are several.

    That is `MIN_VALIDATIONS`, as far as they take no more than `VALIDATION_SHARE` of `seconds`.
    """
    affordable = VALIDATION_SHARE * seconds / max(pace.validation, 1e-9)
    count = max(1.0, min(MIN_VALIDATIONS, affordable))
    updates = (seconds - count * pace.validation) / pace.update
    return max(1, min(at_most, math.ceil(updates / count)))


class Planner:
    """Measures how fast a training is and fits its schedule into what is left of the budget."""

    def __init__(self, budget: TimeBudget, *, parameters: int, average: bool, export: bool) -> None:
        self.budget = budget
        self._parameters, self._average, self._export = parameters, average, export
        self._update_seconds: float | None = None  # seconds, as of the looks so far
        self._validation_seconds: float | None = None
        self._interval_is_measured: bool | None = None  # validations, by a measured one
        self._to_skip = SETUP_UPDATES
        self._restart()

    def _restart(self) -> None:
        self._measure_start, self._updates = self.budget.clock(), 0

    def count_update(self) -> None:
        """An update has been made."""
        if self._to_skip:
            self._to_skip -= 1
            self._restart()
        else:
            self._updates += 1

    def count_validation(self, seconds: float) -> None:
        """A validation has taken `seconds`."""
        self._validation_seconds = seconds
        self._measure_start += seconds

    @property
    def pace(self) -> Pace | None:
        """What an update and a validation take; None before the first look."""
        update = self._update_seconds
        if update is None and self._updates:
            update = self._measured_seconds() / self._updates
        if update is None:
            return None
        validation = self._validation_seconds
        return Pace(update, VALIDATION_UPDATES * update if validation is None else validation)

    def _measured_seconds(self) -> float:
        return max(1e-9, self.budget.clock() - self._measure_start)

    def _is_due(self) -> bool:
        left = max(0.0, self.budget.left())
        if self._update_seconds is None:
            wait = min(FIRST_MEASURE_SECONDS, FIRST_MEASURE_SHARE * left)
        else:
            wait = min(REPLAN_SHARE * self.budget.max_seconds, LATE_REPLAN_SHARE * left)
        if self._interval_is_measured is False and self._validation_seconds is not None:
            wait = 0.0  # the first validation has been measured
        return self._updates >= MIN_MEASURED_UPDATES and self._measured_seconds() >= wait

    def replan(self, step: int, schedule: Schedule, settings: TrainConfig) -> Schedule | None:
        """A schedule that ends in time, where `schedule` would not or would waste some.

        None while that is good enough, between two looks at the speed, and without a limit.
        """
        if not (self.budget.is_limited and self._is_due()):
            return None
        now = self._measured_seconds() / self._updates
        self._update_seconds = (
            now if self._update_seconds is None else (self._update_seconds + now) / 2
        )
        self._restart()
        pace = self.pace
        assert pace is not None
        seconds = self.budget.left() - self.seconds_to_finish()
        every, is_measured = schedule.every, self._validation_seconds is not None
        if (
            self._interval_is_measured != is_measured
        ):  # twice: by a guess, and once a validation was measured
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
        """Seconds from the last validation to the exit."""
        pace = self.pace or Pace(0.0, self._validation_seconds or 0.0)
        return seconds_to_finish(pace, self._parameters, average=self._average, export=self._export)

    def seconds_left(self, step: int, schedule: Schedule) -> float:
        """Seconds from update `step` to the exit: by what was measured, and all that is left where
        the time decides."""
        left = max(0.0, self.budget.left())
        if schedule.last < schedule.limit:
            return left
        pace = self.pace or Pace(0.0, 0.0)
        updates = max(0, schedule.last - step)
        seconds = updates * pace.update + math.ceil(updates / schedule.every) * pace.validation
        return min(seconds + self.seconds_to_finish(), left)

    def is_over(self) -> bool:
        """Whether one more update, a validation and the end would take clearly more than is left.

        The schedule ends in time by itself; this is for what it did not foresee.
        """
        if not self.budget.is_limited:
            return False
        pace = self.pace or Pace(0.0, 0.0)
        needed = pace.update + pace.validation + self.seconds_to_finish()
        return self.budget.left() + TOLERANCE * self.budget.max_seconds < needed
