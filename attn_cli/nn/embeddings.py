"""Pieces as vectors, and vectors as scores of pieces. Knows nothing of what is in between."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from attn_cli.nn.dropout import SequenceDropout
from attn_cli.types import PAD


class PieceEmbedding(nn.Module):
    """Looks pieces up, scales by √E so that a tied matrix serves both ends (Vaswani et al. 2017,
    §3.4), and silences units while training."""

    def __init__(self, vocab: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab, width, padding_idx=PAD)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        nn.init.zeros_(self.table.weight[PAD])
        self.dropout = SequenceDropout(dropout)
        self.scale = math.sqrt(width)

    def forward(self, ids: Tensor) -> Tensor:
        """(…) int ids → (…, E)."""
        embedded: Tensor = self.dropout(self.table(ids) * self.scale)
        return embedded


class SelectedRows(NamedTuple):
    """The rows of an output layer that each of B sentences scores, from a list of L pieces.

    weight (B, E, L); bias (B, 1, L), -inf where the list of a sentence is shorter.
    """

    weight: Tensor
    bias: Tensor

    def of(self, sentences: Tensor) -> "SelectedRows":
        """Those of these sentences (B',), in that order."""
        return SelectedRows(*(part.index_select(0, sentences) for part in self))


class PieceScores(nn.Module):
    """Scores every piece of the vocabulary: a product with an embedding matrix, plus a bias.

    Or those pieces alone that are selected for a sentence (Jean et al. 2015, §3.2).
    """

    def __init__(self, vocab: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab, width))
        self.bias = nn.Parameter(torch.zeros(vocab))
        nn.init.normal_(self.weight, std=width**-0.5)

    def tie(self, embedding: PieceEmbedding) -> None:
        """Score with the very matrix that embeds (Press & Wolf 2017)."""
        table = embedding.table.weight
        assert isinstance(table, nn.Parameter)
        self.weight = table

    def forward(self, features: Tensor) -> Tensor:
        """(…, E) → (…, V) logits."""
        return functional.linear(features, self.weight, self.bias)

    def select(self, listed: Tensor) -> SelectedRows:
        """(B, L) pieces, below 0 behind the last of a sentence → the rows that score them."""
        ids = listed.clamp(min=0)
        weight = functional.embedding(ids, self.weight).transpose(1, 2)  # (B, E, L)
        bias = functional.embedding(ids, self.bias[:, None])[..., 0]  # (B, L)
        return SelectedRows(weight, bias.masked_fill(listed < 0, -torch.inf)[:, None])

    def score_selected(self, features: Tensor, selected: SelectedRows) -> Tensor:
        """(B, Q, E) → (B, Q, L) logits of each sentence's own pieces."""
        return features @ selected.weight + selected.bias
