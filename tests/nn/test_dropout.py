"""Dropout against what its definition leads to expect."""

import math

import pytest
import torch

from attn_cli.nn.dropout import Dropout, SequenceDropout


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(11)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("kind", [Dropout, SequenceDropout])
def test_units_are_silent_as_often_as_asked_and_the_others_keep_the_mean(kind, share):
    states = kind(share)(torch.ones(200, 1, 501))
    silent = (states == 0).float().mean().item()
    error = math.sqrt(share * (1 - share) / states.numel())
    assert silent == pytest.approx(share, abs=4 * error)
    heard = states[states != 0]
    torch.testing.assert_close(heard, torch.full_like(heard, 1 / (1 - share)), rtol=1e-4, atol=0)


def test_each_unit_of_each_position_is_silenced_for_itself():
    silent = (Dropout(0.5)(torch.ones(64, 64, 16)) == 0).double()
    for axis in range(3):
        ahead, behind = silent.narrow(axis, 1, 15), silent.narrow(axis, 0, 15)
        together = torch.corrcoef(torch.stack([ahead.flatten(), behind.flatten()]))[0, 1]
        assert abs(together.item()) < 4 / math.sqrt(ahead.numel())


def test_one_mask_serves_all_positions_of_a_sentence():
    states = SequenceDropout(0.5)(torch.ones(8, 5, 32))
    torch.testing.assert_close(states, states[:, :1].expand_as(states), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_pass_where_units_are_heard(dtype):
    states = torch.randn(4, 7, 9, dtype=dtype, requires_grad=True)
    found = Dropout(0.25)(states)
    (gradient,) = torch.autograd.grad(found.sum(), states)
    assert found.dtype == gradient.dtype == dtype
    torch.testing.assert_close(gradient * states, found)


@pytest.mark.parametrize("kind", [Dropout, SequenceDropout])
def test_the_same_seed_silences_the_same_units_and_a_network_at_work_none(kind):
    states, module = torch.ones(3, 5, 7), kind(0.4)
    first = module(states)
    assert not torch.equal(first, module(states))
    torch.manual_seed(11)
    assert torch.equal(first, module(states))
    assert module.eval()(states) is states
    assert kind(0.0)(states) is states
