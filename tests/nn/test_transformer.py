"""The Transformer against torch's own layers with the same weights, and against closed forms."""

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

#: Of the recipe → of torch.
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": nn.functional.silu}
each_layer = pytest.mark.parametrize("activation", ACTIVATIONS)
each_order = pytest.mark.parametrize("norm_first", [True, False], ids=["pre-norm", "post-norm"])


def torchs(kind, options):
    """A layer of torch's with these options."""
    how = {"dropout": 0.0, "batch_first": True, "norm_first": options.norm_first}
    return kind(WIDTH, HEADS, HIDDEN, activation=ACTIVATIONS[options.activation], **how)


def opinionated(module):
    torch.manual_seed(9)
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.6)
    return module


def random(*sizes, seed=2):
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


def copied(pairs):
    """Weights and biases of layers of ours into layers of torch's."""
    for ours, theirs in pairs:
        theirs.load_state_dict(ours.state_dict())


def copied_heads(theirs, weights, biases, out):
    """Torch keeps the maps of queries, keys and values in one matrix."""
    theirs.in_proj_weight.data.copy_(torch.cat(weights))
    theirs.in_proj_bias.data.copy_(torch.cat(biases))
    copied([(out, theirs.out_proj)])


# Layers


@each_layer
@each_order
def test_an_encoder_layer_is_torchs(norm_first, activation):
    options = OPTIONS._replace(norm_first=norm_first, activation=activation)
    ours = opinionated(EncoderLayer(WIDTH, options))
    theirs = torchs(nn.TransformerEncoderLayer, options)
    maps = ours.self_attention.qkv_proj
    copied_heads(theirs.self_attn, [maps.weight], [maps.bias], ours.self_attention.out_proj)
    copied(
        [
            (ours.self_attention.norm, theirs.norm1),
            (ours.feed_forward.norm, theirs.norm2),
            (ours.feed_forward.fc1, theirs.linear1),
            (ours.feed_forward.fc2, theirs.linear2),
        ]
    )
    states, mask = random(3, SIZE, WIDTH), length_mask(LENGTHS, SIZE)
    found = ours(states, mask[:, None, None, :])
    expected = theirs(states, src_key_padding_mask=~mask)
    torch.testing.assert_close(found[mask], expected[mask], atol=1e-5, rtol=1e-5)


@each_layer
@each_order
def test_a_decoder_layer_is_torchs(norm_first, activation):
    options = OPTIONS._replace(norm_first=norm_first, activation=activation)
    ours = opinionated(DecoderLayer(WIDTH, WIDTH, options))
    theirs = torchs(nn.TransformerDecoderLayer, options)
    maps = ours.self_attention.qkv_proj
    query, source = ours.cross_query_proj, ours.cross_kv_proj
    copied_heads(theirs.self_attn, [maps.weight], [maps.bias], ours.self_attention.out_proj)
    copied_heads(
        theirs.multihead_attn,
        [query.weight, source.weight],
        [query.bias, source.bias],
        ours.cross_out_proj,
    )
    copied(
        [
            (ours.self_attention.norm, theirs.norm1),
            (ours.cross_norm, theirs.norm2),
            (ours.feed_forward.norm, theirs.norm3),
            (ours.feed_forward.fc1, theirs.linear1),
            (ours.feed_forward.fc2, theirs.linear2),
        ]
    )
    states, values = random(3, TARGET, WIDTH), random(3, SIZE, WIDTH, seed=3)
    mask = length_mask(LENGTHS, SIZE)
    keys, parts = ours.cross_kv_proj(values).chunk(2, -1)
    found, contexts, weights = ours(states, keys, parts, mask[:, None, None, :], weights=True)
    later = nn.Transformer.generate_square_subsequent_mask(TARGET)
    expected = theirs(states, values, tgt_mask=later, memory_key_padding_mask=~mask)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    asked = ours.cross_norm.pre_norm(ours.self_attention(states, causal=True))
    looked, shares = theirs.multihead_attn(
        asked, values, values, key_padding_mask=~mask, average_attn_weights=False
    )
    torch.testing.assert_close(contexts, looked, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weights, shares, atol=1e-5, rtol=1e-5)


