"""Properties of systems of which every two parts that go together are in one; all are in slow."""

from collections import Counter
from itertools import combinations

import pytest
from system_properties import PROPERTIES
from systems import ATTENTIONS, DECODERS, ENCODERS, PAIRWISE, SYSTEMS, name_of


def test_the_systems_are_all_that_make_sense():
    """Attention of every kind for recurrent decoders, but that a Transformer's encoder has no last
    state; a Transformer's decoder is many-headed."""
    expected = {
        (encoder, attention, decoder)
        for encoder in ENCODERS
        for attention in ATTENTIONS
        for decoder in DECODERS
        if (attention == "multihead" if decoder == "transformer" else True)
        and not (attention == "none" and encoder == "transformer")
    }
    assert set(SYSTEMS) == expected
    assert max(Counter(SYSTEMS).values()) == 1


def test_every_two_parts_that_go_together_are_in_a_system_of_the_fast_tests():
    def pairs(systems):
        return {pair for system in systems for pair in combinations(enumerate(system), 2)}

    assert pairs(PAIRWISE) == pairs(SYSTEMS)
    assert len(PAIRWISE) < len(SYSTEMS) / 2


@pytest.mark.parametrize("system", PAIRWISE, ids=name_of)
@pytest.mark.parametrize("claim", PROPERTIES)
def test_properties(claim, system):
    PROPERTIES[claim](system)
