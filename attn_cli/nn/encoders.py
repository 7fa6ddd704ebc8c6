"""Step 1 of attention: a sentence becomes states h_1 … h_S. Knows no decoder and no search."""

import torch
from torch import Tensor, nn

from attn_cli.nn.dropout import SequenceDropout
from attn_cli.nn.shapes import mask_of


class RecurrentEncoder(nn.Module):
    """Bidirectional GRU: h_j = [→h_j ; ←h_j] (Bahdanau et al. 2015, §3.2; cell of Cho et al. 2014).

    Written as one GRU over the sentence and one over the sentence reversed within its length:
    equal to torch's packed bidirectional GRU, and it needs no sorting and no packing, so it
    exports with dynamic shapes. Layers above the first add what they find to what they read.
    """

    def __init__(
        self, embedding: int, width: int, *, layers: int, dropout: float, layer_norm: bool
    ) -> None:
        super().__init__()
        inputs = [embedding] + [2 * width] * (layers - 1)
        self.forwards = nn.ModuleList(nn.GRU(size, width, batch_first=True) for size in inputs)
        self.backwards = nn.ModuleList(nn.GRU(size, width, batch_first=True) for size in inputs)
        self.norms = nn.ModuleList(
            nn.LayerNorm(2 * width) if layer_norm else nn.Identity() for _ in inputs
        )
        self.dropout = SequenceDropout(dropout)
        self.width = 2 * width

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """(B, S, E), (B,) → states (B, S, D), zero at padding."""
        size = embedded.shape[1]
        flip = reversal(lengths, size)[:, :, None]  # (B, S, 1)
        real = mask_of(lengths, size)[:, :, None]  # (B, S, 1)
        states = embedded
        for depth, (ahead, back, norm) in enumerate(
            zip(self.forwards, self.backwards, self.norms, strict=True)
        ):
            reversed_states = states.gather(1, flip.expand_as(states))  # (B, S, E or D)
            left = ahead(states)[0]  # (B, S, D/2)
            right = back(reversed_states)[0]  # (B, S, D/2), of the reversed sentence
            right = right.gather(1, flip.expand_as(right))
            found = norm(torch.cat([left, right], dim=-1))  # (B, S, D)
            states = self.dropout(found if depth == 0 else found + states)
        masked: Tensor = states * real
        return masked


def reversal(lengths: Tensor, size: int) -> Tensor:
    """(B,) → (B, size) positions that reverse each row within its length and leave padding."""
    positions = torch.arange(size, device=lengths.device)[None, :]  # (1, S)
    mirrored = lengths[:, None] - 1 - positions  # (B, S)
    return torch.where(mirrored >= 0, mirrored, positions)