# Attention


@pytest.mark.parametrize("masked", ["nothing", "padding", "causal"])
def test_the_fused_kernel_finds_what_the_product_written_out_finds(masked):
    queries, keys, values = (random(3, HEADS, SIZE, 4, seed=seed) for seed in (1, 2, 3))
    how = {
        "nothing": {},
        "padding": {"mask": length_mask(LENGTHS, SIZE)[:, None, None, :]},
        "causal": {"causal": True},
    }[masked]
    fused, none = scaled_dot_product_attention(queries, keys, values, **how)
    explicit, weights = scaled_dot_product_attention(queries, keys, values, weights=True, **how)
    assert none is None
    torch.testing.assert_close(fused, explicit)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, HEADS, SIZE))
    allowed = {
        "nothing": torch.ones(SIZE, SIZE, dtype=torch.bool),
        "padding": length_mask(LENGTHS, SIZE)[:, None, None, :],
        "causal": torch.ones(SIZE, SIZE, dtype=torch.bool).tril(),
    }[masked]
    assert ((weights > 0) == allowed).all()


@pytest.mark.parametrize("causal", [True, False])
def test_under_autocast_the_fused_kernel_and_its_gradient_stay_those_of_fp32(causal):
    parts = [random(3, HEADS, SIZE, 4, seed=seed).bfloat16() for seed in (1, 2, 3)]
    exact = [part.float().requires_grad_() for part in parts]
    rough = [part.clone().requires_grad_() for part in parts]
    expected, _ = scaled_dot_product_attention(*exact, causal=causal)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = scaled_dot_product_attention(*rough, causal=causal)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected.bfloat16())
    gradients = torch.autograd.grad(found.float().sum(), rough)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected.sum(), exact), strict=True):
        torch.testing.assert_close(ours, theirs.bfloat16())


def test_the_product_is_scaled_by_the_root_of_a_heads_width():
    queries, keys, values = (random(1, 1, 3, 4, seed=seed).numpy() for seed in (1, 2, 3))
    powers = np.exp(queries[0, 0] @ keys[0, 0].T / 2)
    expected = powers / powers.sum(-1, keepdims=True) @ values[0, 0]
    found, _ = scaled_dot_product_attention(
        *map(torch.from_numpy, (queries, keys, values)), weights=True
    )
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-6)


def decoder(positions="sinusoidal", norm_first=True):
    options = OPTIONS._replace(norm_first=norm_first)
    return opinionated(
        TransformerDecoder(WIDTH, options, value_size=WIDTH, layers=2, positions=positions)
    )


def decoded(module, embedded, **how):
    memory = module.prepare_memory(random(3, SIZE, WIDTH, seed=5), length_mask(LENGTHS, SIZE))
    return module.unroll(embedded, memory, **how)


@pytest.mark.parametrize("training", [True, False])
def test_a_target_read_without_weights_is_read_the_same(training):
    module = decoder().train(training)
    embedded = random(3, TARGET, WIDTH).requires_grad_()
    seen, unseen = (decoded(module, embedded, weights=asked) for asked in (True, False))
    assert unseen.weights is None
    torch.testing.assert_close(unseen.states, seen.states)
    torch.testing.assert_close(unseen.contexts, seen.contexts)
    gradients = [
        torch.autograd.grad(each.states.square().sum(), embedded) for each in (seen, unseen)
    ]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


