"""Graphs of a covering set of systems give the results of torch; `make slow` tests all systems."""

import numpy as np
import pytest
from systems import (
    ATTENTIONS,
    COVERING,
    DECODERS,
    ENCODERS,
    SYSTEMS,
    assert_engines_agree,
    engines_of,
    name_of,
    search_with,
)

from attn_cli.export import quantize


def test_the_covering_systems_are_valid_and_contain_each_part():
    assert set(COVERING) <= set(SYSTEMS)
    encoders, attentions, decoders = map(set, zip(*COVERING, strict=True))
    assert (encoders, attentions, decoders) == (set(ENCODERS), set(ATTENTIONS), set(DECODERS))


@pytest.mark.parametrize("system", COVERING, ids=name_of)
def test_both_engines_agree_and_forced_decoding_gives_the_weights_of_the_search(system, tmp_path):
    assert_engines_agree(system, tmp_path)


@pytest.mark.parametrize("system", COVERING[::2] + COVERING[-1:], ids=name_of)
def test_an_int8_system_gives_finite_probabilities_and_weights(system, tmp_path, monkeypatch):
    monkeypatch.setattr(quantize, "MIN_SIZE", 1)
    _, decoder = engines_of(system, tmp_path, quantize.quantize_graph)
    for row in search_with(decoder, 2):
        for each in row:
            assert np.isfinite(each.token_logp).all()
            assert np.isfinite(each.weights).all()
