"""The word aligner: the probability that two words of a pair of sentences correspond.

Unlike the attention of a decoder it reads the whole target. A word is a group of pieces.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.dropout import SequenceDropout
from attn_cli.nn.embeddings import PieceEmbedding
from attn_cli.nn.encoders import RecurrentEncoder

#: The energy of padding. It is finite, since softmax over a row of -inf is NaN.
MASKED_ENERGY = -1e4


class WordGroups(NamedTuple):
    """One side of a batch: ids (B, P) of pieces, and mean (B, W, P), which averages them by word.

    A row of `mean` is 1 / n at the n pieces of its word and 0 elsewhere; at padding it is all 0.
    """

    ids: Tensor
    mean: Tensor

    @property
    def mask(self) -> Tensor:
        """The mask (B, W) bool, True at words."""
        return self.mean.sum(-1) > 0  # torch.onnx exports `any` of floats wrong


class AlignmentLogProbs(NamedTuple):
    """The log-probabilities of both directions, for W_t target and W_s source words; NULL is last.

    to_source (B, W_t, W_s + 1): over the source words, for each target word.
    to_target (B, W_t + 1, W_s): over the target words, for each source word.
    """

    to_source: Tensor
    to_target: Tensor

    @property
    def link_probs(self) -> Tensor:
        """The probability of each link, (B, W_t, W_s): the geometric mean of both directions.

        Liang et al. 2006, "Alignment by Agreement", use their product; this is its square root.
        """
        return ((self.to_source[..., :-1] + self.to_target[:, :-1]) / 2).exp()


class WordAligner(nn.Module):
    """Computes an energy for every pair of words, and a softmax of the energies in each direction.

    A word is the mean of its pieces, encoded by a bidirectional GRU over the words of its side.
    Each pair of words has several channels: `channels` scaled dot products (Vaswani et al. 2017,
    §3.2) of the encoded words, one of the unencoded words, and the distance from the diagonal (Dyer
    et al. 2013). Convolutions over the W_t × W_s pairs use the links of neighboring words. NULL is
    the partner of unaligned words.
    """

    def __init__(
        self,
        *,
        source_vocab_size: int,
        target_vocab_size: int,
        share_embeddings: bool,
        embedding_size: int,
        width: int,
        channels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.source_embedding = PieceEmbedding(source_vocab_size, embedding_size, dropout=dropout)
        self.target_embedding = PieceEmbedding(target_vocab_size, embedding_size, dropout=dropout)
        if share_embeddings:
            self.source_embedding.embedding = self.target_embedding.embedding
        self.source_encoder = WordEncoder(embedding_size, width, dropout=dropout)
        self.target_encoder = WordEncoder(embedding_size, width, dropout=dropout)
        self.scorer = PairwiseScorer(embedding_size, embedding_size + 2 * width, channels)
        self.source_null = nn.Linear(embedding_size + 2 * width, 1)
        self.target_null = nn.Linear(embedding_size + 2 * width, 1)
        self.refiner = ConvRefiner(channels + 1)

    def forward(self, source: WordGroups, target: WordGroups) -> AlignmentLogProbs:
        """Both sides of a batch → the alignment log-probabilities of every pair."""
        mask = target.mask[:, :, None] & source.mask[:, None, :]  # (B, W_t, W_s)
        src_embedded = source.mean @ self.source_embedding(source.ids)  # (B, W_s, E)
        tgt_embedded = target.mean @ self.target_embedding(target.ids)  # (B, W_t, E)
        src = self.source_encoder(src_embedded, source.mask)  # (B, W_s, D)
        tgt = self.target_encoder(tgt_embedded, target.mask)  # (B, W_t, D)
        channels = self.scorer(tgt_embedded, tgt, src_embedded, src)  # (B, C + 1, W_t, W_s)
        distance = diagonal_distance(target.mask, source.mask)
        energies = self.refiner(channels, distance, mask).float()  # (B, W_t, W_s)
        target_null = self.target_null(tgt).float()  # (B, W_t, 1)
        source_null = self.source_null(src).float().transpose(1, 2)  # (B, 1, W_s)
        return AlignmentLogProbs(
            torch.cat([energies, target_null], dim=2).log_softmax(2),
            torch.cat([energies, source_null], dim=1).log_softmax(1),
        )


class WordEncoder(nn.Module):
    """Concatenates each word with its state of a bidirectional GRU over the sentence."""

    def __init__(self, embedding_size: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.encoder = RecurrentEncoder(
            embedding_size, width, cell="gru", layers=1, dropout=dropout, layer_norm=False
        )
        self.dropout = SequenceDropout(dropout)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """(B, W, E), (B, W) → (B, W, E + 2 · width)."""
        states = self.encoder(words, mask.sum(1))
        encoded: Tensor = self.dropout(torch.cat([words, states], dim=-1))
        return encoded


class PairwiseScorer(nn.Module):
    """Scaled dot products of target and source words, in several channels."""

    def __init__(self, embedding_size: int, encoded_size: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.width = 32  # of each channel
        self.source_proj = nn.Linear(encoded_size, channels * self.width)
        self.target_proj = nn.Linear(encoded_size, channels * self.width)
        self.source_lexical = nn.Linear(embedding_size, 4 * self.width, bias=False)
        self.target_lexical = nn.Linear(embedding_size, 4 * self.width, bias=False)

    def forward(
        self, tgt_embedded: Tensor, tgt: Tensor, src_embedded: Tensor, src: Tensor
    ) -> Tensor:
        """Embeddings (B, W, E) and encoded words (B, W, D) of both sides → (B, C + 1, W_t, W_s)."""
        query = self.target_proj(tgt).unflatten(-1, (self.channels, -1)).transpose(1, 2)
        key = self.source_proj(src).unflatten(-1, (self.channels, -1)).transpose(1, 2)
        energies = query @ key.transpose(2, 3) / math.sqrt(self.width)  # (B, C, W_t, W_s)
        lexical = self.target_lexical(tgt_embedded) @ self.source_lexical(src_embedded).transpose(
            1, 2
        )
        lexical = lexical[:, None] / math.sqrt(4 * self.width)  # (B, 1, W_t, W_s)
        return torch.cat([energies, lexical], dim=1)


class ConvRefiner(nn.Module):
    """The energy of each pair: a weighted sum of its channels, plus convolutions over them."""

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.channel_weights = nn.Parameter(torch.ones(channels))
        self.distance_weight = nn.Parameter(torch.ones(1))
        self.conv1 = nn.Conv2d(channels + 3, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_out = nn.Conv2d(width, 1, 1)

    def forward(self, channels: Tensor, distance: Tensor, mask: Tensor) -> Tensor:
        """(B, C, W_t, W_s), (B, W_t, W_s), (B, W_t, W_s) bool → energies (B, W_t, W_s)."""
        linear = (
            torch.einsum("bcts,c->bts", channels, self.channel_weights)
            - self.distance_weight * distance
        )
        linear = linear.masked_fill(~mask, MASKED_ENERGY)
        extra = torch.stack([distance, linear.softmax(2), linear.softmax(1)], dim=1)
        valid = mask[:, None]  # (B, 1, W_t, W_s)
        hidden = self.conv1(torch.cat([channels, extra], dim=1) * valid).relu() * valid
        hidden = (hidden + self.conv2(hidden).relu()) * valid
        energies: Tensor = (linear + self.conv_out(hidden)[:, 0]).masked_fill(~mask, MASKED_ENERGY)
        return energies


def diagonal_distance(target: Tensor, source: Tensor) -> Tensor:
    """(B, W_t) and (B, W_s) masks → (B, W_t, W_s): |t / T − s / S|, both from 0 to 1."""
    rows, columns = _relative_positions(target), _relative_positions(source)
    return (rows[:, :, None] - columns[:, None, :]).abs()


def _relative_positions(mask: Tensor) -> Tensor:
    """(B, W) mask → (B, W) the middle of each word: 0 is the sentence's start, 1 its end."""
    count = mask.sum(1, keepdim=True).clamp(min=1)
    return (torch.arange(mask.shape[1], device=mask.device)[None, :] + 0.5) / count
