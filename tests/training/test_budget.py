"""One clock: the schedule fits the time that is left. The clock is driven by hand."""

import math
from dataclasses import replace

import pytest

from attn_cli import config
from attn_cli.training import budget
from attn_cli.training.budget import (
    Pace,
    Planner,
    Schedule,
    TimeBudget,
    updates_within,
    validation_interval,
)
from attn_cli.training.optim import learning_rate

SETTINGS = config.TrainConfig(
    max_steps=1000, warmup_steps=100, learning_rate=1.0, schedule="linear", validate_every=100
)


class Clock:
    """A clock that stands still until somebody adds to `now`."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_the_time_of_a_command_is_counted_from_its_start_and_not_from_the_first_update():
    clock = Clock()
    whole = TimeBudget(60.0, started=clock() - 12.0, clock=clock)
    clock.now += 8.0
    assert (whole.elapsed(), whole.left(), whole.is_limited) == (20.0, 40.0, True)


def test_without_minutes_there_is_no_limit():
    assert TimeBudget.from_minutes(None, 0.0).left() == math.inf
    assert TimeBudget.from_minutes(1.5, 0.0).max_seconds == 90.0


# The schedule


@pytest.mark.parametrize("name", ["linear", "cosine", "inverse_sqrt", "constant"])
def test_a_recipes_own_schedule_rises_by_the_step_and_falls_to_a_hundredth_or_as_it_says(name):
    settings = replace(SETTINGS, schedule=name)
    rates = [learning_rate(step, settings) for step in (1, 50, 100, 550, 1000)]
    falls = {
        "linear": [1 - 0.99 / 2, 0.01],
        "cosine": [0.01 + 0.99 / 2, 0.01],
        "inverse_sqrt": [math.sqrt(100 / 550), math.sqrt(100 / 1000)],
        "constant": [1.0, 1.0],
    }
    assert rates == pytest.approx([0.01, 0.5, 1.0, *falls[name]])


def test_a_new_end_leaves_the_rate_where_it_is_and_brings_it_down_by_then():
    before = Schedule.from_config(SETTINGS)
    for last in (500, 2000):
        after = before.replan(400, last, every=100, limit=2000)
        here, there = (learning_rate(400, SETTINGS, each) for each in (before, after))
        assert here == pytest.approx(there)
        assert learning_rate(last, SETTINGS, after) == pytest.approx(0.01)
        halfway = learning_rate((400 + last) // 2, SETTINGS, after)
        assert halfway == pytest.approx((here + 0.01) / 2)


def test_a_short_training_has_a_short_warm_up_which_goes_on_from_where_the_rate_was():
    before = Schedule.from_config(SETTINGS)
    after = before.replan(10, 200, every=100, limit=1000)
    assert after.warmup == 20
    rates = [learning_rate(step, SETTINGS, after) for step in (10, 15, 20, 200)]
    assert rates == pytest.approx([0.1, 0.55, 1.0, 0.01])


def test_a_schedule_made_again_and_again_with_the_same_end_is_the_same_schedule():
    plan = Schedule.from_config(SETTINGS)
    for step in (3, 60, 100, 150, 700):
        plan = plan.replan(step, 1000, every=100, limit=1000)
    for step in (701, 800, 1000):
        assert learning_rate(step, SETTINGS, plan) == pytest.approx(learning_rate(step, SETTINGS))


# What fits


@pytest.mark.parametrize(
    ("seconds", "every", "updates"),
    [
        (100.0, 4, 98),  # 2 s at the end; an update is half a second, and a fourth of a validation
        (100.0, 20, 163),
        (1.0, 4, 0),
        (-5.0, 4, 0),
    ],
)
def test_updates_and_validations_that_fit_add_up_to_the_time(seconds, every, updates):
    assert updates_within(seconds, Pace(0.5, 2.0), every=every) == updates


def test_a_training_is_validated_some_times_if_that_takes_no_more_than_a_tenth_of_it():
    quick, slow = Pace(0.1, 0.5), Pace(0.1, 5.0)
    assert validation_interval(100.0, quick, at_most=500) == 960 / 8
    assert validation_interval(100.0, slow, at_most=500) == 900 / 2
    assert validation_interval(10_000.0, quick, at_most=500) == 500  # as often as the recipe says


# A training of made-up speed


def train(seconds_an_update, *, max_seconds, seconds_a_validation=3.0, before=7.0, **settings):
    """Train within the time: what follows from the plans alone. Speed is a function of the step."""
    clock = Clock()
    settings = replace(SETTINGS, export="none", average_checkpoints=2, **settings)
    whole = TimeBudget(max_seconds, started=clock() - before, clock=clock)
    planner = Planner(whole, parameters=10**6, average=True, export=False)
    schedule, step, validated, rates = Schedule.from_config(settings), 0, 0, []
    while True:
        schedule = planner.replan(step, schedule, settings) or schedule
        if step >= schedule.last or planner.is_over():
            break
        step += 1
        rates.append(learning_rate(step, settings, schedule))
        clock.now += seconds_an_update(step)
        planner.count_update()
        if step - validated >= schedule.every or step == schedule.last:
            clock.now += seconds_a_validation
            planner.count_validation(seconds_a_validation)
            validated = step
    clock.now += seconds_a_validation * (1 + (validated != step)) + budget.EXIT_SECONDS
    return step, rates, whole


def steady(step):
    return 0.1


def setting_up(step):
    return 3.0 if step <= 2 else 0.1


def slowing_down(step):
    return 0.1 if step < 300 else 0.3


def hurrying(step):
    return 0.3 if step < 100 else 0.1


@pytest.mark.parametrize("speed", [steady, setting_up, slowing_down, hurrying])
@pytest.mark.parametrize("max_seconds", [60.0, 300.0])
def test_a_training_ends_in_time_with_its_rate_fallen_however_the_machine_runs(speed, max_seconds):
    _, rates, whole = train(speed, max_seconds=max_seconds, max_steps=10**6)
    assert 0.8 * max_seconds <= whole.elapsed() <= 1.02 * max_seconds
    assert rates[-1] <= 0.05
    assert max(rates) == pytest.approx(1.0)
    falling = rates[rates.index(max(rates)) :]
    assert falling == sorted(falling, reverse=True)


def test_the_recipes_updates_are_made_where_the_time_allows_more():
    steps, rates, _ = train(steady, max_seconds=3600.0)
    assert steps == 1000
    assert rates == pytest.approx([learning_rate(step, SETTINGS) for step in range(1, 1001)])


def test_where_no_time_is_left_no_update_is_made():
    steps, _, _ = train(steady, max_seconds=5.0, before=60.0)
    assert steps == 0


def test_without_a_limit_nothing_is_planned_but_the_time_left_is_foretold():
    clock = Clock()
    planner = Planner(TimeBudget(clock=clock), parameters=10**6, average=True, export=False)
    schedule = Schedule.from_config(SETTINGS)
    for step in range(1, 101):
        clock.now += 0.5
        planner.count_update()
        assert planner.replan(step, schedule, SETTINGS) is None
    planner.count_validation(2.0)
    clock.now += 2.0
    end = 2.0 + 2.0 + budget.EXIT_SECONDS  # the average, and calibration
    left = 900 * 0.5 + 9 * 2.0 + end
    assert planner.seconds_left(100, schedule) == pytest.approx(left)
