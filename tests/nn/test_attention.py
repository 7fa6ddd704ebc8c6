"""The kinds of attention compared with numpy formulas, one another, and sampled estimates."""

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
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.eval()


def random_batch():
    """Return query states (B, H), values (B, S, D) and their mask (B, S)."""
    torch.manual_seed(4)
    return torch.randn(3, H), torch.randn(3, SIZE, D), length_mask(LENGTHS, SIZE)


def attend(module, states, values, mask, **options):
    with torch.no_grad():
        return module(states, module.prepare_memory(values, mask), **options)


def sentences():
    """Yield the index, state and values of each sentence of the batch, as numpy arrays."""
    states, values, _ = random_batch()
    for n, length in enumerate(LENGTHS.tolist()):
        yield n, states[n].numpy(), values[n, :length].numpy()


def softmax_of(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array(layer):
    return layer.weight.detach().numpy()


def additive_scores(scorer, s, h):
    query = array(scorer.query) @ s + scorer.query.bias.detach().numpy()
    return np.tanh(query + h @ array(scorer.key).T) @ array(scorer.energy)[0]


# Soft


def test_the_context_of_soft_attention_is_the_softmax_weighted_mean_of_values():
    module = with_random_parameters(SoftAttention(AdditiveScorer(H, D, A), value_size=D))
    output = attend(module, *random_batch())
    for n, s, h in sentences():
        expected = softmax_of(additive_scores(module.scorer, s, h))
        np.testing.assert_allclose(output.weights[n, : len(h)], expected, atol=1e-6)
        assert (output.weights[n, len(h) :] == 0).all()
        np.testing.assert_allclose(output.contexts[n], expected @ h, atol=1e-5)


def test_scaled_dot_attention_projects_queries_keys_and_values():
    scorer = ScaledDotScorer(H, D, A)
    module = with_random_parameters(SoftAttention(scorer, value_size=D, project_values=True))
    output = attend(module, *random_batch())
    for n, s, h in sentences():
        query = array(scorer.query) @ s + scorer.query.bias.detach().numpy()
        expected = softmax_of(h @ array(scorer.key).T @ query / np.sqrt(A))
        np.testing.assert_allclose(output.weights[n, : len(h)], expected, atol=1e-5)
        mapped = h @ array(module.value_proj).T
        np.testing.assert_allclose(output.contexts[n], expected @ mapped, atol=1e-5)


def test_a_sparse_normalizer_gives_some_positions_weight_0():
    module = with_random_parameters(
        SoftAttention(AdditiveScorer(H, D, A), value_size=D, normalizer=sparsemax)
    )
    weights = attend(module, *random_batch()).weights
    torch.testing.assert_close(weights.sum(-1), torch.ones(3))
    assert 0 < (weights[0] > 0).sum() < SIZE


def test_coverage_is_projected_and_added_inside_the_additive_scorer():
    module = with_random_parameters(
        SoftAttention(AdditiveScorer(H, D, A, coverage=True), value_size=D)
    )
    coverage = torch.rand(3, SIZE)
    output = attend(module, *random_batch(), coverage=coverage)
    scorer = module.scorer
    for n, s, h in sentences():
        hidden = array(scorer.query) @ s + scorer.query.bias.detach().numpy()
        hidden = hidden + h @ array(scorer.key).T
        hidden = hidden + coverage[n, : len(h), None].numpy() * array(scorer.coverage_proj)[:, 0]
        expected = softmax_of(np.tanh(hidden) @ array(scorer.energy)[0])
        np.testing.assert_allclose(output.weights[n, : len(h)], expected, atol=1e-6)


@pytest.mark.parametrize("input_feeding", ["false", "true"])
def test_coverage_is_the_sum_of_the_weights_so_far(input_feeding):
    network = with_random_parameters(
        network_of(f"model.decoder.input_feeding={input_feeding}", *WITH_COVERAGE)
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
def test_local_attention_weighs_by_a_gaussian_around_a_predicted_position(window):
    module = local(window)
    output = attend(module, *random_batch())
    for n, s, h in sentences():
        hidden = np.tanh(array(module.hidden) @ s + module.hidden.bias.detach().numpy())
        center = (len(h) - 1) * sigmoid(array(module.position)[0] @ hidden)
        distance = np.arange(len(h)) - center
        scores = h @ array(module.scorer.key).T @ s / np.sqrt(H)
        windowed = softmax_of(scores) * np.exp(-(distance**2) / (2 * (window / 2) ** 2))
        windowed = windowed * (np.abs(distance) <= window)
        expected = windowed / windowed.sum()
        np.testing.assert_allclose(output.weights[n, : len(h)], expected, atol=1e-5)
        np.testing.assert_allclose(output.contexts[n], expected @ h, atol=1e-5)


@pytest.mark.parametrize("window", [1, 3])
def test_local_attention_weights_are_inside_the_window_and_sum_to_1(window):
    weights = attend(local(window), *random_batch()).weights
    torch.testing.assert_close(weights.sum(-1), torch.ones(3))
    assert ((weights > 0).sum(-1) <= 2 * window + 1).all()
    assert weights[1].tolist() == [1.0, *[0.0] * (SIZE - 1)]  # a sentence of one piece


# Hard


def hard_and_soft():
    """Return hard attention, and soft attention with the same parameters."""
    scorer = AdditiveScorer(H, D, A)
    return with_random_parameters(HardAttention(scorer, value_size=D)), SoftAttention(
        scorer, value_size=D
    ).eval()


def test_hard_attention_in_eval_mode_selects_the_most_probable_position():
    hard, soft = hard_and_soft()
    states, values, mask = random_batch()
    output = attend(hard, states, values, mask)
    best = attend(soft, states, values, mask).weights.argmax(-1)
    assert output.sampled_logp is None
    assert output.weights.equal(nn.functional.one_hot(best, SIZE).float())
    assert output.contexts.equal(values[torch.arange(3), best])


def test_hard_attention_in_training_samples_a_position_and_returns_its_log_prob(monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 0.0)
    hard, soft = hard_and_soft()
    states, values, mask = random_batch()
    weights = attend(soft, states, values, mask).weights
    samples = set()
    for _ in range(20):
        output = attend(hard.train(), states, values, mask)
        torch.testing.assert_close(output.weights, weights)
        selected = (output.contexts[:, None] == values).all(-1)  # (B, S)
        assert (selected.sum(-1) == 1).all()
        assert mask[selected].all()
        torch.testing.assert_close(output.sampled_logp, weights[selected].log())
        samples.add(tuple(selected.int().argmax(-1).tolist()))
    assert len(samples) > 1


def test_hard_attention_with_soft_context_equals_soft_attention(monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 1.0)
    hard, soft = hard_and_soft()
    states, values, mask = random_batch()
    output, expected = (
        each.train()(states, each.prepare_memory(values, mask)) for each in (hard, soft)
    )
    torch.testing.assert_close(output.contexts, expected.contexts)
    assert (output.sampled_logp == 0).all()
    direction = torch.randn_like(output.contexts)
    parameters = list(hard.parameters())
    gradients = [
        torch.autograd.grad((each.contexts * direction).sum(), parameters)
        for each in (output, expected)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


# Training of hard attention

TINY = (
    *("model.embedding=3", "model.encoder.width=2", "model.decoder.width=3"),
    *("model.attention.width=3", "model.dropout.embedding=0", "model.dropout.states=0"),
    "model.dropout.output=0",
)
HARD = "model.attention.kind=hard"
WITH_COVERAGE = ("model.attention.kind=additive", "model.attention.coverage=true")
REINFORCE = config.TrainConfig(reinforce_weight=1.0, entropy_bonus=0.0)
SOURCE, TARGET = [4, 5, EOS], [6, EOS]  # three positions, and their target


def network_of(*choices):
    model = config.with_settings(config.Recipe(), [*TINY, *choices]).model
    return build_model(model, source_vocab_size=8, target_vocab_size=8)


def toy_network(steps):
    """Return a network, and a function that runs it on n copies of a pair with `steps` pieces."""
    network = with_random_parameters(network_of(HARD)).double().train()
    target = torch.tensor(TARGET[-steps:])
    inputs = torch.cat([torch.tensor([BOS]), target[:-1]])

    def forward(n):
        source, lengths = torch.tensor(SOURCE).expand(n, -1), torch.full((n,), len(SOURCE))
        return network(source, lengths, inputs.expand(n, -1)), target.expand(n, -1)

    return network, forward


def gradient(loss, network):
    gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    pairs = zip(gradients, network.parameters(), strict=True)
    return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for g, w in pairs])


def expected_gradient(network, forward, steps, monkeypatch):
    """Return the exact gradient of the expected loss per piece over all samples, and the loss."""
    samples = torch.tensor(list(product(range(len(SOURCE)), repeat=steps)))  # (3^T, T)
    columns = iter(samples.T)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "multinomial", lambda weights, n: next(columns)[:, None])
        output, target = forward(len(samples))
    logp = (
        network.output_projection(output.features)
        .log_softmax(-1)
        .gather(2, target[..., None])[..., 0]
    )
    probs = output.sampled_logp.sum(1).exp()  # (3^T,)
    torch.testing.assert_close(probs.sum(), torch.ones(()))
    expected = (probs * logp.sum(1)).sum() / steps
    return gradient(-expected, network), float(expected.detach())


