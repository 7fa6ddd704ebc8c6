"""Each reader of untrusted bytes reads any bytes, or refuses them with an AttnError."""

import pytest
from fuzz_targets import SEEDS, TARGETS, run
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("name", TARGETS)
@settings(derandomize=True, deadline=None)
@given(st.data())
def test_any_bytes_are_read_or_refused(name, data):
    run(name, data.draw(st.binary(max_size=300)))


@pytest.mark.parametrize("name", TARGETS)
@settings(derandomize=True, deadline=None)
@given(st.data())
def test_a_good_input_with_a_few_other_bytes_is_read_or_refused(name, data):
    seed = SEEDS[name]
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 12)))
    run(name, seed[:start] + data.draw(st.binary(max_size=8)) + seed[end:])
