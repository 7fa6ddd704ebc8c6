"""The Transformer compared with the layers of torch, with equal parameters, and closed forms."""

import numpy as np
import pytest
import torch
from torch import nn

from attn_cli.nn.dot_product_attention import scaled_dot_product_attention
from attn_cli.nn.masking import length_mask
from attn_cli.nn.positions import MAX_POSITIONS, PositionalEncoding, sinusoids
from attn_cli.nn.transformer import (
    DecoderLayer,
    EncoderLayer,
    LayerOptions,
    TransformerDecoder,
    TransformerEncoder,
)

WIDTH, HEADS, HIDDEN = 8, 2, 12
LENGTHS, SIZE, TARGET = torch.tensor([5, 2, 4]), 5, 6
OPTIONS = LayerOptions(HEADS, HIDDEN, 0.0)

#: Name in the recipe → name in torch.
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": nn.functional.silu}
each_layer = pytest.mark.parametrize("activation", ACTIVATIONS)
each_order = pytest.mark.parametrize("norm_first", [True, False], ids=["pre-norm", "post-norm"])


def torch_layer_of(kind, options):
    """Return a layer of torch with these options."""
    fixed_options = {"dropout": 0.0, "batch_first": True, "norm_first": options.norm_first}
    return kind(WIDTH, HEADS, HIDDEN, activation=ACTIVATIONS[options.activation], **fixed_options)


def with_random_parameters(module):
    torch.manual_seed(9)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.6)
    return module


def random(*sizes, seed=2):
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


def copy_parameters(pairs):
    """Copy the parameters of layers into those of torch."""
    for layer, torch_layer in pairs:
        torch_layer.load_state_dict(layer.state_dict())


def copy_head_parameters(torch_layer, weights, biases, out):
    """Copy attention parameters; torch has the projections of q, k and v in one matrix."""
    torch_layer.in_proj_weight.data.copy_(torch.cat(weights))
    torch_layer.in_proj_bias.data.copy_(torch.cat(biases))
    copy_parameters([(out, torch_layer.out_proj)])


# Layers


@each_layer
@each_order
def test_an_encoder_layer_equals_that_of_torch(norm_first, activation):
    options = OPTIONS._replace(norm_first=norm_first, activation=activation)
    layer = with_random_parameters(EncoderLayer(WIDTH, options))
    torch_layer = torch_layer_of(nn.TransformerEncoderLayer, options)
    projections = layer.self_attention.qkv_proj
    copy_head_parameters(
        torch_layer.self_attn,
        [projections.weight],
        [projections.bias],
        layer.self_attention.out_proj,
    )
    copy_parameters(
        [
            (layer.self_attention.norm, torch_layer.norm1),
            (layer.feed_forward.norm, torch_layer.norm2),
            (layer.feed_forward.fc1, torch_layer.linear1),
            (layer.feed_forward.fc2, torch_layer.linear2),
        ]
    )
    states, mask = random(3, SIZE, WIDTH), length_mask(LENGTHS, SIZE)
    result = layer(states, mask[:, None, None, :])
    expected = torch_layer(states, src_key_padding_mask=~mask)
    torch.testing.assert_close(result[mask], expected[mask], atol=1e-5, rtol=1e-5)


@each_layer
@each_order
def test_a_decoder_layer_equals_that_of_torch(norm_first, activation):
    options = OPTIONS._replace(norm_first=norm_first, activation=activation)
    layer = with_random_parameters(DecoderLayer(WIDTH, WIDTH, options))
    torch_layer = torch_layer_of(nn.TransformerDecoderLayer, options)
    projections = layer.self_attention.qkv_proj
    query, source = layer.cross_query_proj, layer.cross_kv_proj
    copy_head_parameters(
        torch_layer.self_attn,
        [projections.weight],
        [projections.bias],
        layer.self_attention.out_proj,
    )
    copy_head_parameters(
        torch_layer.multihead_attn,
        [query.weight, source.weight],
        [query.bias, source.bias],
        layer.cross_out_proj,
    )
    copy_parameters(
        [
            (layer.self_attention.norm, torch_layer.norm1),
            (layer.cross_norm, torch_layer.norm2),
            (layer.feed_forward.norm, torch_layer.norm3),
            (layer.feed_forward.fc1, torch_layer.linear1),
            (layer.feed_forward.fc2, torch_layer.linear2),
        ]
    )
    states, values = random(3, TARGET, WIDTH), random(3, SIZE, WIDTH, seed=3)
    mask = length_mask(LENGTHS, SIZE)
    keys, value_parts = layer.cross_kv_proj(values).chunk(2, -1)
    result, contexts, weights = layer(
        states, keys, value_parts, mask[:, None, None, :], weights=True
    )
    causal_mask = nn.Transformer.generate_square_subsequent_mask(TARGET)
    expected = torch_layer(states, values, tgt_mask=causal_mask, memory_key_padding_mask=~mask)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)

    cross_queries = layer.cross_norm.pre_norm(layer.self_attention(states, causal=True))
    expected_contexts, expected_weights = torch_layer.multihead_attn(
        cross_queries, values, values, key_padding_mask=~mask, average_attn_weights=False
    )
    torch.testing.assert_close(contexts, expected_contexts, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weights, expected_weights, atol=1e-5, rtol=1e-5)


