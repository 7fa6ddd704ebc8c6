"""Products of a loop: one gradient for all of its steps is that of each step added up."""

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
def test_one_gradient_is_the_sum_of_the_steps(system, monkeypatch) -> None:
    collected = gradients(system)
    monkeypatch.setattr(decoders, "defer_weight_gradients", nullcontext)
    stepwise = gradients(system)
    assert collected.keys() == stepwise.keys()
    for name, grad in stepwise.items():
        torch.testing.assert_close(collected[name], grad, atol=1e-10, rtol=1e-10)


def test_in_fp32_it_is_the_same_to_1e_5(monkeypatch) -> None:
    collected = gradients(SYSTEMS[0], double=False)
    monkeypatch.setattr(decoders, "defer_weight_gradients", nullcontext)
    for name, grad in gradients(SYSTEMS[0], double=False).items():
        torch.testing.assert_close(collected[name], grad, atol=1e-5, rtol=1e-5)


def test_a_loop_is_derived_correctly() -> None:
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


def test_a_second_backward_pass_begins_anew() -> None:
    layer = StepLinear(3, 3)
    with defer_weight_gradients():
        found = layer(layer(torch.ones(1, 3))).sum()
    found.backward(retain_graph=True)
    once = layer.weight.grad.clone()
    found.backward()
    torch.testing.assert_close(layer.weight.grad, 2 * once)
