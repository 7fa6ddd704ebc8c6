"""Dropout for sequences: a unit that is silenced is silent for the whole sentence."""

import torch
from torch import Tensor, nn


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
