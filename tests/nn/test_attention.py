"""The kinds of attention against their formulas in numpy, against one another, and by chance."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from attn_cli import config
from attn_cli.nn import attention
from attn_cli.nn.attention import (
    HardAttention,
    LocalAttention,
    Memory,
    MultiHeadAttention,
    NoAttention,
    RowLayout,
    SoftAttention,
)
from attn_cli.nn.builder import build_model
from attn_cli.nn.encoders import RecurrentEncoder
from attn_cli.nn.masking import length_mask
from attn_cli.nn.normalizers import softmax, sparsemax
from attn_cli.nn.scorers import AdditiveScorer, GeneralScorer, ScaledDotScorer
from attn_cli.training.losses import negative_log_likelihood
from attn_cli.training.reinforce import compute_advantages, reinforce_loss
from attn_cli.types import BOS, EOS

H, D, A = 4, 6, 5  # units of a query, of a value, of a key
LENGTHS = torch.tensor([9, 1, 4])
SIZE = 9


def with_random_parameters(module):
    """The module in eval mode, its parameters large enough for uneven attention weights."""
    torch.manual_seed(11)
    for weight in module.parameters():
        nn.init.normal_(weight)
    return module.eval()


def a_batch():
    """States (B, H) that ask, values (B, S, D) and where they are real (B, S)."""
    torch.manual_seed(4)
    return torch.randn(3, H), torch.randn(3, SIZE, D), length_mask(LENGTHS, SIZE)


def attend(module, states, values, mask, **named):
    with torch.no_grad():
        return module(states, module.prepare_memory(values, mask), **named)


def sentences():
    """Each sentence of the batch alone, as numpy has it: its number, its state, its values."""
    states, values, _ = a_batch()
    for n, length in enumerate(LENGTHS.tolist()):
        yield n, states[n].numpy(), values[n, :length].numpy()


def weights_of(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array(layer):
    return layer.weight.detach().numpy()


def additive_scores(scorer, s, h):
    asked = array(scorer.query) @ s + scorer.query.bias.detach().numpy()
    return np.tanh(asked + h @ array(scorer.key).T) @ array(scorer.energy)[0]


# Soft


def test_soft_attention_gives_the_mean_of_the_values_by_softmax_of_the_scores():
    module = with_random_parameters(SoftAttention(AdditiveScorer(H, D, A), value_size=D))
    output = attend(module, *a_batch())
    for n, s, h in sentences():
        expected = weights_of(additive_scores(module.scorer, s, h))
        np.testing.assert_allclose(output.weights[n, : len(h)], expected, atol=1e-6)
        assert (output.weights[n, len(h) :] == 0).all()
        np.testing.assert_allclose(output.contexts[n], expected @ h, atol=1e-5)


def test_scaled_dot_attention_maps_queries_keys_and_values():
    scorer = ScaledDotScorer(H, D, A)
    module = with_random_parameters(SoftAttention(scorer, value_size=D, project_values=True))
    output = attend(module, *a_batch())
    for n, s, h in sentences():
        query = array(scorer.query) @ s + scorer.query.bias.detach().numpy()
        expected = weights_of(h @ array(scorer.key).T @ query / np.sqrt(A))
        np.testing.assert_allclose(output.weights[n, : len(h)], expected, atol=1e-5)
        mapped = h @ array(module.value_proj).T
        np.testing.assert_allclose(output.contexts[n], expected @ mapped, atol=1e-5)


def test_a_sparse_normalizer_leaves_positions_out():
    module = with_random_parameters(
        SoftAttention(AdditiveScorer(H, D, A), value_size=D, normalizer=sparsemax)
    )
    weights = attend(module, *a_batch()).weights
    torch.testing.assert_close(weights.sum(-1), torch.ones(3))
    assert 0 < (weights[0] > 0).sum() < SIZE


def test_coverage_changes_the_scores_as_the_scorer_says():
    module = with_random_parameters(
        SoftAttention(AdditiveScorer(H, D, A, coverage=True), value_size=D)
    )
    covered = torch.rand(3, SIZE)
    output = attend(module, *a_batch(), coverage=covered)
    scorer = module.scorer
    for n, s, h in sentences():
        hidden = array(scorer.query) @ s + scorer.query.bias.detach().numpy()
        hidden = hidden + h @ array(scorer.key).T
        hidden = hidden + covered[n, : len(h), None].numpy() * array(scorer.coverage_proj)[:, 0]
        expected = weights_of(np.tanh(hidden) @ array(scorer.energy)[0])
        np.testing.assert_allclose(output.weights[n, : len(h)], expected, atol=1e-6)


@pytest.mark.parametrize("input_feeding", ["false", "true"])
def test_coverage_is_the_sum_of_the_weights_so_far(input_feeding):
    network = with_random_parameters(
        network_of(f"model.decoder.input_feeding={input_feeding}", *COVERS)
    )
    memory = network.encode(torch.tensor([[4, 5, 6, EOS], [7, EOS, 0, 0]]), torch.tensor([4, 2]))
    state, total = network.init_state(memory), torch.zeros(2, 4)
    for piece in (BOS, 4, 7, 5):
        torch.testing.assert_close(state["coverage"], total)
        _, weights, state = network.step(torch.tensor([piece, piece]), state, memory)
        total = total + weights


# Local


def local(window):
    module = LocalAttention(GeneralScorer(H, D), query_size=H, value_size=D, window=window)
    return with_random_parameters(module)


@pytest.mark.parametrize("window", [1, 2, 3, 20])
def test_local_attention_multiplies_weights_by_a_gaussian_around_a_predicted_position(window):
    module = local(window)
    output = attend(module, *a_batch())
    for n, s, h in sentences():
        hidden = np.tanh(array(module.hidden) @ s + module.hidden.bias.detach().numpy())
        centre = (len(h) - 1) * sigmoid(array(module.position)[0] @ hidden)
        away = np.arange(len(h)) - centre
        scores = h @ array(module.scorer.key).T @ s / np.sqrt(H)
        seen = weights_of(scores) * np.exp(-(away**2) / (2 * (window / 2) ** 2))
        seen = seen * (np.abs(away) <= window)
        expected = seen / seen.sum()
        np.testing.assert_allclose(output.weights[n, : len(h)], expected, atol=1e-5)
        np.testing.assert_allclose(output.contexts[n], expected @ h, atol=1e-5)


@pytest.mark.parametrize("window", [1, 3])
def test_local_attention_sees_a_window_alone_and_always_something(window):
    weights = attend(local(window), *a_batch()).weights
    torch.testing.assert_close(weights.sum(-1), torch.ones(3))
    assert ((weights > 0).sum(-1) <= 2 * window + 1).all()
    assert weights[1].tolist() == [1.0, *[0.0] * (SIZE - 1)]  # a sentence of one piece


# Hard


def hard_and_soft():
    """Hard attention, and soft attention with the same weights."""
    scorer = AdditiveScorer(H, D, A)
    return with_random_parameters(HardAttention(scorer, value_size=D)), SoftAttention(
        scorer, value_size=D
    ).eval()


def test_hard_attention_looks_at_the_likeliest_position_once_it_has_learned():
    hard, soft = hard_and_soft()
    states, values, mask = a_batch()
    output = attend(hard, states, values, mask)
    best = attend(soft, states, values, mask).weights.argmax(-1)
    assert output.sampled_logp is None
    assert output.weights.equal(nn.functional.one_hot(best, SIZE).float())
    assert output.contexts.equal(values[torch.arange(3), best])


def test_hard_attention_that_learns_looks_at_one_position_and_says_how_likely_it_was(monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 0.0)
    hard, soft = hard_and_soft()
    states, values, mask = a_batch()
    weights = attend(soft, states, values, mask).weights
    for _ in range(5):
        output = attend(hard.train(), states, values, mask)
        torch.testing.assert_close(output.weights, weights)
        at = (output.contexts[:, None] == values).all(-1)  # (B, S)
        assert (at.sum(-1) == 1).all()
        assert mask[at].all()
        torch.testing.assert_close(output.sampled_logp, weights[at].log())


def test_hard_attention_that_expects_is_soft_attention(monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 1.0)
    hard, soft = hard_and_soft()
    states, values, mask = a_batch()
    output, expected = (
        each.train()(states, each.prepare_memory(values, mask)) for each in (hard, soft)
    )
    torch.testing.assert_close(output.contexts, expected.contexts)
    assert (output.sampled_logp == 0).all()
    wanted = torch.randn_like(output.contexts)
    weights = list(hard.parameters())
    found = [
        torch.autograd.grad((each.contexts * wanted).sum(), weights) for each in (output, expected)
    ]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


# How hard attention learns

TINY = (
    *("model.embedding=3", "model.encoder.width=2", "model.decoder.width=3"),
    *("model.attention.width=3", "model.dropout.embedding=0", "model.dropout.states=0"),
    "model.dropout.output=0",
)
HARD = "model.attention.kind=hard"
COVERS = ("model.attention.kind=additive", "model.attention.coverage=true")
LEARNS = config.TrainConfig(reinforce_weight=1.0, entropy_bonus=0.0)
SOURCE, TARGET = [4, 5, EOS], [6, EOS]  # three positions, and what is to be said of them


def network_of(*choices):
    model = config.with_settings(config.Recipe(), [*TINY, *choices]).model
    return build_model(model, source_vocab_size=8, target_vocab_size=8)


def toy(steps):
    """A network that learns to say `steps` pieces of three positions; its pass over n copies."""
    network = with_random_parameters(network_of(HARD)).double().train()
    wanted = torch.tensor(TARGET[-steps:])
    given = torch.cat([torch.tensor([BOS]), wanted[:-1]])

    def passed(n):
        source, lengths = torch.tensor(SOURCE).expand(n, -1), torch.full((n,), len(SOURCE))
        return network(source, lengths, given.expand(n, -1)), wanted.expand(n, -1)

    return network, passed


def gradient(loss, network):
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    pairs = zip(found, network.parameters(), strict=True)
    return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for g, w in pairs])


def expectation(network, passed, steps, monkeypatch):
    """The gradient of the expected loss a piece, summed over all that may be drawn; its value."""
    ways = torch.tensor(list(product(range(len(SOURCE)), repeat=steps)))  # (3^T, T)
    draws = iter(ways.T)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "multinomial", lambda weights, n: next(draws)[:, None])
        found, wanted = passed(len(ways))
    logp = (
        network.output_projection(found.features)
        .log_softmax(-1)
        .gather(2, wanted[..., None])[..., 0]
    )
    likely = found.sampled_logp.sum(1).exp()  # (3^T,)
    torch.testing.assert_close(likely.sum(), torch.ones(()))
    expected = (likely * logp.sum(1)).sum() / steps
    return gradient(-expected, network), float(expected.detach())


def estimates(network, passed, *, baseline, batches=80, size=128):
    """The gradients (batches, P) of training's loss, each of a batch of draws."""
    torch.manual_seed(1)
    rows = []
    for _ in range(batches):
        found, wanted = passed(size)
        loss = negative_log_likelihood(network, found.features, wanted, smoothing=0.0)
        taught, _ = reinforce_loss(network, found, wanted, baseline=baseline, settings=LEARNS)
        rows.append(gradient(loss + taught, network))
    return torch.stack(rows)