# Attention


@pytest.mark.parametrize("mask_kind", ["nothing", "padding", "causal"])
def test_the_fused_kernel_equals_the_explicit_product(mask_kind):
    queries, keys, values = (random(3, HEADS, SIZE, 4, seed=seed) for seed in (1, 2, 3))
    options = {
        "nothing": {},
        "padding": {"mask": length_mask(LENGTHS, SIZE)[:, None, None, :]},
        "causal": {"causal": True},
    }[mask_kind]
    fused, no_weights = scaled_dot_product_attention(queries, keys, values, **options)
    explicit, weights = scaled_dot_product_attention(queries, keys, values, weights=True, **options)
    assert no_weights is None
    torch.testing.assert_close(fused, explicit)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, HEADS, SIZE))
    mask = {
        "nothing": torch.ones(SIZE, SIZE, dtype=torch.bool),
        "padding": length_mask(LENGTHS, SIZE)[:, None, None, :],
        "causal": torch.ones(SIZE, SIZE, dtype=torch.bool).tril(),
    }[mask_kind]
    assert ((weights > 0) == mask).all()


@pytest.mark.parametrize("causal", [True, False])
def test_under_autocast_the_fused_kernel_and_its_gradient_stay_those_of_fp32(causal):
    parts = [random(3, HEADS, SIZE, 4, seed=seed).bfloat16() for seed in (1, 2, 3)]
    exact = [part.float().requires_grad_() for part in parts]
    low_precision = [part.clone().requires_grad_() for part in parts]
    expected, _ = scaled_dot_product_attention(*exact, causal=causal)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result, _ = scaled_dot_product_attention(*low_precision, causal=causal)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result, expected.bfloat16())
    gradients = torch.autograd.grad(result.float().sum(), low_precision)
    for gradient, expected_gradient in zip(
        gradients, torch.autograd.grad(expected.sum(), exact), strict=True
    ):
        torch.testing.assert_close(gradient, expected_gradient.bfloat16())


def test_the_product_is_scaled_by_the_root_of_a_heads_width():
    queries, keys, values = (random(1, 1, 3, 4, seed=seed).numpy() for seed in (1, 2, 3))
    powers = np.exp(queries[0, 0] @ keys[0, 0].T / 2)
    expected = powers / powers.sum(-1, keepdims=True) @ values[0, 0]
    result, _ = scaled_dot_product_attention(
        *map(torch.from_numpy, (queries, keys, values)), weights=True
    )
    np.testing.assert_allclose(result[0, 0], expected, atol=1e-6)


def decoder(positions="sinusoidal", norm_first=True):
    options = OPTIONS._replace(norm_first=norm_first)
    return with_random_parameters(
        TransformerDecoder(WIDTH, options, value_size=WIDTH, layers=2, positions=positions)
    )


def decode(module, embedded, **options):
    memory = module.prepare_memory(random(3, SIZE, WIDTH, seed=5), length_mask(LENGTHS, SIZE))
    return module.unroll(embedded, memory, **options)


@pytest.mark.parametrize("training", [True, False])
def test_decoding_without_weights_gives_the_same_states_and_gradients(training):
    module = decoder().train(training)
    embedded = random(3, TARGET, WIDTH).requires_grad_()
    with_weights, without_weights = (
        decode(module, embedded, weights=weights) for weights in (True, False)
    )
    assert without_weights.weights is None
    torch.testing.assert_close(without_weights.states, with_weights.states)
    torch.testing.assert_close(without_weights.contexts, with_weights.contexts)
    gradients = [
        torch.autograd.grad(each.states.square().sum(), embedded)
        for each in (with_weights, without_weights)
    ]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


