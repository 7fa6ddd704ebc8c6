"""Step 1 of attention: the encoder reads a sentence into states h_1 … h_S."""

import torch
from torch import Tensor, nn

from attn_cli.config import Cell as CellName
from attn_cli.nn.cells import RNN_LAYERS
from attn_cli.nn.dropout import SequenceDropout
from attn_cli.nn.masking import length_mask


class RecurrentEncoder(nn.Module):
    """Recurrent layers, by default in both directions: h_j = [→h_j ; ←h_j] (Bahdanau et al. 2015,
    §3.2).

    One layer reads the sentence, and one reads it reversed within its length. The result equals
    that of PyTorch's packed bidirectional layer, but exports with dynamic shapes. Layers above the
    first are residual. `self_attention`, if any, follows the last layer (intra-attention, Cheng et
    al. 2016, in the form of Vaswani et al. 2017).
    """

    def __init__(
        self,
        embedding_size: int,
        width: int,
        *,
        cell: CellName,
        layers: int,
        dropout: float,
        layer_norm: bool,
        bidirectional: bool = True,
        self_attention: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.width = width * (1 + bidirectional)
        inputs = [embedding_size] + [self.width] * (layers - 1)
        layer = RNN_LAYERS[cell]
        self.forward_layers = nn.ModuleList(layer(size, width, batch_first=True) for size in inputs)
        self.backward_layers = nn.ModuleList(
            layer(size, width, batch_first=True) for size in inputs if bidirectional
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(self.width) if layer_norm else nn.Identity() for _ in inputs
        )
        self.dropout = SequenceDropout(dropout)
        self.self_attention = self_attention

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """(B, S, E), (B,) → states (B, S, D), zero at padding."""
        size = embedded.shape[1]
        flip = reverse_indices(lengths, size)[:, :, None]  # (B, S, 1)
        mask = length_mask(lengths, size)  # (B, S)
        states = embedded
        for depth, (forward_layer, norm) in enumerate(
            zip(self.forward_layers, self.norms, strict=True)
        ):
            output = forward_layer(states)[0]  # (B, S, D or D/2)
            if self.backward_layers:
                reversed_states = states.gather(1, flip.expand_as(states))  # (B, S, E or D)
                backward, _ = self.backward_layers[depth](reversed_states)  # (B, S, D/2), reversed
                backward = backward.gather(1, flip.expand_as(backward))
                output = torch.cat([output, backward], dim=-1)
            output = norm(output)  # (B, S, D)
            states = self.dropout(output if depth == 0 else output + states)
        if self.self_attention is not None:
            states = self.self_attention(states, mask=mask[:, None, None, :])
        masked: Tensor = states * mask[:, :, None]
        return masked


def reverse_indices(lengths: Tensor, size: int) -> Tensor:
    """(B,) lengths → (B, size) indices that reverse each row within its length; padding stays."""
    positions = torch.arange(size, device=lengths.device)[None, :]  # (1, S)
    mirrored = lengths[:, None] - 1 - positions  # (B, S)
    return torch.where(mirrored >= 0, mirrored, positions)
