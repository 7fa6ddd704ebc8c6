"""The trace of attn explain has the values of the network, for every kind of attention."""

import numpy as np
import pytest
import torch
from systems import (
    ACTIVATIONS,
    COVERING,
    WITH_ATTENTION,
    model_of,
    name_of,
    network_of,
    random_batch,
)

from attn_cli.nn.attention_trace import trace_attention, trace_self_attention
from attn_cli.types import BOS

TRANSFORMER = ("transformer", "multihead", "transformer")

each_system = pytest.mark.parametrize("system", WITH_ATTENTION, ids=map(name_of, WITH_ATTENTION))


def sentence() -> tuple[torch.Tensor, torch.Tensor]:
    """Return (S,) source and (T,) target pieces."""
    ids, lengths = random_batch(2, 6)
    source, target = (torch.from_numpy(row.astype(np.int64)) for row in ids)
    return source, target[: lengths[1]]


def recompute_energies(head) -> np.ndarray:
    """Return the energies (T, S) by the formula of step 4."""
    score = head.score
    if score.kind == "dot":
        return score.scale * head.queries @ head.keys.T
    inside = head.queries[:, None] + head.keys[None]  # (T, S, A)
    if score.coverage_vector is not None:
        inside = inside + head.coverage[..., None] * score.coverage_vector
    return ACTIVATIONS[score.activation](inside) @ score.vector


@pytest.fixture
def network_and_trace(system):
    network = network_of(system)
    with torch.inference_mode():
        return network, trace_attention(network, *sentence())


@each_system
def test_the_energies_are_those_of_the_formula(network_and_trace):
    for head in network_and_trace[1].heads:
        np.testing.assert_allclose(recompute_energies(head), head.energies, atol=1e-4)


@each_system
def test_the_contexts_are_the_weighted_sums_of_the_values(network_and_trace):
    for head in network_and_trace[1].heads:
        assert np.allclose(head.weights.sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(head.weights @ head.values, head.contexts, atol=1e-5)


@each_system
def test_weights_and_probabilities_are_those_of_the_network(network_and_trace):
    network, steps = network_and_trace
    source, target = sentence()
    with torch.inference_mode():
        memory = network.encode(source[None], torch.tensor([len(source)]))
        state, previous = network.init_state(memory), torch.tensor([BOS])
        for t, piece in enumerate(target):
            logits, weights, state = network.step(previous, state, memory)
            trace_weights = np.stack([head.weights[t] for head in steps.heads])
            np.testing.assert_allclose(
                weights.reshape(trace_weights.shape), trace_weights, atol=1e-5
            )
            np.testing.assert_allclose(logits[0].log_softmax(-1), steps.logp[t], atol=1e-5)
            previous = piece[None]


@each_system
def test_the_weights_are_the_normalized_energies(network_and_trace, system):
    if system[1] in ("sparsemax", "entmax"):
        pytest.skip("test_normalizers.py has their formulas")
    for head in network_and_trace[1].heads:
        energies = head.energies + (0 if head.bias is None else head.bias)
        probs = np.exp(energies - energies.max(1, keepdims=True))
        probs /= probs.sum(1, keepdims=True)
        np.testing.assert_allclose(probs, head.probs, atol=1e-5)
        one_hot = np.eye(probs.shape[1])[probs.argmax(1)]
        expected = one_hot if system[1] == "hard" else probs
        np.testing.assert_allclose(expected, head.weights, atol=1e-5)


def test_tracing_leaves_no_hooks_in_the_network():
    network = network_of(WITH_ATTENTION[0])
    with torch.inference_mode():
        trace_attention(network, *sentence())
        trace_self_attention(network, *sentence())
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_network_without_attention_is_refused():
    system = next(each for each in COVERING if each[1] == "none")
    with pytest.raises(ValueError, match="no steps to trace"):
        trace_attention(network_of(system), *sentence())


def test_self_attention_is_causal_in_the_decoder_and_covers_all_in_the_encoder():
    source, target = sentence()
    with torch.inference_mode():
        trace = trace_self_attention(network_of(TRANSFORMER), source, target)
    model = model_of(TRANSFORMER)
    assert len(trace.encoder) == model.encoder.layers
    assert len(trace.decoder) == model.decoder.layers
    for weights in trace.encoder:
        assert weights.shape == (model.encoder.heads, len(source), len(source))
        assert (weights > 0).all()
    for weights in trace.decoder:
        assert weights.shape == (model.attention.heads, len(target), len(target))
        assert not np.triu(weights, 1).any()
    for weights in (*trace.encoder, *trace.decoder):
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


def test_the_weights_of_self_attention_are_the_softmax_of_scaled_products():
    network, (source, target) = network_of(TRANSFORMER), sentence()
    projection, outputs = network.encoder.layers[0].self_attention.qkv_proj, []
    handle = projection.register_forward_hook(lambda _, inputs, output: outputs.append(output[0]))
    with torch.inference_mode():
        trace = trace_self_attention(network, source, target)
    handle.remove()
    heads = model_of(TRANSFORMER).encoder.heads
    parts = outputs[0].numpy().reshape(len(source), 3, heads, -1).transpose(1, 2, 0, 3)
    queries, keys, _ = parts  # (heads, S, d)
    energies = queries @ keys.transpose(0, 2, 1) / np.sqrt(queries.shape[-1])
    expected = np.exp(energies) / np.exp(energies).sum(-1, keepdims=True)
    np.testing.assert_allclose(trace.encoder[0], expected, atol=1e-5)


def test_tracing_self_attention_changes_no_output():
    network, (source, target) = network_of(TRANSFORMER), sentence()
    inputs = source[None], torch.tensor([len(source)]), target[None]
    with torch.inference_mode():
        before = network(*inputs).features
        trace_self_attention(network, source, target)
        assert torch.equal(network(*inputs).features, before)