def gradient_estimates(network, forward, *, baseline, batches=80, size=128):
    """Return the gradients (batches, P) of the training loss, each of a batch of samples."""
    torch.manual_seed(1)
    rows = []
    for _ in range(batches):
        output, target = forward(size)
        loss = negative_log_likelihood(network, output.features, target, smoothing=0.0)
        reinforce, _ = reinforce_loss(
            network, output, target, baseline=baseline, settings=REINFORCE
        )
        rows.append(gradient(loss + reinforce, network))
    return torch.stack(rows)


def standard_error(rows):
    """Return the standard error of the mean of rows."""
    return rows.std(0) / len(rows) ** 0.5


def assert_unbiased(rows, exact):
    errors = (rows.mean(0) - exact).abs()
    assert (errors <= 4 * standard_error(rows) + 1e-6).all(), (
        (errors / standard_error(rows)).nan_to_num().max()
    )


@pytest.mark.parametrize("steps", [1, 2])
def test_sampled_gradients_are_unbiased_estimates_of_the_expected_gradient(steps, monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 0.0)
    network, forward = toy_network(steps)
    names = [name for name, w in network.named_parameters() for _ in range(w.numel())]
    is_scorer = torch.tensor(["scorer" in name for name in names])
    exact, mean = expected_gradient(network, forward, steps, monkeypatch)
    no_baseline = gradient_estimates(network, forward, baseline=0.0)
    assert_unbiased(no_baseline, exact)
    with_baseline = gradient_estimates(network, forward, baseline=mean)
    assert_unbiased(with_baseline, exact)
    # The comparison is strong only where the standard error is small.
    assert (exact.abs() > 10 * standard_error(with_baseline))[is_scorer].any()
    assert with_baseline[:, is_scorer].var(0).sum() < no_baseline[:, is_scorer].var(0).sum() / 2


