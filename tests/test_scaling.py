"""The time for a line outside the network grows with its length, not with the square of it."""

import pytest
from hostile_text import STAGES, seconds, text_of

#: A text of eight times the length takes eight times as long where time is linear, sixty-four times
#: where it is quadratic. A time below FAST seconds is not tested.
SMALL, LARGE = 500, 4_000
MAX_RATIO, FAST = 24, 0.02

pytestmark = pytest.mark.xdist_group("scaling")


@pytest.mark.parametrize("name", STAGES)
def test_the_time_of_a_stage_is_not_quadratic_in_the_length_of_a_text(name):
    run, texts = STAGES[name]
    seconds(run, text_of(texts[0], 10))  # compiles expressions, loads the vocabulary
    for parts in texts:
        large = seconds(run, text_of(parts, LARGE))
        if large < FAST:
            continue
        small = min(seconds(run, text_of(parts, SMALL)) for _ in range(3))
        limit = max(FAST, MAX_RATIO * small)
        if large >= limit:  # perhaps because of another process
            large = min(seconds(run, text_of(parts, LARGE)) for _ in range(2))
        assert large < limit, (parts, small, large)
