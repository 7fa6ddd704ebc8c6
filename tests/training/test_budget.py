"""The schedule fits the time that is left; the tests move the clock by hand."""

import math
from dataclasses import replace

import pytest
from clock import Clock

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


def test_the_time_of_a_command_is_counted_from_its_start_not_from_the_first_update():
    clock = Clock(now=1000.0)
    time_budget = TimeBudget(60.0, started=clock() - 12.0, clock=clock)
    clock.now += 8.0
    assert (time_budget.elapsed(), time_budget.left(), time_budget.is_limited) == (20.0, 40.0, True)


def test_without_minutes_there_is_no_limit():
    assert TimeBudget.from_minutes(None, 0.0).left() == math.inf
    assert TimeBudget.from_minutes(1.5, 0.0).max_seconds == 90.0


# The schedule


@pytest.mark.parametrize("name", ["linear", "cosine", "inverse_sqrt", "constant"])
def test_each_schedule_rises_linearly_and_then_falls_by_its_formula(name):
    settings = replace(SETTINGS, schedule=name)
    rates = [learning_rate(step, settings) for step in (1, 50, 100, 550, 1000)]
    expected = {
        "linear": [1 - 0.99 / 2, 0.01],
        "cosine": [0.01 + 0.99 / 2, 0.01],
        "inverse_sqrt": [math.sqrt(100 / 550), math.sqrt(100 / 1000)],
        "constant": [1.0, 1.0],
    }
    assert rates == pytest.approx([0.01, 0.5, 1.0, *expected[name]])


def test_a_new_end_keeps_the_current_learning_rate_and_lowers_it_by_that_step():
    before = Schedule.from_config(SETTINGS)
    for last in (500, 2000):
        after = before.replan(400, last, every=100, limit=2000)
        rate_before, rate_after = (learning_rate(400, SETTINGS, each) for each in (before, after))
        assert rate_before == pytest.approx(rate_after)
        assert learning_rate(last, SETTINGS, after) == pytest.approx(0.01)
        halfway = learning_rate((400 + last) // 2, SETTINGS, after)
        assert halfway == pytest.approx((rate_before + 0.01) / 2)


def test_a_short_training_has_a_short_warm_up_from_the_current_rate():
    before = Schedule.from_config(SETTINGS)
    after = before.replan(10, 200, every=100, limit=1000)
    assert after.warmup == 20
    rates = [learning_rate(step, SETTINGS, after) for step in (10, 15, 20, 200)]
    assert rates == pytest.approx([0.1, 0.55, 1.0, 0.01])


def test_replanning_with_the_same_end_does_not_change_the_schedule():
    plan = Schedule.from_config(SETTINGS)
    for step in (3, 60, 100, 150, 700):
        plan = plan.replan(step, 1000, every=100, limit=1000)
    for step in (701, 800, 1000):
        assert learning_rate(step, SETTINGS, plan) == pytest.approx(learning_rate(step, SETTINGS))


# The updates that fit the time


@pytest.mark.parametrize(
    ("seconds", "every", "updates"),
    [
        (100.0, 4, 98),  # 2 s at the end; 0.5 s for an update, 0.5 s for a fourth of a validation
        (100.0, 20, 163),
        (1.0, 4, 0),
        (-5.0, 4, 0),
    ],
)
def test_updates_and_validations_that_fit_add_up_to_the_time(seconds, every, updates):
    assert updates_within(seconds, Pace(0.5, 2.0), every=every) == updates


def test_validations_take_at_most_a_tenth_of_the_time():
    fast, slow = Pace(0.1, 0.5), Pace(0.1, 5.0)
    assert validation_interval(100.0, fast, at_most=500) == 960 / 8
    assert validation_interval(100.0, slow, at_most=500) == 900 / 2
    assert validation_interval(10_000.0, fast, at_most=500) == 500  # as often as the recipe says


# A simulated training


def train(seconds_per_update, *, max_seconds, seconds_per_validation=3.0, before=7.0, **settings):
    """Simulate a training within the time; return its steps, learning rates and time budget."""
    clock = Clock(now=1000.0)
    settings = replace(SETTINGS, export="none", average_checkpoints=2, **settings)
    time_budget = TimeBudget(max_seconds, started=clock() - before, clock=clock)
    planner = Planner(time_budget, parameters=10**6, average=True, export=False)
    schedule, step, last_validation, rates = Schedule.from_config(settings), 0, 0, []
    while True:
        schedule = planner.replan(step, schedule, settings) or schedule
        if step >= schedule.last or planner.is_over():
            break
        step += 1
        rates.append(learning_rate(step, settings, schedule))
        clock.now += seconds_per_update(step)
        planner.count_update()
        if step - last_validation >= schedule.every or step == schedule.last:
            clock.now += seconds_per_validation
            planner.count_validation(seconds_per_validation)
            last_validation = step
    clock.now += seconds_per_validation * (1 + (last_validation != step)) + budget.EXIT_SECONDS
    return step, rates, time_budget


def constant_speed(step):
    return 0.1


def slow_start(step):
    return 3.0 if step <= 2 else 0.1


def slowdown(step):
    return 0.1 if step < 300 else 0.3


def speedup(step):
    return 0.3 if step < 100 else 0.1


@pytest.mark.parametrize("speed", [constant_speed, slow_start, slowdown, speedup])
@pytest.mark.parametrize("max_seconds", [60.0, 300.0])
def test_a_training_ends_in_time_with_a_low_rate_at_any_speed_of_the_machine(speed, max_seconds):
    _, rates, time_budget = train(speed, max_seconds=max_seconds, max_steps=10**6)
    assert 0.8 * max_seconds <= time_budget.elapsed() <= 1.02 * max_seconds
    assert rates[-1] <= 0.05
    assert max(rates) == pytest.approx(1.0)
    rates_after_peak = rates[rates.index(max(rates)) :]
    assert rates_after_peak == sorted(rates_after_peak, reverse=True)


def test_a_first_validation_that_is_faster_than_estimated_gives_more_updates():
    steps, _, time_budget = train(
        lambda step: 1.1, max_seconds=60.0, seconds_per_validation=2.0, max_steps=10**6
    )
    assert steps > 25
    assert 50.0 <= time_budget.elapsed() <= 61.0


def test_the_updates_of_the_recipe_are_the_maximum_if_the_time_allows_more():
    steps, rates, _ = train(constant_speed, max_seconds=3600.0)
    assert steps == 1000
    assert rates == pytest.approx([learning_rate(step, SETTINGS) for step in range(1, 1001)])


def test_if_no_time_is_left_no_update_is_made():
    steps, _, _ = train(constant_speed, max_seconds=5.0, before=60.0)
    assert steps == 0


def test_without_a_time_limit_only_the_time_left_is_estimated():
    clock = Clock(now=1000.0)
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
