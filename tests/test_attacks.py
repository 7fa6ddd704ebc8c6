"""Each attack ends with the status that it should have, and says why in one sentence."""

import attacks
import pytest
from attacks import ATTACKS, WHOLE

pytestmark = pytest.mark.xdist_group("attacks")

FAULTS = [attack for attack in ATTACKS if attack.promise == WHOLE]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_an_attack_ends_with_its_status_and_one_sentence(attack, tmp_path, monkeypatch):
    """Each change of a disk fails in one of three ways, by turns."""
    monkeypatch.setattr(attacks, "ERRORS_PER_CHANGE", 1)
    ends_as_promised(attack, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("attack", FAULTS, ids=lambda attack: attack.id)
def test_a_fault_of_the_disk_in_any_of_three_ways_ends_so_too(attack, tmp_path):
    ends_as_promised(attack, tmp_path)


def ends_as_promised(attack, folder):
    for number, ended in enumerate(attack.run(folder), 1):
        assert ended.status in attack.statuses, (number, ended.err[-500:])
        assert "Traceback" not in ended.err
        if ended.status:
            assert ended.err.count("attn: ") == 1, (number, ended.err[-500:])
            assert not ended.stdout or b"\n" in ended.stdout
