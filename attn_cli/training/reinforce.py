"""REINFORCE for hard attention, with a baseline and an entropy bonus.

The gradient of the expected log-likelihood is E[Σ_t ∂log p(a_t) (R_t - b_t)], R_t being the
log-likelihood of what comes from word t on and b_t what was to be expected of as many words: the
mean a word, averaged over the updates before, which no choice of this update changes, so that the
estimate stays unbiased; the first update alone has to do with its own mean. (Williams 1992; Xu et
al. 2015, §4.1, equation 11, for choices whose reward is the whole sentence's.)
"""

from torch import Tensor

from attn_cli.config import TrainConfig
from attn_cli.nn.seq2seq import ForwardOutput, Seq2Seq
from attn_cli.training.losses import log_likelihoods
from attn_cli.types import PAD

#: What the baseline keeps of itself in an update (Xu et al. 2015, §4.1).
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
    """The loss whose gradient teaches the choices of a pass, a target piece, and the next baseline.

    wanted (B, T) are the pieces that `found` was to say, PAD behind. `baseline` is the mean
    log-likelihood a piece so far, None at first.
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
    """(B, T) log-likelihoods, of which `real` count → R_t - b_t: what the choice at t was worth."""
    gain = (logp - baseline) * mask
    return gain.flip(1).cumsum(1).flip(1)