def test_weights_contain_every_head_in_the_order_of_layers():
    module = decoder()
    embedded = random(3, TARGET, WIDTH)
    output = decode(module, embedded)
    assert output.weights.shape == (3, TARGET, 2 * HEADS, SIZE)
    mask = length_mask(LENGTHS, SIZE)
    states = module.positional_encoding(embedded, torch.arange(TARGET))
    for depth, layer in enumerate(module.layers):
        keys, values = layer.cross_kv_proj(random(3, SIZE, WIDTH, seed=5)).chunk(2, -1)
        states, _, weights = layer(states, keys, values, mask[:, None, None, :], weights=True)
        heads = output.weights[:, :, depth * HEADS : (depth + 1) * HEADS]
        torch.testing.assert_close(heads, weights.transpose(1, 2))


@pytest.mark.parametrize("changed", range(1, TARGET))
def test_a_target_word_does_not_change_earlier_positions(changed):
    module, embedded = decoder(), random(3, TARGET, WIDTH)
    changed_input = embedded.clone()
    changed_input[:, changed] = random(3, WIDTH, seed=8)
    before, after = decode(module, embedded), decode(module, changed_input)
    for one, two in zip(before[:3], after[:3], strict=True):
        torch.testing.assert_close(one[:, :changed], two[:, :changed], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(before.states[:, changed], after.states[:, changed])


@each_order
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_steps_with_a_growing_cache_equal_one_full_pass(positions, norm_first):
    module, embedded = decoder(positions, norm_first), random(3, TARGET, WIDTH)
    full_output = decode(module, embedded)
    memory = module.prepare_memory(random(3, SIZE, WIDTH, seed=5), length_mask(LENGTHS, SIZE))
    state = module.init_state(memory)
    for t in range(TARGET):
        assert state["position"].tolist() == [t] * 3
        assert state["keys0"].shape == state["values1"].shape == (3, t, WIDTH)
        output, state = module.step(embedded[:, t], state, memory)
        for one, two in zip(output[:3], full_output[:3], strict=True):
            torch.testing.assert_close(one, two[:, t], atol=1e-5, rtol=1e-5)


# Positions


def test_sinusoids_are_those_of_the_closed_form():
    width, indices = 10, np.array([0, 1, 2, 17, 300])
    angles = indices[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(sinusoids(torch.from_numpy(indices), width), expected, atol=1e-4)


def test_products_of_sinusoids_depend_on_the_distance_alone():
    near, far = (sinusoids(torch.arange(5) + start, 16).double() for start in (0, 200))
    torch.testing.assert_close(near @ near.T, far @ far.T, atol=1e-3, rtol=1e-3)


def test_learned_positions_beyond_the_last_equal_the_last():
    position = PositionalEncoding(WIDTH, kind="learned")
    indices = torch.tensor([0, MAX_POSITIONS - 1, MAX_POSITIONS, 10 * MAX_POSITIONS])
    encoded = position(torch.zeros(4, WIDTH), indices)
    assert encoded[1].equal(encoded[2])
    assert encoded[1].equal(encoded[3])
    assert not encoded[0].equal(encoded[1])


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_without_positional_encoding_the_order_of_words_has_no_effect(positions):
    module = with_random_parameters(
        TransformerEncoder(WIDTH, OPTIONS, layers=2, positions=positions)
    ).eval()
    embedded, order = random(1, SIZE, WIDTH), torch.tensor([3, 0, 4, 1, 2])
    length = torch.tensor([SIZE])
    in_order, permuted = module(embedded, length), module(embedded[:, order], length)
    assert not torch.allclose(permuted, in_order[:, order], atol=1e-2)
    module.positional_encoding.forward = lambda embedded, places: embedded
    in_order, permuted = module(embedded, length), module(embedded[:, order], length)
    torch.testing.assert_close(permuted, in_order[:, order], atol=1e-5, rtol=1e-5)


def test_states_of_padding_are_zero():
    module = with_random_parameters(
        TransformerEncoder(WIDTH, OPTIONS, layers=1, positions="sinusoidal")
    ).eval()
    states = module(random(3, SIZE, WIDTH), LENGTHS)
    assert (states[~length_mask(LENGTHS, SIZE)] == 0).all()
