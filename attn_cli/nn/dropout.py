"""Dropout, with one mask per sentence or one per position."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SequenceDropout(nn.Module):
    """One mask for all positions of a sentence (Gal & Ghahramani 2016, "variational" dropout).

    One mask per sentence costs less on a CPU than one per position.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, states: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D), the same units of a row zeroed at all T positions.

        No-op in eval mode and on (N, D).
        """
        if not self.training or not self.p or states.dim() < 3:
            return states
        batch, _, width = states.shape
        mask = torch.empty(batch, 1, width, dtype=states.dtype, device=states.device)
        return states * mask.bernoulli_(1 - self.p).div_(1 - self.p)


class Dropout(nn.Module):
    """Dropout of each unit of each position (Srivastava et al. 2014).

    On a CPU it is faster than PyTorch's: four units share 64 random bits, and p is rounded to a
    multiple of 2⁻¹⁶. On other devices and when compiled it is PyTorch's own.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, states: Tensor) -> Tensor:
        """(…) → (…), each unit zeroed with probability `p`, the others scaled by 1 / (1 - p)."""
        if not self.training or not self.p:
            return states
        if states.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(states, self.p)
        threshold = round(self.p * 2**16)
        size = states.numel()
        bits = torch.empty((size + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        draws = bits.view(torch.int16)[:size].view(states.shape)
        mask = (draws >= threshold - 2**15).to(states.dtype)
        return states * mask.mul_(2**16 / (2**16 - threshold))
