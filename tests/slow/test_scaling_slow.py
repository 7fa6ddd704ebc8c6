"""No text of 100 kB takes more than a second of CPU time in addition to its translation."""

import pytest
from hostile_text import STAGES, seconds, text_of

SIZE = 100_000


@pytest.mark.parametrize("name", STAGES)
def test_no_stage_takes_a_second_of_cpu_time_for_100_kb(name):
    run, texts = STAGES[name]
    seconds(run, text_of(texts[0], 10))
    for parts in texts:
        text = text_of(parts, SIZE)
        cpu_seconds = seconds(run, text)
        assert cpu_seconds < 1 or min(seconds(run, text) for _ in range(3)) < 1, (
            parts,
            cpu_seconds,
        )