def error_of(rows):
    """The standard error of their mean."""
    return rows.std(0) / len(rows) ** 0.5


def assert_centred(rows, exact):
    apart = (rows.mean(0) - exact).abs()
    assert (apart <= 4 * error_of(rows) + 1e-6).all(), (apart / error_of(rows)).nan_to_num().max()


@pytest.mark.parametrize("steps", [1, 2])
def test_the_mean_of_sampled_gradients_is_that_of_the_expected_likelihood(steps, monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 0.0)
    network, passed = toy(steps)
    names = [name for name, w in network.named_parameters() for _ in range(w.numel())]
    scored = torch.tensor(["scorer" in name for name in names])
    exact, mean = expectation(network, passed, steps, monkeypatch)
    without = estimates(network, passed, baseline=0.0)
    assert_centred(without, exact)
    against = estimates(network, passed, baseline=mean)
    assert_centred(against, exact)
    assert (exact.abs() > 10 * error_of(against))[scored].any()  # or being near would say little
    assert against[:, scored].var(0).sum() < without[:, scored].var(0).sum() / 2


def test_an_advantage_is_what_comes_from_a_word_on_less_what_was_to_be_expected():
    logp = torch.tensor([[-1.0, -4.0, -2.0], [-3.0, -1.0, 0.0]])
    real = torch.tensor([[True, True, True], [True, True, False]])
    found = compute_advantages(logp, real, -2.0)
    assert found.tolist() == [[-1.0, -2.0, 0.0], [0.0, 1.0, 0.0]]


