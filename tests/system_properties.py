"""Properties of every system of encoder, attention and decoder, for any parameters.

Shared by fast tests of some systems and slow tests of all.
"""

import torch
from systems import VOCAB, System, network_of, new_network, random_batch

from attn_cli.config import TrainConfig
from attn_cli.nn.masking import length_mask
from attn_cli.training.losses import negative_log_likelihood
from attn_cli.training.reinforce import reinforce_loss
from attn_cli.types import BOS


def make_batch():
    src, src_len = (torch.from_numpy(part).long() for part in random_batch(4, 6))
    torch.manual_seed(3)
    tgt = torch.randint(4, VOCAB, (4, 5))
    tgt[:, 0] = BOS
    return src, src_len, tgt


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def assert_unroll_equals_single_steps(system: System) -> None:
    network = network_of(system)
    src, src_len, tgt = make_batch()
    whole = network(src, src_len, tgt)
    assert_close(network(src, src_len, tgt, weights=False).features, whole.features)
    logits = network.output_projection(whole.features)
    memory = network.encode(src, src_len)
    state = network.init_state(memory)
    assert state.keys() == network.decoder.dynamic_axes().keys()
    for t in range(tgt.shape[1]):
        step_logits, weights, state = network.step(tgt[:, t], state, memory)
        assert_close(step_logits, logits[:, t])
        assert_close(weights, whole.weights[:, t])
    assert state.keys() == network.decoder.dynamic_axes().keys()


@torch.no_grad()
def assert_padding_and_other_sentences_change_nothing(system: System) -> None:
    network = network_of(system)
    src, src_len, tgt = make_batch()
    together = network(src, src_len, tgt)
    for b, n in enumerate(src_len.tolist()):
        alone = network(src[b : b + 1, :n], src_len[b : b + 1], tgt[b : b + 1])
        assert_close(alone.features[0], together.features[b])
        assert_close(alone.weights[0], together.weights[b, ..., :n])
    wider = network(torch.nn.functional.pad(src, (0, 4)), src_len, tgt)
    assert_close(wider.features, together.features)
    assert_close(wider.weights[..., :-4], together.weights)


@torch.no_grad()
def assert_weights_are_a_distribution(system: System) -> None:
    src, src_len, tgt = make_batch()
    weights = network_of(system)(src, src_len, tgt).weights  # (B, T, S) or (B, T, heads, S)
    assert (weights >= 0).all()
    total = torch.zeros if "none" in system else torch.ones
    assert_close(weights.sum(-1), total(weights.shape[:-1]))
    padding = ~length_mask(src_len, src.shape[1])  # (B, S)
    assert (weights.transpose(-1, 1)[padding] == 0).all()


@torch.no_grad()
def assert_causal(system: System) -> None:
    network = network_of(system)
    src, src_len, tgt = make_batch()
    changed = tgt.clone()
    changed[:, 3] = (changed[:, 3] + 1 - 4) % (VOCAB - 4) + 4
    before, after = (network(src, src_len, target).features for target in (tgt, changed))
    assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3], after[:, 3])


def assert_every_parameter_learns(system: System) -> None:
    """Check that each parameter has a gradient of the loss; hard attention adds REINFORCE's."""
    network = new_network(system).train()
    src, src_len, tgt = make_batch()
    targets = tgt.roll(-1, dims=1)
    output = network(src, src_len, tgt)
    loss = negative_log_likelihood(network, output.features, targets, smoothing=0.1)
    assert (output.sampled_logp is not None) == ("hard" in system)
    if output.sampled_logp is not None:
        loss = (
            loss
            + reinforce_loss(network, output, targets, baseline=-3.0, settings=TrainConfig())[0]
        )
    loss.backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().sum() > 1e-7, name


#: Each check by its claim.
PROPERTIES = {
    "unroll-equals-single-steps": assert_unroll_equals_single_steps,
    "padding-and-other-sentences-change-nothing": assert_padding_and_other_sentences_change_nothing,
    "weights-are-a-distribution-over-real-positions": assert_weights_are_a_distribution,
    "a-later-target-piece-changes-nothing-before-it": assert_causal,
    "every-parameter-learns": assert_every_parameter_learns,
}