def test_an_advantage_is_the_sum_of_log_probs_from_a_word_on_minus_the_baseline():
    logp = torch.tensor([[-1.0, -4.0, -2.0], [-3.0, -1.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    advantages = compute_advantages(logp, mask, -2.0)
    assert advantages.tolist() == [[-1.0, -2.0, 0.0], [0.0, 1.0, 0.0]]


def test_the_baseline_is_a_moving_average_with_decay_0_9(monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 0.0)
    network, forward = toy_network(2)
    output, target = forward(7)
    loss = negative_log_likelihood(network, output.features, target, smoothing=0.0)
    mean = -float(loss.detach())
    _, first = reinforce_loss(network, output, target, baseline=None, settings=REINFORCE)
    _, second = reinforce_loss(network, output, target, baseline=-5.0, settings=REINFORCE)
    assert first == pytest.approx(mean, rel=1e-5)
    assert second == pytest.approx(0.9 * -5.0 + 0.1 * mean, rel=1e-5)


def test_the_entropy_bonus_is_the_mean_entropy_of_the_weights(monkeypatch):
    monkeypatch.setattr(attention, "SOFT_CONTEXT_PROBABILITY", 0.0)
    network, forward = toy_network(2)
    output, target = forward(3)
    settings = config.TrainConfig(reinforce_weight=0.0, entropy_bonus=0.5)
    loss, _ = reinforce_loss(network, output, target, baseline=0.0, settings=settings)
    w = output.weights.detach().numpy()
    assert float(loss.detach()) == pytest.approx(0.5 * np.mean((w * np.log(w)).sum(-1)), rel=1e-5)


# Many heads


def test_one_head_with_identity_maps_is_soft_attention():
    scorer = AdditiveScorer(H, D, A)
    one = with_random_parameters(MultiHeadAttention([scorer], value_size=D))
    for each in (one.value_proj, one.out_proj):
        nn.init.eye_(each.weight)
    expected = attend(SoftAttention(scorer, value_size=D).eval(), *random_batch())
    output = attend(one, *random_batch())
    torch.testing.assert_close(output.contexts, expected.contexts)
    torch.testing.assert_close(output.weights[:, 0], expected.weights)


def test_each_head_has_its_own_scores_and_its_own_part_of_the_values():
    scorers = [ScaledDotScorer(H, D, 2), ScaledDotScorer(H, D, 2), ScaledDotScorer(H, D, 2)]
    module = with_random_parameters(MultiHeadAttention(scorers, value_size=D))
    output = attend(module, *random_batch())
    for n, s, h in sentences():
        mapped, heads = h @ array(module.value_proj).T, []
        for head, scorer in enumerate(scorers):
            query = array(scorer.query) @ s + scorer.query.bias.detach().numpy()
            expected = softmax_of(h @ array(scorer.key).T @ query / np.sqrt(2))
            np.testing.assert_allclose(output.weights[n, head, : len(h)], expected, atol=1e-5)
            assert (output.weights[n, head, len(h) :] == 0).all()
            heads.append(expected @ mapped[:, 2 * head : 2 * head + 2])
        expected = array(module.out_proj) @ np.concatenate(heads)
        np.testing.assert_allclose(output.contexts[n], expected, atol=1e-4)


# No attention


@pytest.mark.parametrize("bidirectional", [True, False], ids=["both", "forward"])
def test_without_attention_the_context_is_the_last_state_and_weights_are_zero(bidirectional):
    """The last states are those that torch's layer returns for packed sentences."""
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
    torch_layer = nn.GRU(5, 4, bidirectional=bidirectional, batch_first=True)
    for layers, suffix in ((encoder.forward_layers, ""), (encoder.backward_layers, "_reverse")):
        for layer in layers:
            for name, weight in layer.named_parameters():
                getattr(torch_layer, f"{name}{suffix}").data.copy_(weight)
    packed = nn.utils.rnn.pack_padded_sequence(
        embedded, LENGTHS, batch_first=True, enforce_sorted=False
    )
    expected = torch_layer(packed)[1].transpose(0, 1).flatten(1)  # (B, D)

    module = NoAttention(value_size=encoder.width, bidirectional=bidirectional)
    memory = module.prepare_memory(encoder(embedded, LENGTHS), length_mask(LENGTHS, SIZE))
    torch.testing.assert_close(module.initial_context(memory), expected)
    for states in torch.randn(2, 3, H):
        output = module(states, memory)
        torch.testing.assert_close(output.contexts, expected)
        assert (output.weights == torch.zeros(3, SIZE)).all()


# All kinds

KINDS = {
    "soft": SoftAttention(AdditiveScorer(H, D, A), value_size=D),
    "local": LocalAttention(GeneralScorer(H, D), query_size=H, value_size=D, window=2),
    "hard": HardAttention(AdditiveScorer(H, D, A), value_size=D, normalizer=softmax),
    "heads": MultiHeadAttention([AdditiveScorer(H, D, A) for _ in range(2)], value_size=D),
    "none": NoAttention(value_size=D, bidirectional=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_grouped_beam_rows_have_the_same_result_as_separate_rows(kind):
    module = with_random_parameters(KINDS[kind])
    _, values, mask = random_batch()
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


def test_selecting_sentences_of_a_memory_removes_its_layout():
    memory = Memory(torch.arange(6.0).view(3, 2, 1), torch.zeros(3, 2, 1), torch.ones(3, 2).bool())
    layout = RowLayout(torch.tensor([[0], [1], [2]]), torch.tensor([0, 1, 2]))
    selected = memory._replace(layout=layout).select(torch.tensor([2, 0]))
    assert selected.layout is None
    assert selected.values[..., 0].tolist() == [[4, 5], [0, 1]]
