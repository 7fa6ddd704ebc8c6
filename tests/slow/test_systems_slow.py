"""Every encoder with every attention and every decoder; the fast tests have some of them."""

import pytest
from system_properties import PROPERTIES
from systems import SYSTEMS, assert_engines_agree, name_of

systems = pytest.mark.parametrize("system", SYSTEMS, ids=name_of)


@systems
@pytest.mark.parametrize("claim", PROPERTIES)
def test_properties(claim, system):
    PROPERTIES[claim](system)


@systems
def test_both_engines_agree_and_forced_decoding_gives_the_weights_of_the_search(system, tmp_path):
    assert_engines_agree(system, tmp_path)
