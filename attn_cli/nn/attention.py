"""Steps 5 to 7 of attention: scores become weights, weights a context.

Knows that there is a scorer, not which one.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.scorers import AdditiveScorer


class Memory(NamedTuple):
    """What a decoder may look at: the source, read once.

    values (B, S, D) are the states h_j; keys (B, S, A) what the scorer made of them;
    mask (B, S) bool is True where a real piece stands.
    """

    values: Tensor
    keys: Tensor
    mask: Tensor

    def rows(self, index: Tensor) -> "Memory":
        """The memory of the batch rows `index` (N,), in that order."""
        return Memory(*(part.index_select(0, index) for part in self))


class SoftAttention(nn.Module):
    """a_ij = softmax_j e_ij over the real positions, c_i = Σ_j a_ij h_j (Bahdanau et al., §3.1)."""

    def __init__(self, scorer: AdditiveScorer) -> None:
        super().__init__()
        self.scorer = scorer

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """(B, S, D), (B, S) → the memory that every step of the decoder asks."""
        return Memory(values, self.scorer.keys(values), mask)

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """(N, H) → context (N, D), weights (N, S): a distribution over the real positions."""
        scores = self.scorer(query, memory.keys)  # (N, S)
        weights = scores.masked_fill(~memory.mask, -torch.inf).softmax(-1)  # (N, S)
        context = torch.bmm(weights[:, None, :].to(memory.values.dtype), memory.values)
        return context.squeeze(1), weights
