"""Each attack ends with an allowed exit status, and each error is one sentence."""

import attacks
import pytest
from attacks import ATTACKS, WHOLE

pytestmark = pytest.mark.xdist_group("attacks")

FAULTS = [attack for attack in ATTACKS if attack.promise == WHOLE]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_an_attack_ends_with_its_status_and_one_sentence(attack, tmp_path, monkeypatch):
    """Each change of the disk fails with one of three errors, in turn."""
    monkeypatch.setattr(attacks, "ERRORS_PER_CHANGE", 1)
    assert_allowed_results(attack, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("attack", FAULTS, ids=lambda attack: attack.id)
def test_a_disk_fault_of_any_kind_ends_with_an_allowed_status_and_one_sentence(attack, tmp_path):
    assert_allowed_results(attack, tmp_path)


def assert_allowed_results(attack, folder):
    for number, result in enumerate(attack.run(folder), 1):
        assert result.status in attack.statuses, (number, result.err[-500:])
        assert "Traceback" not in result.err
        if result.status:
            assert result.err.count("attn: ") == 1, (number, result.err[-500:])
            assert not result.stdout or b"\n" in result.stdout
