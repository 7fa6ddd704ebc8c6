"""Each attack ends with the status that it should have, and says why in one sentence."""

import pytest
from attacks import ATTACKS


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_an_attack_ends_with_its_status_and_one_sentence(attack, tmp_path):
    for number, ended in enumerate(attack.run(tmp_path), 1):
        assert ended.status in attack.statuses, (number, ended.err[-500:])
        assert "Traceback" not in ended.err
        if ended.status:
            assert ended.err.count("attn: ") == 1, (number, ended.err[-500:])
            assert not ended.stdout or b"\n" in ended.stdout
