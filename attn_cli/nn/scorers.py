"""Steps 2 to 4 of attention: queries, keys, and the energy of each query with each key."""

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from attn_cli.nn.products import StepLinear, step_bmm

Activation = Literal["tanh", "relu", "sigmoid"]

_ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


class Scorer(nn.Module, ABC):
    """Base class: queries (B, Q, A) and keys (B, S, A) → energies (B, Q, S).

    Keys are computed once per sentence, queries once per step. A scorer with `uses_coverage` also
    takes the coverage (B, Q, S): the sum of the attention weights so far.
    """

    uses_coverage = False

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """(B, S, D) source states → (B, S, A)."""

    @abstractmethod
    def queries(self, states: Tensor) -> Tensor:
        """(…, H) decoder states → (…, A)."""

    @abstractmethod
    def forward(self, queries: Tensor, keys: Tensor, coverage: Tensor | None = None) -> Tensor:
        """(B, Q, A), (B, S, A) → energies (B, Q, S)."""


class AdditiveScorer(Scorer):
    """The feed-forward alignment function e_ij = vᵀ g(W s_{i-1} + U h_j).

    Bahdanau et al. 2015, §3.1 and appendix A.1.2, where g is tanh. With `coverage`
    e_ij = vᵀ g(W s_{i-1} + U h_j + w C_ij) (Tu et al. 2016, equation 7), C being the sum of the
    attention weights so far.
    """

    def __init__(
        self,
        query_size: int,
        value_size: int,
        width: int,
        *,
        activation: Activation = "tanh",
        coverage: bool = False,
    ) -> None:
        super().__init__()
        self.query = StepLinear(query_size, width)  # W
        self.key = nn.Linear(value_size, width, bias=False)  # U
        self.energy = nn.Linear(width, 1, bias=False)  # v
        self.activation = activation
        self.uses_coverage = coverage
        if coverage:
            self.coverage_proj = nn.Linear(1, width, bias=False)  # w

    def keys(self, values: Tensor) -> Tensor:
        """Return U h_j."""
        keys: Tensor = self.key(values)
        return keys

    def queries(self, states: Tensor) -> Tensor:
        """Return W s_{i-1}."""
        queries: Tensor = self.query(states)
        return queries

    def forward(self, queries: Tensor, keys: Tensor, coverage: Tensor | None = None) -> Tensor:
        """See `Scorer.forward`."""
        hidden = queries[:, :, None] + keys[:, None]  # (B, Q, S, A)
        if coverage is not None:
            hidden = hidden + self.coverage_proj(coverage[..., None])
        hidden = _ACTIVATIONS[self.activation](hidden)
        energies: Tensor = self.energy(hidden).squeeze(-1)  # (B, Q, S)
        return energies


class DotScorer(Scorer):
    """e_ij = s_iᵀ h_j, for states of equal width (Luong et al. 2015, equation 8, dot)."""

    def keys(self, values: Tensor) -> Tensor:
        """Return h_j."""
        return values

    def queries(self, states: Tensor) -> Tensor:
        """Return s_i."""
        return states

    def forward(self, queries: Tensor, keys: Tensor, coverage: Tensor | None = None) -> Tensor:
        """See `Scorer.forward`."""
        return step_bmm(queries, keys, transposed=True)


class GeneralScorer(DotScorer):
    """e_ij = s_iᵀ W h_j, bilinear (Luong et al. 2015, equation 8, general).

    The parameter is √H W, so that one update of Adam changes an energy only a little.
    """

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(value_size, query_size, bias=False)  # √H W
        self.scale = 1 / math.sqrt(query_size)

    def keys(self, values: Tensor) -> Tensor:
        """Return W h_j: (B, S, D) → (B, S, H)."""
        keys: Tensor = self.key(values) * self.scale
        return keys


class ScaledDotScorer(DotScorer):
    """e_ij = (W_Q s_i)ᵀ (W_K h_j) / √A (Vaswani et al. 2017, §3.2.1)."""

    def __init__(self, query_size: int, value_size: int, width: int) -> None:
        super().__init__()
        self.query = StepLinear(query_size, width)  # W_Q
        self.key = nn.Linear(value_size, width, bias=False)  # W_K
        self.scale = 1 / math.sqrt(width)

    def keys(self, values: Tensor) -> Tensor:
        """Return W_K h_j."""
        keys: Tensor = self.key(values)
        return keys

    def queries(self, states: Tensor) -> Tensor:
        """Return W_Q s_i / √A."""
        queries: Tensor = self.query(states) * self.scale
        return queries
