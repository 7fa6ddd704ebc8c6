"""The positional encodings of a Transformer: sinusoidal or learned."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

Positions = Literal["sinusoidal", "learned"]

#: Number of learned positions; later positions use the last of them.
MAX_POSITIONS = 1024


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """(…) positions → (…, width): the sines of p / 10000^(2i/width), then the cosines.

    Vaswani et al. 2017, §3.5, where sines and cosines alternate.
    """
    steps = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32)
    angles = positions[..., None].float() * torch.exp(steps * (-math.log(10_000.0) / width))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class PositionalEncoding(nn.Module):
    """Adds a sinusoidal or learned encoding of the position to each embedding.

    Vaswani et al. 2017, §3.5.
    """

    def __init__(self, width: int, *, kind: Positions) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(MAX_POSITIONS, width) if kind == "learned" else None
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, std=width**-0.5)

    def forward(self, embedded: Tensor, positions: Tensor) -> Tensor:
        """Embeddings (…, D) and their positions (…) → (…, D)."""
        if self.embedding is None:
            return embedded + sinusoids(positions, self.width).to(embedded.dtype)
        learned: Tensor = self.embedding(positions.clamp(max=MAX_POSITIONS - 1))
        return embedded + learned
