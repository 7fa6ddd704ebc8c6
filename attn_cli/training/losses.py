"""The training loss: smoothed cross-entropy of the next piece, computed in blocks of rows."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.types import PAD

#: Logits computed at a time: their rows stay in a processor's cache from the product to the loss.
#: Elsewhere a block is as large as memory likes: launching many small products is what costs.
MAX_LOGITS_CPU, MAX_LOGITS_GPU = 1 << 21, 1 << 26

#: Rows are filled up to a multiple of this, since a processor's library compiles its products anew
#: for each number of rows, and keeps them.
ROW_MULTIPLE = 128


def negative_log_likelihood(
    network: Seq2Seq,
    features: Tensor,
    targets_padded: Tensor,
    *,
    smoothing: float,
    sampled: int = 0,
) -> Tensor:
    """features (B, T, E), wanted (B, T) with PAD behind → mean loss of the real pieces, in nats.

    `smoothing` spreads that share of the mass over the vocabulary (Szegedy et al. 2016, §7).
    Padding is left out before it is scored, and the loss is taken in fp32 whatever the precision.
    With `sampled` pieces it is an estimate: see `sample_vocabulary`.
    """
    mask = targets_padded.flatten() != PAD  # (B·T,)
    rows = features.flatten(0, 1)[mask]  # (R, E), R real pieces
    device_type = rows.device.type
    if torch.is_autocast_enabled(device_type):
        # What a norm or a sum returns is fp32 still: cast once, and not in each block.
        rows = rows.to(torch.get_autocast_dtype(device_type))
    weight: Tensor = network.output_projection.weight
    bias: Tensor = network.output_projection.bias
    targets = targets_padded.flatten()[mask]  # (R,)
    if sampled and sampled + len(targets) < len(weight):
        pieces, targets, log_weight = sample_vocabulary(targets, len(weight), sampled)
        weight, bias = weight[pieces], bias[pieces] + log_weight
    loss: Tensor = _SmoothedLoss.apply(  # type: ignore[no-untyped-call]
        rows, weight, bias, targets, smoothing
    )
    return loss


def sample_vocabulary(targets: Tensor, vocab: int, sampled: int) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the pieces that an update scores (Jean et al. 2015, §3.1).

    These are the targets (R,) and at least `sampled` other pieces of a vocabulary of `vocab`,
    drawn without replacement, so many that C is a multiple of `ROW_MULTIPLE`. The correction
    log(non-targets / drawn non-targets) is added to the logit of each drawn piece, so that the
    expected softmax denominator is that of the whole vocabulary.

    Returns the ids of the C pieces (C,), the targets as indices into them (R,) and the
    correction of each logit (C,).
    """
    is_target = torch.zeros(vocab, dtype=torch.bool, device=targets.device)
    is_target[targets] = True
    non_targets = (~is_target).nonzero().flatten()
    sampled += -(vocab - len(non_targets) + sampled) % ROW_MULTIPLE
    negatives = non_targets[torch.randperm(len(non_targets), device=targets.device)[:sampled]]
    pieces = torch.cat([is_target.nonzero().flatten(), negatives])
    index = torch.empty(vocab, dtype=torch.long, device=targets.device)
    index[pieces] = torch.arange(len(pieces), device=targets.device)
    log_weight = torch.zeros(len(pieces), device=targets.device)
    if len(negatives):
        log_weight[-len(negatives) :] = math.log(len(non_targets) / len(negatives))
    return pieces, index[targets], log_weight


@torch.no_grad()
def log_likelihoods(network: Seq2Seq, features: Tensor, targets: Tensor) -> Tensor:
    """features (B, T, E), wanted (B, T) → log-probability of each piece (B, T), 0 for PAD."""
    rows, index = features.flatten(0, 1), targets.flatten()[:, None]  # (B·T, E), (B·T, 1)
    parts = [
        network.output_projection(rows[part]).float().log_softmax(-1).gather(1, index[part])[:, 0]
        for part in _blocks(len(rows), network.output_projection.weight)
    ]
    return torch.cat(parts).view_as(targets).masked_fill(targets == PAD, 0.0)


def _blocks(rows: int, weight: Tensor) -> Iterator[slice]:
    """Rows whose scores by `weight` (V, E) are computed together."""
    max_logits = MAX_LOGITS_CPU if weight.device.type == "cpu" else MAX_LOGITS_GPU
    size = max(1, max_logits // weight.shape[0])
    if size > ROW_MULTIPLE:
        size -= size % ROW_MULTIPLE
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


class _SmoothedLoss(torch.autograd.Function):
    """Scores of all pieces, log-softmax, smoothed cross-entropy, in one pass over blocks of rows.

    Equal to `cross_entropy(linear(rows, weight, bias), wanted, label_smoothing=…)`; that the
    gradient is computed along with the loss means that no (R, V) matrix of a large batch is ever
    kept. With one target a row the gradient of its logits is softmax(z) - (1 - ε) onehot - ε / V.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, wanted: Tensor, smoothing: float
    ) -> Tensor:
        vocab, count = weight.shape[0], len(rows)
        exact = torch.promote_types(rows.dtype, torch.float32)
        matrix = weight.to(rows.dtype)
        learns = any(ctx.needs_input_grad)
        filling = -count % ROW_MULTIPLE
        rows = functional.pad(rows, (0, 0, 0, filling))  # (R, E)
        wanted = functional.pad(wanted, (0, filling))  # (R,)
        lost = torch.empty(len(rows), dtype=exact, device=rows.device)
        grads = (
            torch.empty_like(rows),
            torch.zeros_like(weight, dtype=exact),
            torch.zeros_like(bias, dtype=exact),
        )
        longest = next(_blocks(len(rows), weight), slice(0, 0)).stop
        # One buffer in each precision: allocated anew for each block, memory has to be cleared.
        rough_buffer = rows.new_empty((longest, vocab))
        buffer = rough_buffer.to(exact)
        for part in _blocks(len(rows), weight):
            gold = wanted[part, None]  # (r, 1)
            rough, logits = rough_buffer[: len(gold)], buffer[: len(gold)]  # (r, V)
            torch.mm(rows[part], matrix.T, out=rough)
            logits.copy_(rough).add_(bias)
            hit, level = logits.gather(1, gold), logits.mean(-1, True)  # (r, 1)
            top = logits.amax(-1, True)
            off = logits.sub_(top).exp_()
            mass = off.sum(-1, keepdim=True)
            each = top + mass.log() - (1 - smoothing) * hit - smoothing * level
            lost[part] = each[:, 0]
            if not learns:
                continue
            off.div_(mass)  # softmax
            if smoothing:
                off.sub_(smoothing / vocab)
            off.scatter_add_(1, gold, torch.full_like(hit, smoothing - 1))
            off[max(0, count - part.start) :] = 0
            grads[2].add_(off.sum(0))
            rough.copy_(off)
            torch.mm(rough, matrix, out=grads[0][part])
            grads[1].add_(rough.T @ rows[part])
        ctx.save_for_backward(grads[0][:count], *grads[1:])
        ctx.count = max(1, count)
        mean: Tensor = lost[:count].sum() / ctx.count
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad / ctx.count
        rows, weight, bias = ctx.saved_tensors
        return rows * scale.to(rows.dtype), weight * scale, bias * scale, None, None
