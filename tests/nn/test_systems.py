"""Properties of a pairwise covering set of systems; `make slow` tests all systems."""

from collections import Counter
from itertools import combinations

import pytest
from system_properties import PROPERTIES
from systems import ATTENTIONS, DECODERS, ENCODERS, PAIRWISE, SYSTEMS, name_of


def test_the_systems_are_all_valid_combinations_of_parts():
    """Recurrent decoders have attention of every kind, but none requires the last state of a
    recurrent encoder. A Transformer decoder has multi-head attention."""
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


def test_the_pairwise_systems_contain_every_valid_pair_of_parts():
    def pairs(systems):
        return {pair for system in systems for pair in combinations(enumerate(system), 2)}

    assert pairs(PAIRWISE) == pairs(SYSTEMS)
    assert len(PAIRWISE) < len(SYSTEMS) / 2


@pytest.mark.parametrize("system", PAIRWISE, ids=name_of)
@pytest.mark.parametrize("claim", PROPERTIES)
def test_properties(claim, system):
    PROPERTIES[claim](system)
