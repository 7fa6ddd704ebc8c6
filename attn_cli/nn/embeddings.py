"""Pieces as vectors, and vectors as scores of pieces. Knows nothing of what is in between."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from attn_cli.nn.dropout import SequenceDropout
from attn_cli.values import PAD


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


class PieceScores(nn.Module):
    """Scores every piece of the vocabulary: a product with an embedding matrix, plus a bias."""

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
