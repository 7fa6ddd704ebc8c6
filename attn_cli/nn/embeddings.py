"""The embedding of pieces, and the output projection onto the vocabulary."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from attn_cli.nn.dropout import SequenceDropout
from attn_cli.types import PAD


class PieceEmbedding(nn.Module):
    """Embeds pieces, multiplies by √E if `scaled` (Vaswani et al. 2017, §3.4), applies dropout."""

    def __init__(self, vocab_size: int, width: int, *, dropout: float, scaled: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        nn.init.zeros_(self.embedding.weight[PAD])
        self.dropout = SequenceDropout(dropout)
        self.scale = math.sqrt(width) if scaled else 1.0

    def forward(self, ids: Tensor) -> Tensor:
        """(…) int ids → (…, E)."""
        embedded: Tensor = self.dropout(self.embedding(ids) * self.scale)
        return embedded


class SelectedRows(NamedTuple):
    """The rows of the output projection for the shortlists of B sentences, at most L pieces each.

    weight (B, E, L); bias (B, 1, L), which is -inf after the end of a shorter list.
    """

    weight: Tensor
    bias: Tensor

    def select(self, sentences: Tensor) -> "SelectedRows":
        """Return the rows of these sentences (B',), in that order."""
        return SelectedRows(*(part.index_select(0, sentences) for part in self))


class OutputProjection(nn.Module):
    """Computes the logits of the vocabulary: a product with an embedding matrix, plus a bias.

    With a shortlist it computes only the logits of a sentence's pieces (Jean et al. 2015, §3.2).
    """

    def __init__(self, vocab_size: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, width))
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        nn.init.normal_(self.weight, std=width**-0.5)

    def tie(self, embedding: PieceEmbedding) -> None:
        """Use the matrix of the embedding, as one parameter (Press & Wolf 2017)."""
        weight = embedding.embedding.weight
        assert isinstance(weight, nn.Parameter)
        self.weight = weight

    def forward(self, features: Tensor) -> Tensor:
        """(…, E) → (…, V) logits."""
        return functional.linear(features, self.weight, self.bias)

    def select(self, shortlist: Tensor) -> SelectedRows:
        """(B, L) ids, negative after the last of a sentence → their rows of the projection."""
        ids = shortlist.clamp(min=0)
        weight = functional.embedding(ids, self.weight).transpose(1, 2)  # (B, E, L)
        bias = functional.embedding(ids, self.bias[:, None])[..., 0]  # (B, L)
        return SelectedRows(weight, bias.masked_fill(shortlist < 0, -torch.inf)[:, None])

    def project_selected(self, features: Tensor, rows: SelectedRows) -> Tensor:
        """(B, Q, E) → (B, Q, L) logits of each sentence's shortlist."""
        return features @ rows.weight + rows.bias