def test_weights_are_those_of_every_head_layer_by_layer():
    module = decoder()
    embedded = random(3, TARGET, WIDTH)
    found = decoded(module, embedded)
    assert found.weights.shape == (3, TARGET, 2 * HEADS, SIZE)
    mask = length_mask(LENGTHS, SIZE)
    states = module.positional_encoding(embedded, torch.arange(TARGET))
    for depth, layer in enumerate(module.layers):
        keys, values = layer.cross_kv_proj(random(3, SIZE, WIDTH, seed=5)).chunk(2, -1)
        states, _, shares = layer(states, keys, values, mask[:, None, None, :], weights=True)
        heads = found.weights[:, :, depth * HEADS : (depth + 1) * HEADS]
        torch.testing.assert_close(heads, shares.transpose(1, 2))


@pytest.mark.parametrize("changed", range(1, TARGET))
def test_a_future_word_changes_nothing_before_it(changed):
    module, embedded = decoder(), random(3, TARGET, WIDTH)
    other = embedded.clone()
    other[:, changed] = random(3, WIDTH, seed=8)
    before, after = decoded(module, embedded), decoded(module, other)
    for one, two in zip(before[:3], after[:3], strict=True):
        torch.testing.assert_close(one[:, :changed], two[:, :changed], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(before.states[:, changed], after.states[:, changed])


@each_order
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_a_step_reads_no_more_than_the_words_so_far_and_grows_its_cache(positions, norm_first):
    module, embedded = decoder(positions, norm_first), random(3, TARGET, WIDTH)
    whole = decoded(module, embedded)
    memory = module.prepare_memory(random(3, SIZE, WIDTH, seed=5), length_mask(LENGTHS, SIZE))
    state = module.init_state(memory)
    for t in range(TARGET):
        assert state["position"].tolist() == [t] * 3
        assert state["keys0"].shape == state["values1"].shape == (3, t, WIDTH)
        found, state = module.step(embedded[:, t], state, memory)
        for one, two in zip(found[:3], whole[:3], strict=True):
            torch.testing.assert_close(one, two[:, t], atol=1e-5, rtol=1e-5)


# Positions


def test_sinusoids_are_those_of_the_closed_form():
    width, places = 10, np.array([0, 1, 2, 17, 300])
    angles = places[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(sinusoids(torch.from_numpy(places), width), expected, atol=1e-4)


def test_products_of_sinusoids_depend_on_the_distance_alone():
    near, far = (sinusoids(torch.arange(5) + start, 16).double() for start in (0, 200))
    torch.testing.assert_close(near @ near.T, far @ far.T, atol=1e-3, rtol=1e-3)


def test_learned_positions_beyond_the_last_are_the_last():
    position = PositionalEncoding(WIDTH, kind="learned")
    places = torch.tensor([0, MAX_POSITIONS - 1, MAX_POSITIONS, 10 * MAX_POSITIONS])
    found = position(torch.zeros(4, WIDTH), places)
    assert found[1].equal(found[2])
    assert found[1].equal(found[3])
    assert not found[0].equal(found[1])


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_without_positions_words_would_be_a_set(positions):
    module = opinionated(TransformerEncoder(WIDTH, OPTIONS, layers=2, positions=positions)).eval()
    embedded, order = random(1, SIZE, WIDTH), torch.tensor([3, 0, 4, 1, 2])
    length = torch.tensor([SIZE])
    straight, mixed = module(embedded, length), module(embedded[:, order], length)
    assert not torch.allclose(mixed, straight[:, order], atol=1e-2)
    module.positional_encoding.forward = lambda embedded, places: embedded
    straight, mixed = module(embedded, length), module(embedded[:, order], length)
    torch.testing.assert_close(mixed, straight[:, order], atol=1e-5, rtol=1e-5)


def test_states_of_padding_are_zero():
    module = opinionated(
        TransformerEncoder(WIDTH, OPTIONS, layers=1, positions="sinusoidal")
    ).eval()
    states = module(random(3, SIZE, WIDTH), LENGTHS)
    assert (states[~length_mask(LENGTHS, SIZE)] == 0).all()
