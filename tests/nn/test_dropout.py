"""Dropout compared with its definition."""

import math

import pytest
import torch

from attn_cli.nn.dropout import Dropout, SequenceDropout


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(11)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("kind", [Dropout, SequenceDropout])
def test_units_are_dropped_with_probability_p_and_the_others_are_scaled(kind, p):
    states = kind(p)(torch.ones(200, 1, 501))
    dropped = (states == 0).float().mean().item()
    error = math.sqrt(p * (1 - p) / states.numel())
    assert dropped == pytest.approx(p, abs=4 * error)
    remaining = states[states != 0]
    torch.testing.assert_close(
        remaining, torch.full_like(remaining, 1 / (1 - p)), rtol=1e-4, atol=0
    )


def test_units_and_positions_are_dropped_independently():
    dropped = (Dropout(0.5)(torch.ones(64, 64, 16)) == 0).double()
    for axis in range(3):
        later, earlier = dropped.narrow(axis, 1, 15), dropped.narrow(axis, 0, 15)
        correlation = torch.corrcoef(torch.stack([later.flatten(), earlier.flatten()]))[0, 1]
        assert abs(correlation.item()) < 4 / math.sqrt(later.numel())


def test_sequence_dropout_has_one_mask_for_all_positions_of_a_sentence():
    states = SequenceDropout(0.5)(torch.ones(8, 5, 32))
    torch.testing.assert_close(states, states[:, :1].expand_as(states), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_pass_only_through_units_that_are_not_dropped(dtype):
    states = torch.randn(4, 7, 9, dtype=dtype, requires_grad=True)
    output = Dropout(0.25)(states)
    (gradient,) = torch.autograd.grad(output.sum(), states)
    assert output.dtype == gradient.dtype == dtype
    torch.testing.assert_close(gradient * states, output)


@pytest.mark.parametrize("kind", [Dropout, SequenceDropout])
def test_dropout_is_deterministic_for_a_seed_and_inactive_in_eval_mode(kind):
    states, module = torch.ones(3, 5, 7), kind(0.4)
    first = module(states)
    assert not torch.equal(first, module(states))
    torch.manual_seed(11)
    assert torch.equal(first, module(states))
    assert module.eval()(states) is states
    assert kind(0.0)(states) is states
