"""The graphs of every encoder with every attention and every decoder say what torch says."""

import pytest
from systems import SYSTEMS, assert_engines_agree, name_of


@pytest.mark.parametrize("system", SYSTEMS, ids=name_of)
def test_both_engines_find_the_same_and_give_a_translation_the_weights_it_was_found_with(
    system, tmp_path
):
    assert_engines_agree(system, tmp_path)
