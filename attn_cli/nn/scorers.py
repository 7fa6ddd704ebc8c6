"""Steps 2 to 4 of attention: queries, keys, and how well each key answers the query.

A scorer scores; it knows no mask, no softmax and no value.
"""

from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["tanh", "relu", "sigmoid"]

_ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


class AdditiveScorer(nn.Module):
    """The feed-forward alignment function e_ij = vᵀ g(W s_{i-1} + U h_j).

    Bahdanau et al. 2015, §3.1 and appendix A.1.2, where g is tanh.
    """

    def __init__(
        self, query: int, value: int, width: int, *, activation: Activation = "tanh"
    ) -> None:
        super().__init__()
        self.query = nn.Linear(query, width)  # W
        self.key = nn.Linear(value, width, bias=False)  # U
        self.energy = nn.Linear(width, 1, bias=False)  # v
        self.activation = activation

    def keys(self, values: Tensor) -> Tensor:
        """U h_j: (B, S, D) → (B, S, A), computed once a sentence."""
        keys: Tensor = self.key(values)
        return keys

    def queries(self, states: Tensor) -> Tensor:
        """W s_{i-1}: (…, H) decoder states → (…, A)."""
        queries: Tensor = self.query(states)
        return queries

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(B, Q, A) queries, (B, S, A) keys → (B, Q, S) scores."""
        hidden = _ACTIVATIONS[self.activation](queries[:, :, None] + keys[:, None])  # (B, Q, S, A)
        scores: Tensor = self.energy(hidden).squeeze(-1)  # (B, Q, S)
        return scores
