"""Products in a loop: the deferred gradient of all steps equals the sum of their gradients."""

from contextlib import nullcontext

import pytest
import systems
import torch

from attn_cli.nn import decoders, products
from attn_cli.nn.builder import build_model
from attn_cli.nn.products import StepLinear, defer_weight_gradients, step_bmm

SYSTEMS = [
    ("gru", "general", "lstm-2-input-feeding"),
    ("gru", "additive", "gru"),
    ("rnn", "dot", "rnn"),
    ("gru", "local", "gru"),
    ("gru", "multihead", "lstm-2-input-feeding"),
    ("lstm-2", "coverage", "gru"),
]


def gradients(system, *, double=True):
    torch.manual_seed(1)
    network = build_model(systems.model_of(system), source_vocab_size=16, target_vocab_size=16)
    network = network.double() if double else network
    src, tgt = torch.randint(4, 16, (3, 5)), torch.randint(4, 16, (3, 6))
    torch.manual_seed(2)
    features = network(src, torch.tensor([5, 2, 4]), tgt).features
    features.square().sum().backward()
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("system", SYSTEMS, ids=systems.name_of)
def test_the_deferred_gradient_is_the_sum_of_the_gradients_of_all_steps(
    system, monkeypatch
) -> None:
    deferred = gradients(system)
    monkeypatch.setattr(decoders, "defer_weight_gradients", nullcontext)
    stepwise = gradients(system)
    assert deferred.keys() == stepwise.keys()
    for name, grad in stepwise.items():
        torch.testing.assert_close(deferred[name], grad, atol=1e-10, rtol=1e-10)


def test_the_deferred_gradient_in_fp32_is_equal_to_1e_5(monkeypatch) -> None:
    deferred = gradients(SYSTEMS[0], double=False)
    monkeypatch.setattr(decoders, "defer_weight_gradients", nullcontext)
    for name, grad in gradients(SYSTEMS[0], double=False).items():
        torch.testing.assert_close(deferred[name], grad, atol=1e-5, rtol=1e-5)


def test_gradients_of_a_loop_agree_with_finite_differences() -> None:
    torch.manual_seed(1)
    layer = StepLinear(3, 4).double()
    memory = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)

    def loop(weight, bias, memory):
        state = torch.ones(2, 3, dtype=torch.float64)
        with defer_weight_gradients():
            shared = products._LOOP.get().get_product(weight, bias, transposed=True)
            for _ in range(3):
                state = torch.tanh(
                    step_bmm(shared(state, state.sum(1, keepdim=True))[:, None], memory)[:, 0]
                )
        return state

    assert torch.autograd.gradcheck(loop, (layer.weight, layer.bias, memory))


def test_a_second_backward_pass_doubles_the_gradient() -> None:
    layer = StepLinear(3, 3)
    with defer_weight_gradients():
        loss = layer(layer(torch.ones(1, 3))).sum()
    loss.backward(retain_graph=True)
    gradient = layer.weight.grad.clone()
    loss.backward()
    torch.testing.assert_close(layer.weight.grad, 2 * gradient)
