"""Dropout: of a unit for a whole sentence, or of each position for itself."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SequenceDropout(nn.Module):
    """One mask for all positions of a sentence (Gal & Ghahramani 2016, "variational" dropout).

    A recurrent network cannot smooth over a unit that never speaks, and a mask is drawn once a
    sentence instead of once a position, which on a CPU is most of dropout's cost.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, states: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D), the same units of a row silenced at every T; (N, D) as it is.

        Silence is for training; so are whole sentences.
        """
        if not self.training or not self.share or states.dim() < 3:
            return states
        batch, _, width = states.shape
        kept = torch.empty(batch, 1, width, dtype=states.dtype, device=states.device)
        return states * kept.bernoulli_(1 - self.share).div_(1 - self.share)


class Dropout(nn.Module):
    """Every unit of every position for itself (Srivastava et al. 2014), at less than half the cost
    of torch's own on a processor: four units share 64 random bits, p is a multiple of 2⁻¹⁶.

    Compiled, it is torch's own, which becomes a part of the kernels around it."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, states: Tensor) -> Tensor:
        """(…) → (…), each silenced with probability `share`, the others scaled up for it."""
        if not self.training or not self.share:
            return states
        if states.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(states, self.share)
        silent = round(self.share * 2**16)
        size = states.numel()
        bits = torch.empty((size + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        draws = bits.view(torch.int16)[:size].view(states.shape)
        kept = (draws >= silent - 2**15).to(states.dtype)
        return states * kept.mul_(2**16 / (2**16 - silent))
