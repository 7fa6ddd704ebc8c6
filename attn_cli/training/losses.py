"""Compute the training loss: smoothed cross-entropy of the next piece, in blocks of rows."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.types import BOS, PAD

#: The most logits in a block. On a CPU they stay in its cache from the product to the loss; on a
#: GPU large blocks are faster, since each product has a cost of its own.
MAX_LOGITS_CPU, MAX_LOGITS_GPU = 1 << 21, 1 << 26

#: Rows are padded to a multiple of this, since oneDNN compiles and caches a kernel for each number
#: of rows.
ROW_MULTIPLE = 128


def negative_log_likelihood(
    network: Seq2Seq,
    features: Tensor,
    targets_padded: Tensor,
    *,
    smoothing: float,
    sampled: int = 0,
) -> Tensor:
    """features (B, T, E), targets (B, T) padded with PAD → mean loss of the pieces, in nats.

    `smoothing` spreads that share of the probability over the vocabulary (Szegedy et al. 2016, §7)
    without PAD and BOS, which are never targets. Logits are computed without padding, the loss in
    fp32. With `sampled` pieces it is an estimate: see `sample_vocabulary`.
    """
    mask = targets_padded.flatten() != PAD  # (B·T,)
    rows = features.flatten(0, 1)[mask]  # (R, E) without padding
    device_type = rows.device.type
    if torch.is_autocast_enabled(device_type):
        # Norms and sums return fp32: cast once instead of in each block.
        rows = rows.to(torch.get_autocast_dtype(device_type))
    weight: Tensor = network.output_projection.weight
    bias: Tensor = network.output_projection.bias
    targets = targets_padded.flatten()[mask]  # (R,)
    smoothed = torch.ones(len(weight), dtype=torch.bool, device=rows.device)
    smoothed[PAD] = smoothed[BOS] = False
    if sampled and sampled + len(targets) < len(weight):
        pieces, targets, log_weight = sample_vocabulary(targets, len(weight), sampled)
        weight, bias, smoothed = weight[pieces], bias[pieces] + log_weight, smoothed[pieces]
    loss: Tensor = _SmoothedLoss.apply(  # type: ignore[no-untyped-call]
        rows, weight, bias, targets, smoothing, smoothed
    )
    return loss


def sample_vocabulary(targets: Tensor, vocab: int, sampled: int) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the pieces that an update scores (Jean et al. 2015, §3.1).

    These are the targets (R,) and at least `sampled` other pieces of a vocabulary of `vocab`,
    sampled without replacement, so many that C is a multiple of `ROW_MULTIPLE`. The correction
    log(non-targets / sampled non-targets) is added to the logit of each sampled piece, so that the
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
    """features (B, T, E), targets (B, T) → log-probability of each piece (B, T), 0 for PAD."""
    rows, index = features.flatten(0, 1), targets.flatten()[:, None]  # (B·T, E), (B·T, 1)
    parts = [
        network.output_projection(rows[part]).float().log_softmax(-1).gather(1, index[part])[:, 0]
        for part in _blocks(len(rows), network.output_projection.weight)
    ]
    return torch.cat(parts).view_as(targets).masked_fill(targets == PAD, 0.0)


def _blocks(rows: int, weight: Tensor) -> Iterator[slice]:
    """Yield blocks of rows whose logits by `weight` (V, E) are computed together."""
    max_logits = MAX_LOGITS_CPU if weight.device.type == "cpu" else MAX_LOGITS_GPU
    size = max(1, max_logits // weight.shape[0])
    if size > ROW_MULTIPLE:
        size -= size % ROW_MULTIPLE
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


class _SmoothedLoss(torch.autograd.Function):
    """Logits, log-softmax and smoothed cross-entropy in one pass over blocks of rows.

    The cross-entropy of `linear(rows, weight, bias)` against (1 - ε) onehot + prior, where ε is the
    `smoothing` and the prior is equal for the n pieces that are `smoothed` (V,), ε / n, and 0 for
    the others. Gradients are computed with the loss, so that no (R, V) matrix is stored. The
    gradient of a row's logits z is softmax(z) - (1 - ε) onehot - prior.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        smoothing: float,
        smoothed: Tensor,
    ) -> Tensor:
        vocab, count = weight.shape[0], len(rows)
        dtype = torch.promote_types(rows.dtype, torch.float32)
        matrix, prior = weight.to(rows.dtype), smoothed.to(dtype)
        prior.mul_(smoothing / prior.sum())
        needs_gradients = any(ctx.needs_input_grad)
        padding = -count % ROW_MULTIPLE
        rows = functional.pad(rows, (0, 0, 0, padding))  # (R, E)
        targets = functional.pad(targets, (0, padding))  # (R,)
        losses = torch.empty(len(rows), dtype=dtype, device=rows.device)
        gradients = (
            torch.empty_like(rows),
            torch.zeros_like(weight, dtype=dtype),
            torch.zeros_like(bias, dtype=dtype),
        )
        block_size = next(_blocks(len(rows), weight), slice(0, 0)).stop
        # One buffer for all blocks: newly allocated memory has to be cleared.
        product_buffer = rows.new_empty((block_size, vocab))
        buffer = product_buffer.to(dtype)
        for part in _blocks(len(rows), weight):
            target = targets[part, None]  # (r, 1)
            product, logits = product_buffer[: len(target)], buffer[: len(target)]  # (r, V)
            torch.mm(rows[part], matrix.T, out=product)
            logits.copy_(product).add_(bias)
            expected = (1 - smoothing) * logits.gather(1, target)[:, 0]  # (r,)
            if smoothing:
                expected.add_(logits @ prior)
            max_logits = logits.amax(-1, True)
            probs = logits.sub_(max_logits).exp_()
            total = probs.sum(-1, keepdim=True)
            losses[part] = (max_logits + total.log())[:, 0] - expected
            if not needs_gradients:
                continue
            probs.div_(total)  # softmax, then in place the gradient of the logits
            if smoothing:
                probs.sub_(prior)
            probs.scatter_add_(1, target, total.new_full(total.shape, smoothing - 1))
            probs[max(0, count - part.start) :] = 0
            gradients[2].add_(probs.sum(0))
            product.copy_(probs)
            torch.mm(product, matrix, out=gradients[0][part])
            gradients[1].add_(product.T @ rows[part])
        ctx.save_for_backward(gradients[0][:count], *gradients[1:])
        ctx.count = max(1, count)
        mean: Tensor = losses[:count].sum() / ctx.count
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad / ctx.count
        rows, weight, bias = ctx.saved_tensors
        return rows * scale.to(rows.dtype), weight * scale, bias * scale, None, None, None
