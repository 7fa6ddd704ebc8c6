"""The loss and its gradient against the formulas and torch's cross entropy."""

import pytest
import torch
from torch.nn import functional

from attn_cli.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from attn_cli.importing.marian_weights import NEVER
from attn_cli.nn.builder import build_model
from attn_cli.training import losses
from attn_cli.training.losses import negative_log_likelihood, sample_vocabulary
from attn_cli.types import BOS, PAD


def smoothed_cross_entropy(logits, targets, smoothing):
    """- Σ q log p, q = (1 - ε) onehot + ε / (V - 2), and ε = 0 for PAD and BOS."""
    logp = logits.log_softmax(-1)
    others = [id for id in range(logits.shape[-1]) if id not in (PAD, BOS)]
    target_logp = logp.gather(-1, targets[..., None])[..., 0]
    return -((1 - smoothing) * target_logp + smoothing * logp[..., others].mean(-1)).mean()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("block", [1, 50, 1 << 19])
def test_loss_and_gradients_equal_the_formulas(smoothing, block, monkeypatch) -> None:
    monkeypatch.setattr(losses, "MAX_LOGITS_CPU", block)
    torch.manual_seed(4)
    tiny = ModelConfig(
        embedding=5,
        encoder=EncoderConfig(width=3),
        attention=AttentionConfig(width=3),
        decoder=DecoderConfig(width=4),
    )
    network = build_model(tiny, source_vocab_size=17, target_vocab_size=17).double()
    features = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(4, 17, (3, 4))
    targets[0, 2:] = PAD
    scores = network.output_projection

    loss = negative_log_likelihood(network, features, targets, smoothing=smoothing)
    gradients = torch.autograd.grad(3 * loss, [features, scores.weight, scores.bias])
    mask = targets != PAD
    expected_loss = smoothed_cross_entropy(scores(features)[mask], targets[mask], smoothing)
    expected_gradients = torch.autograd.grad(
        3 * expected_loss, [features, scores.weight, scores.bias]
    )
    torch.testing.assert_close(loss, expected_loss)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient)


def test_in_bf16_the_loss_is_that_of_features_rounded_to_bf16_and_summed_in_fp32() -> None:
    torch.manual_seed(4)
    tiny = ModelConfig(embedding=16, encoder=EncoderConfig(width=3), decoder=DecoderConfig(width=4))
    network = build_model(tiny, source_vocab_size=40, target_vocab_size=40)
    features, targets = torch.randn(3, 4, 16), torch.randint(4, 40, (3, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = negative_log_likelihood(network, features, targets, smoothing=0.1)
    matrix = network.output_projection.weight.bfloat16()
    logits = (features.bfloat16() @ matrix.mT).float() + network.output_projection.bias
    expected = smoothed_cross_entropy(logits, targets, 0.1)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("sampled", [0, 50])
def test_label_smoothing_ignores_the_logits_that_an_import_excludes(sampled) -> None:
    """PAD and BOS of imported models have a bias of -500: the loss is torch's without the two."""
    torch.manual_seed(4)
    tiny = ModelConfig(embedding=5, encoder=EncoderConfig(width=3), decoder=DecoderConfig(width=4))
    network = build_model(tiny, source_vocab_size=40, target_vocab_size=40)
    with torch.no_grad():
        network.output_projection.bias[[PAD, BOS]] = NEVER
    features, targets = torch.randn(2, 6, 5), torch.randint(4, 40, (2, 6))
    loss = negative_log_likelihood(network, features, targets, smoothing=0.1, sampled=sampled)
    logits = network.output_projection(features).flatten(0, 1)[:, 2:]
    shifted_targets = targets.flatten() - 2
    torch.testing.assert_close(
        loss, functional.cross_entropy(logits, shifted_targets, label_smoothing=0.1)
    )


def test_a_sample_of_all_other_pieces_is_the_vocabulary_with_weights_of_1() -> None:
    targets = torch.tensor([5, 9, 5])
    pieces, index, log_weight = sample_vocabulary(targets, 12, 10)
    assert sorted(pieces.tolist()) == list(range(12))
    assert pieces[index].tolist() == targets.tolist()
    assert log_weight.tolist() == [0.0] * 12


def test_the_expected_denominator_of_the_sampled_softmax_is_that_over_the_vocabulary() -> None:
    generator = torch.Generator().manual_seed(3)
    vocab, targets = 600, torch.tensor([7, 3, 500])
    exponentials = torch.rand(vocab, generator=generator, dtype=torch.float64)
    torch.manual_seed(5)
    sums = []
    for _ in range(2000):
        pieces, _, log_weight = sample_vocabulary(targets, vocab, 100)
        assert len(pieces) == len(set(pieces.tolist())) == losses.ROW_MULTIPLE
        sums.append((exponentials[pieces] * log_weight.double().exp()).sum().item())
    error = torch.tensor(sums).std().item() / len(sums) ** 0.5  # of the mean
    assert sum(sums) / len(sums) == pytest.approx(exponentials.sum().item(), abs=4 * error)


def test_a_sampled_loss_has_gradients_only_for_the_pieces_that_it_scores() -> None:
    torch.manual_seed(4)
    tiny = ModelConfig(embedding=5, encoder=EncoderConfig(width=3), decoder=DecoderConfig(width=4))
    network = build_model(tiny, source_vocab_size=400, target_vocab_size=400)
    features, targets = torch.randn(1, 3, 5), torch.tensor([[8, 20, 399]])
    loss = negative_log_likelihood(network, features, targets, smoothing=0.0, sampled=50)
    (bias,) = torch.autograd.grad(loss, [network.output_projection.bias])
    assert (bias != 0).sum() == losses.ROW_MULTIPLE
    assert (bias[targets[0]] < 0).all()
