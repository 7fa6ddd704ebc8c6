"""What the network is asked to do: give each next piece its probability. Knows no optimiser."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.values import PAD

#: Logits computed at a time: their rows stay in a processor's cache from the product to the loss.
#: Elsewhere a block is as large as memory likes: launching many small products is what costs.
LOGITS, LOGITS_ELSEWHERE = 1 << 21, 1 << 26


def negative_log_likelihood(
    network: Seq2Seq, features: Tensor, wanted: Tensor, *, smoothing: float
) -> Tensor:
    """features (B, T, E), wanted (B, T) with PAD behind → mean loss of the real pieces, in nats.

    `smoothing` spreads that share of the mass over the vocabulary (Szegedy et al. 2016, §7).
    Padding is left out before it is scored, and the loss is taken in fp32 whatever the precision.
    """
    real = wanted.flatten() != PAD  # (B·T,)
    rows = features.flatten(0, 1)[real]  # (R, E), R real pieces
    kind = rows.device.type
    if torch.is_autocast_enabled(kind):
        # What a norm or a sum returns is fp32 still: cast once, and not in each block.
        rows = rows.to(torch.get_autocast_dtype(kind))
    scores = network.scores
    loss: Tensor = _SmoothedLoss.apply(
        rows, scores.weight, scores.bias, wanted.flatten()[real], smoothing
    )  # type: ignore[no-untyped-call]
    return loss


@torch.no_grad()
def log_likelihoods(network: Seq2Seq, features: Tensor, wanted: Tensor) -> Tensor:
    """features (B, T, E), wanted (B, T) → log-probability of each piece (B, T), 0 for PAD."""
    rows, gold = features.flatten(0, 1), wanted.flatten()[:, None]  # (B·T, E), (B·T, 1)
    parts = [
        network.scores(rows[part]).float().log_softmax(-1).gather(1, gold[part])[:, 0]
        for part in _blocks(len(rows), network.scores.weight)
    ]
    return torch.cat(parts).view_as(wanted).masked_fill(wanted == PAD, 0.0)


def _blocks(rows: int, weight: Tensor) -> Iterator[slice]:
    """Rows whose scores by `weight` (V, E) are computed together."""
    most = LOGITS if weight.device.type == "cpu" else LOGITS_ELSEWHERE
    size = max(1, most // weight.shape[0])
    return (slice(start, start + size) for start in range(0, rows, size))


class _SmoothedLoss(torch.autograd.Function):
    """Scores of all pieces, log-softmax, smoothed cross-entropy, in one pass over blocks of rows.

    Equal to `cross_entropy(linear(rows, weight, bias), wanted, label_smoothing=…)`; that the
    gradient is computed along with the loss means that no (R, V) matrix is ever kept. With one
    target a row the gradient of its logits is softmax(z) - (1 - ε) onehot - ε / V.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, wanted: Tensor, smoothing: float
    ) -> Tensor:
        vocab = weight.shape[0]
        exact = torch.promote_types(rows.dtype, torch.float32)
        matrix = weight.to(rows.dtype)
        learns = any(ctx.needs_input_grad)
        grads = (
            torch.zeros_like(rows),
            torch.zeros_like(weight, dtype=exact),
            torch.zeros_like(bias, dtype=exact),
        )
        total = torch.zeros((), dtype=exact, device=rows.device)
        for part in _blocks(len(rows), weight):
            gold = wanted[part, None]  # (r, 1)
            logits = (rows[part] @ matrix.T).to(exact).add_(bias)  # (r, V)
            hit, level = logits.gather(1, gold), logits.mean(-1, True)  # (r, 1)
            top = logits.amax(-1, True)
            off = logits.sub_(top).exp_()
            mass = off.sum(-1, keepdim=True)
            total += (top + mass.log() - (1 - smoothing) * hit - smoothing * level).sum()
            if not learns:
                continue
            off.div_(mass)  # softmax
            if smoothing:
                off.sub_(smoothing / vocab)
            off.scatter_add_(1, gold, torch.full_like(hit, smoothing - 1))
            grads[2].add_(off.sum(0))
            rough = off.to(rows.dtype)
            torch.mm(rough, matrix, out=grads[0][part])
            grads[1].add_(rough.T @ rows[part])
        ctx.save_for_backward(*grads)
        ctx.count = max(1, len(rows))
        mean: Tensor = total / ctx.count
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad / ctx.count
        rows, weight, bias = ctx.saved_tensors
        return rows * scale.to(rows.dtype), weight * scale, bias * scale, None, None