def test_the_baseline_moves_a_tenth_of_the_way_to_what_choices_brought(monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 0.0)
    network, passed = toy(2)
    found, wanted = passed(7)
    loss = negative_log_likelihood(network, found.features, wanted, smoothing=0.0)
    mean = -float(loss.detach())
    _, first = reinforce_loss(network, found, wanted, baseline=None, settings=LEARNS)
    _, second = reinforce_loss(network, found, wanted, baseline=-5.0, settings=LEARNS)
    assert first == pytest.approx(mean, rel=1e-5)
    assert second == pytest.approx(0.9 * -5.0 + 0.1 * mean, rel=1e-5)


def test_the_bonus_is_the_mean_entropy_of_the_choices(monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 0.0)
    network, passed = toy(2)
    found, wanted = passed(3)
    doubting = config.TrainConfig(reinforce_weight=0.0, entropy_bonus=0.5)
    loss, _ = reinforce_loss(network, found, wanted, baseline=0.0, settings=doubting)
    w = found.weights.detach().numpy()
    assert float(loss.detach()) == pytest.approx(0.5 * np.mean((w * np.log(w)).sum(-1)), rel=1e-5)


# Many heads


def test_one_head_with_identity_maps_is_soft_attention():
    scorer = AdditiveScorer(H, D, A)
    one = with_random_parameters(MultiHeadAttention([scorer], value_size=D))
    for each in (one.value_proj, one.out_proj):
        nn.init.eye_(each.weight)
    expected = attend(SoftAttention(scorer, value_size=D).eval(), *a_batch())
    output = attend(one, *a_batch())
    torch.testing.assert_close(output.contexts, expected.contexts)
    torch.testing.assert_close(output.weights[:, 0], expected.weights)


