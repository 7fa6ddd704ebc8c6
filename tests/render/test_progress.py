"""The progress of a long job, with a fake clock."""

import io

import pytest
from clock import Clock
from rich.console import Console

from attn_cli.render.progress import Progress, bar, duration, plain


def progress(clock, total=1000, show=lambda _: None):
    return Progress(total, show, clock=clock)


def test_the_remaining_time_follows_from_the_average_speed():
    clock = Clock(now=100.0)
    state = progress(clock)
    clock.now += 10
    state.add(read=250, known=0, records=50)
    assert state.left == pytest.approx(30)
    assert state.rate == pytest.approx(5)
    assert state.line() == "25%, 50 records, 5 a second, 30 s left"


def test_records_known_before_do_not_count_for_the_speed():
    clock = Clock(now=100.0)
    state = progress(clock)
    clock.now += 10
    state.add(read=600, known=500, records=20)
    assert state.left == pytest.approx(40)


def test_without_progress_there_is_no_remaining_time():
    state = progress(Clock(now=100.0))
    state.add(read=500, known=500, records=0)
    assert state.line() == "50%, 0 records, 0 a second"


def test_an_empty_job_has_a_progress_line():
    state = progress(Clock(now=100.0), total=0)
    state.add(read=0, known=0, records=0)
    assert state.line().startswith("0%")


def test_plain_progress_lines_have_a_minimum_interval():
    lines, clock = [], Clock(now=100.0)
    state = progress(clock, show=plain(lines.append, every=30))
    for _ in range(100):
        clock.now += 1
        state.add(read=10, known=0, records=1)
    assert len(lines) == 3
    assert lines[0] == "30%, 30 records, 1 a second, 70 s left"


def test_a_progress_bar_is_erased_at_the_end():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, _environ={})
    with bar(console) as show:
        state = progress(Clock(now=100.0), show=show)
        state.add(read=100, known=0, records=1)
    assert "10%" in screen.getvalue()
    # Show the cursor, and erase the line.
    assert screen.getvalue().endswith("\x1b[?25h\r\x1b[1A\x1b[2K")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (5_000, "83 min"),
        (7_500, "2 h 05 min"),
        (180_000, "2 days 2 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds, text):
    assert duration(seconds) == text
