"""Properties of the network that hold for all values of its parameters."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from attn_cli.config import (
    AttentionConfig,
    DecoderConfig,
    DropoutConfig,
    EncoderConfig,
    ModelConfig,
)
from attn_cli.nn.builder import build_model
from attn_cli.nn.cells import CELLS
from attn_cli.nn.encoders import RecurrentEncoder, reverse_indices
from attn_cli.nn.masking import length_mask
from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.types import BOS, PAD

VOCAB = 23
TINY = ModelConfig(
    embedding=6,
    encoder=EncoderConfig(width=4),
    attention=AttentionConfig(width=5),
    decoder=DecoderConfig(width=7),
    dropout=DropoutConfig(embedding=0.3, states=0.3, output=0.3),
)
SHAPES = [
    TINY,
    replace(TINY, layer_norm=True),
    replace(TINY, tie_embeddings="none"),
    replace(
        TINY, encoder=EncoderConfig(width=4, layers=2), decoder=DecoderConfig(width=7, layers=3)
    ),
    replace(TINY, attention=AttentionConfig(width=5, activation="relu")),
    replace(TINY, attention=AttentionConfig(width=5, activation="sigmoid")),
]


def network_of(model: ModelConfig, *, double: bool = False):
    torch.manual_seed(7)
    network = build_model(model, source_vocab_size=VOCAB, target_vocab_size=VOCAB).eval()
    return network.double() if double else network


def random_batch():
    torch.manual_seed(3)
    src_len = torch.tensor([5, 2, 4])
    src = torch.randint(4, VOCAB, (3, 5)).masked_fill(~length_mask(src_len, 5), PAD)
    tgt = torch.randint(4, VOCAB, (3, 6))
    tgt[:, 0] = BOS
    return src, src_len, tgt


@pytest.mark.parametrize("model", SHAPES)
def test_a_full_pass_equals_single_steps(model) -> None:
    network = network_of(model)
    src, src_len, tgt = random_batch()
    output = network(src, src_len, tgt)
    logits = network.output_projection(output.features)
    memory = network.encode(src, src_len)
    state = network.init_state(memory)
    for t in range(tgt.shape[1]):
        step_logits, weights, state = network.step(tgt[:, t], state, memory)
        torch.testing.assert_close(step_logits, logits[:, t], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(weights, output.weights[:, t], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("model", SHAPES)
def test_weights_are_a_distribution_over_real_positions(model) -> None:
    src, src_len, tgt = random_batch()
    weights = network_of(model)(src, src_len, tgt).weights  # (B, T, S)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))
    padding = ~length_mask(src_len, src.shape[1])
    assert (weights.masked_select(padding[:, None, :].expand_as(weights)) == 0).all()


@pytest.mark.parametrize("model", SHAPES)
def test_padding_and_other_sentences_of_a_batch_do_not_change_a_result(model) -> None:
    network = network_of(model)
    src, src_len, tgt = random_batch()
    batched = network(src, src_len, tgt)
    for b in range(len(src)):
        n = int(src_len[b])
        alone = network(src[b : b + 1, :n], src_len[b : b + 1], tgt[b : b + 1])
        torch.testing.assert_close(alone.features[0], batched.features[b], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            alone.weights[0], batched.weights[b, :, :n], atol=1e-5, rtol=1e-5
        )
    padded = torch.nn.functional.pad(src, (0, 4), value=PAD)
    torch.testing.assert_close(
        network(padded, src_len, tgt).features, batched.features, atol=1e-5, rtol=1e-5
    )


def test_a_target_piece_does_not_change_earlier_positions() -> None:
    network = network_of(TINY)
    src, src_len, tgt = random_batch()
    changed = tgt.clone()
    changed[:, 4] = (changed[:, 4] + 1 - 4) % (VOCAB - 4) + 4
    before, after = network(src, src_len, tgt), network(src, src_len, changed)
    torch.testing.assert_close(before.features[:, :4], after.features[:, :4])
    assert not torch.allclose(before.features[:, 4], after.features[:, 4])


@pytest.mark.parametrize("model", [SHAPES[0], SHAPES[1], SHAPES[3]])
def test_gradients_agree_with_finite_differences(model) -> None:
    network = network_of(model, double=True)
    src, src_len, tgt = random_batch()
    target = tgt.roll(-1, dims=1)

    def loss() -> torch.Tensor:
        logits = network.output_projection(network(src, src_len, tgt).features)
        return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())

    network.zero_grad()
    loss().backward()
    generator = torch.Generator().manual_seed(5)
    for name, parameter in network.named_parameters():
        flat, grad = parameter.data.view(-1), parameter.grad.view(-1)
        # The first entry of an embedding is in the row of padding.
        for i in [0, *torch.randint(len(flat), (3,), generator=generator).tolist()]:
            value, h = flat[i].item(), 1e-6
            flat[i] = value + h
            above = loss().item()
            flat[i] = value - h
            below = loss().item()
            flat[i] = value
            numeric = (above - below) / (2 * h)
            assert abs(numeric - grad[i].item()) < 1e-7 + 1e-5 * abs(numeric), name


@pytest.mark.parametrize("bidirectional", [True, False], ids=["both", "forward"])
@pytest.mark.parametrize(("cell", "layer"), [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_the_encoder_equals_the_layer_of_torch_on_packed_sentences(
    cell, layer, bidirectional
) -> None:
    torch.manual_seed(2)
    options = {"cell": cell, "layers": 1, "bidirectional": bidirectional}
    encoder = RecurrentEncoder(6, 4, dropout=0.0, layer_norm=False, **options)
    torch_layer = layer(6, 4, bidirectional=bidirectional, batch_first=True)
    for name, weight in encoder.forward_layers[0].named_parameters():
        getattr(torch_layer, name).data.copy_(weight)
    for each in encoder.backward_layers:
        for name, weight in each.named_parameters():
            getattr(torch_layer, f"{name}_reverse").data.copy_(weight)
    embedded, lengths = torch.randn(3, 5, 6), torch.tensor([2, 5, 3])
    packed = nn.utils.rnn.pack_padded_sequence(
        embedded, lengths, batch_first=True, enforce_sorted=False
    )
    expected, _ = nn.utils.rnn.pad_packed_sequence(torch_layer(packed)[0], batch_first=True)
    torch.testing.assert_close(encoder(embedded, lengths), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("cell", "torch_class"), [("rnn", nn.RNNCell), ("lstm", nn.LSTMCell), ("gru", nn.GRUCell)]
)
def test_a_cell_with_split_input_equals_the_cell_of_torch(cell, torch_class) -> None:
    torch.manual_seed(2)
    split_cell, torch_cell = CELLS[cell](3, 4, 5, layer_norm=False), torch_class(7, 5)
    torch_cell.weight_ih.data.copy_(
        torch.cat([split_cell.from_input.weight, split_cell.from_context.weight], 1)
    )
    torch_cell.bias_ih.data.copy_(split_cell.from_input.bias)
    torch_cell.weight_hh.data.copy_(split_cell.from_state.weight)
    torch_cell.bias_hh.data.copy_(split_cell.from_state.bias)
    if cell == "lstm":
        torch_cell.bias_hh.data[5:10] += 1  # the forget gate is open at first
    embedded, context = torch.randn(2, 3), torch.randn(2, 4)
    state = tuple(torch.randn(2, 5) for _ in range(split_cell.num_state_tensors))
    result = split_cell(split_cell.from_input(embedded), context, state)
    expected = torch_cell(torch.cat([embedded, context], -1), state if cell == "lstm" else state[0])
    torch.testing.assert_close(result, expected if cell == "lstm" else (expected,))


def test_reverse_indices_reverse_each_sentence_and_keep_padding() -> None:
    assert reverse_indices(torch.tensor([3, 1]), 4).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize("tied", ["all", "output", "none"])
def test_tied_matrices_are_saved_once_and_tied_after_loading(tied) -> None:
    network = network_of(replace(TINY, tie_embeddings=tied))
    tensors = {name: t.clone() for name, t in unique_state_dict(network).items()}
    matrices = [t for t in tensors.values() if t.shape == (VOCAB, 6)]
    assert len(matrices) == {"all": 1, "output": 2, "none": 3}[tied]
    loaded = build_model(
        replace(TINY, tie_embeddings=tied), source_vocab_size=VOCAB, target_vocab_size=VOCAB
    ).eval()
    with torch.no_grad():
        load_state(loaded, tensors, where="test")
    src, src_len, tgt = random_batch()
    torch.testing.assert_close(
        loaded(src, src_len, tgt).features, network(src, src_len, tgt).features
    )
    is_tied = loaded.output_projection.weight is loaded.target_embedding.embedding.weight
    assert is_tied == (tied != "none")