def test_each_head_scores_by_itself_and_weighs_its_part_of_the_values():
    scorers = [ScaledDotScorer(H, D, 2), ScaledDotScorer(H, D, 2), ScaledDotScorer(H, D, 2)]
    module = with_random_parameters(MultiHeadAttention(scorers, value_size=D))
    output = attend(module, *a_batch())
    for n, s, h in sentences():
        mapped, heads = h @ array(module.value_proj).T, []
        for head, scorer in enumerate(scorers):
            query = array(scorer.query) @ s + scorer.query.bias.detach().numpy()
            expected = weights_of(h @ array(scorer.key).T @ query / np.sqrt(2))
            np.testing.assert_allclose(output.weights[n, head, : len(h)], expected, atol=1e-5)
            assert (output.weights[n, head, len(h) :] == 0).all()
            heads.append(expected @ mapped[:, 2 * head : 2 * head + 2])
        expected = array(module.out_proj) @ np.concatenate(heads)
        np.testing.assert_allclose(output.contexts[n], expected, atol=1e-4)


# None


@pytest.mark.parametrize("bidirectional", [True, False], ids=["both", "forward"])
def test_without_attention_there_is_one_context_the_last_states_and_no_weights(bidirectional):
    """Torch's layer gives its last states beside the others, and knows of packed sentences."""
    torch.manual_seed(6)
    embedded = torch.randn(3, SIZE, 5)
    encoder = RecurrentEncoder(
        *(5, 4),
        cell="gru",
        layers=1,
        dropout=0.0,
        layer_norm=False,
        bidirectional=bidirectional,
    )
    theirs = nn.GRU(5, 4, bidirectional=bidirectional, batch_first=True)
    for ours, end in ((encoder.forward_layers, ""), (encoder.backward_layers, "_reverse")):
        for layer in ours:
            for name, weight in layer.named_parameters():
                getattr(theirs, f"{name}{end}").data.copy_(weight)
    packed = nn.utils.rnn.pack_padded_sequence(
        embedded, LENGTHS, batch_first=True, enforce_sorted=False
    )
    expected = theirs(packed)[1].transpose(0, 1).flatten(1)  # (B, D)

    module = NoAttention(value_size=encoder.width, bidirectional=bidirectional)
    memory = module.prepare_memory(encoder(embedded, LENGTHS), length_mask(LENGTHS, SIZE))
    torch.testing.assert_close(module.initial_context(memory), expected)
    for states in torch.randn(2, 3, H):
        output = module(states, memory)
        torch.testing.assert_close(output.contexts, expected)
        assert (output.weights == torch.zeros(3, SIZE)).all()


# Of any kind

KINDS = {
    "soft": SoftAttention(AdditiveScorer(H, D, A), value_size=D),
    "local": LocalAttention(GeneralScorer(H, D), query_size=H, value_size=D, window=2),
    "hard": HardAttention(AdditiveScorer(H, D, A), value_size=D, normalizer=softmax),
    "heads": MultiHeadAttention([AdditiveScorer(H, D, A) for _ in range(2)], value_size=D),
    "none": NoAttention(value_size=D, bidirectional=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_grouped_rows_of_a_search_attend_as_each_row_does_alone(kind):
    module = with_random_parameters(KINDS[kind])
    _, values, mask = a_batch()
    sentence = torch.tensor([0, 0, 0, 2, 2])  # of five rows; the second sentence has none
    layout = RowLayout(
        torch.tensor([[0, 1, 2], [0, 0, 0], [3, 4, 0]]), torch.tensor([0, 1, 2, 6, 7])
    )
    states = torch.randn(5, H)
    with torch.no_grad():
        grouped = module(states, module.prepare_memory(values, mask)._replace(layout=layout))
    alone = attend(module, states, values[sentence], mask[sentence])
    torch.testing.assert_close(grouped.contexts, alone.contexts)
    torch.testing.assert_close(grouped.weights, alone.weights)


def test_selected_sentences_of_a_memory_lose_its_layout():
    memory = Memory(torch.arange(6.0).view(3, 2, 1), torch.zeros(3, 2, 1), torch.ones(3, 2).bool())
    layout = RowLayout(torch.tensor([[0], [1], [2]]), torch.tensor([0, 1, 2]))
    selected = memory._replace(layout=layout).select(torch.tensor([2, 0]))
    assert selected.layout is None
    assert selected.values[..., 0].tolist() == [[4, 5], [0, 1]]
