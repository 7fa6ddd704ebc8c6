"""Step 1 of attention: a sentence becomes states h_1 … h_S. Knows no decoder and no search."""

import torch
from torch import Tensor, nn

from attn_cli.config import Cell as CellName
from attn_cli.nn.cells import LAYERS
from attn_cli.nn.dropout import SequenceDropout
from attn_cli.nn.masking import mask_of


class RecurrentEncoder(nn.Module):
    """Recurrent layers, by default in both directions: h_j = [→h_j ; ←h_j] (Bahdanau et al. 2015,
    §3.2).

    Written as one layer over the sentence and one over the sentence reversed within its length:
    equal to torch's packed bidirectional layer, and it needs no sorting and no packing, so it
    exports with dynamic shapes. Layers above the first add what they find to what they read.
    `looks`, where there is one, lets the states look at one another in the end (intra-attention,
    Cheng et al. 2016, in the form of Vaswani et al. 2017).
    """

    def __init__(
        self,
        embedding: int,
        width: int,
        *,
        cell: CellName,
        layers: int,
        dropout: float,
        layer_norm: bool,
        bidirectional: bool = True,
        looks: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.width = width * (1 + bidirectional)
        inputs = [embedding] + [self.width] * (layers - 1)
        layer = LAYERS[cell]
        self.forwards = nn.ModuleList(layer(size, width, batch_first=True) for size in inputs)
        self.backwards = nn.ModuleList(
            layer(size, width, batch_first=True) for size in inputs if bidirectional
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(self.width) if layer_norm else nn.Identity() for _ in inputs
        )
        self.dropout = SequenceDropout(dropout)
        self.looks = looks

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """(B, S, E), (B,) → states (B, S, D), zero at padding."""
        size = embedded.shape[1]
        flip = reversal(lengths, size)[:, :, None]  # (B, S, 1)
        mask = mask_of(lengths, size)  # (B, S)
        states = embedded
        for depth, (ahead, norm) in enumerate(zip(self.forwards, self.norms, strict=True)):
            found = ahead(states)[0]  # (B, S, D or D/2)
            if self.backwards:
                reversed_states = states.gather(1, flip.expand_as(states))  # (B, S, E or D)
                right = self.backwards[depth](reversed_states)[0]  # of the reversed sentence
                found = torch.cat([found, right.gather(1, flip.expand_as(right))], dim=-1)
            found = norm(found)  # (B, S, D)
            states = self.dropout(found if depth == 0 else found + states)
        if self.looks is not None:
            states = self.looks(states, mask=mask[:, None, None, :])
        masked: Tensor = states * mask[:, :, None]
        return masked


def reversal(lengths: Tensor, size: int) -> Tensor:
    """(B,) → (B, size) positions that reverse each row within its length and leave padding."""
    positions = torch.arange(size, device=lengths.device)[None, :]  # (1, S)
    mirrored = lengths[:, None] - 1 - positions  # (B, S)
    return torch.where(mirrored >= 0, mirrored, positions)
