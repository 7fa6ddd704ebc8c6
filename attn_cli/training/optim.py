"""The optimizer and its learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from attn_cli.config import TrainConfig
from attn_cli.training.budget import Schedule


def build_optimizer(network: nn.Module, settings: TrainConfig) -> torch.optim.AdamW:
    """Build AdamW (Loshchilov & Hutter 2019), without weight decay of vectors and embeddings."""
    embeddings = {
        id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)
    }
    decayed: list[nn.Parameter] = []
    not_decayed: list[nn.Parameter] = []
    for parameter in network.parameters():
        is_decayed = parameter.dim() > 1 and id(parameter) not in embeddings
        (decayed if is_decayed else not_decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": not_decayed, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), fused=True)


def learning_rate(step: int, settings: TrainConfig, schedule: Schedule | None = None) -> float:
    """Return the learning rate of update `step` (from 1): linear warm-up, then the recipe's decay.

    `schedule` is that of a time limit, if there is one.
    """
    plan = schedule or Schedule.from_config(settings)
    top, warm = settings.learning_rate, plan.warmup
    if step < warm:
        return top * plan.warmup_factor(step)
    done = plan.decay_progress(step)
    match settings.schedule:
        case "constant":
            return top
        case "linear":
            return top * (1.0 - 0.99 * done)
        case "cosine":
            return top * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done)))
        case "inverse_sqrt":
            return top * math.sqrt(max(1, warm) / step)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameter groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Clip the gradients to the norm `max_norm` (0: no clipping); return their norm before."""
    return float(nn.utils.clip_grad_norm_(parameters, max_norm or math.inf))
