"""REINFORCE for hard attention, with a baseline and an entropy bonus.

The gradient of the expected log-likelihood is E[Σ_t ∂log p(a_t) (R_t - b_t)]. R_t is the
log-likelihood of the pieces from t on; the baseline b_t is their number times the mean
log-likelihood of a piece, a moving average over earlier updates. It does not depend on the samples
of this update, so the estimate is unbiased; only the first update uses its own mean. (Williams
1992; Xu et al. 2015, §4.1, equation 11, where the reward is that of the whole sentence.)
"""

from torch import Tensor

from attn_cli.config import TrainConfig
from attn_cli.nn.seq2seq import ForwardOutput, Seq2Seq
from attn_cli.training.losses import log_likelihoods
from attn_cli.types import PAD

#: The decay of the baseline's moving average (Xu et al. 2015, §4.1).
BASELINE_DECAY = 0.9

_EPSILON = 1e-30


def reinforce_loss(
    network: Seq2Seq,
    output: ForwardOutput,
    targets: Tensor,
    *,
    baseline: float | None,
    settings: TrainConfig,
) -> tuple[Tensor, float]:
    """Return the REINFORCE loss of a forward pass, a mean over pieces, and the next baseline.

    `targets` (B, T) are the target pieces of `output`, padded with PAD. `baseline` is the mean
    log-likelihood of a piece so far, in nats, None in the first update.
    """
    assert output.sampled_logp is not None
    assert output.weights is not None
    logp = log_likelihoods(network, output.features, targets)  # (B, T)
    mask = targets != PAD
    pieces = mask.sum().clamp(min=1)
    mean = float(logp.sum() / pieces)
    baseline = mean if baseline is None else baseline
    advantages = compute_advantages(logp, mask, baseline)  # (B, T)
    policy_loss = -(advantages * output.sampled_logp * mask).sum() / pieces
    weights = output.weights.float()
    entropy = -(weights * (weights + _EPSILON).log()).sum(-1)  # (B, T), in nats
    bonus = (entropy * mask).sum() / pieces
    loss = settings.reinforce_weight * policy_loss - settings.entropy_bonus * bonus
    return loss, BASELINE_DECAY * baseline + (1 - BASELINE_DECAY) * mean


def compute_advantages(logp: Tensor, mask: Tensor, baseline: float) -> Tensor:
    """(B, T) log-likelihoods, True in `mask` at pieces → the advantages R_t - b_t (B, T)."""
    gains = (logp - baseline) * mask
    return gains.flip(1).cumsum(1).flip(1)
