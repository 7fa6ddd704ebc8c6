"""The word aligner: which word corresponds to which, once both sentences are known.

Knows words as groups of pieces, no tokenizer and no decoder: it sees the whole target, which the
decoder's attention, a guess of what to say next, cannot.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.dropout import SequenceDropout
from attn_cli.nn.embeddings import PieceEmbedding
from attn_cli.nn.encoders import RecurrentEncoder

#: The score of what must not be looked at: finite, since a padded row has nothing else.
MASKED = -1e4


class Words(NamedTuple):
    """A side of a batch: ids (B, P) of pieces, and mean (B, W, P), how each word is made of them.

    A row of `mean` holds 1 / n at the n pieces of a word; that of padding is 0.
    """

    ids: Tensor
    mean: Tensor

    @property
    def mask(self) -> Tensor:
        """(B, W) bool, True for a word."""
        return self.mean.sum(-1) > 0  # `any` of floats exports wrong


class Correspondence(NamedTuple):
    """Logarithms of two distributions for each pair of W_t and W_s words, NULL last in each.

    to_source (B, W_t, W_s + 1): over the source words, for each target word.
    to_target (B, W_t + 1, W_s): over the target words, for each source word.
    """

    to_source: Tensor
    to_target: Tensor

    @property
    def links(self) -> Tensor:
        """(B, W_t, W_s) the probability of each link: the geometric mean of both directions.

        Both must agree, as in Liang et al. (2006), "Alignment by Agreement", which multiplies them;
        the root keeps it on the scale of one.
        """
        return ((self.to_source[..., :-1] + self.to_target[:, :-1]) / 2).exp()


class AlignmentHead(nn.Module):
    """Scores every pair of words and lets the words of each side compete for the other's.

    A word is the mean of its pieces, in its context: a bidirectional GRU over the words of its
    side. `channels` scaled dot products (Vaswani et al. 2017, §3.2) of words in context, one of
    words alone, and the distance from the diagonal (Dyer et al. 2013) make a stack of W_t × W_s
    pictures, with what each word would choose if it stopped there. Two convolutions over them see
    that neighbours align to neighbours, and who is taken. A softmax each way, with a NULL for what
    corresponds to nothing, makes weights of the scores.
    """

    def __init__(
        self,
        *,
        source_vocab: int,
        target_vocab: int,
        shared: bool,
        embedding: int,
        width: int,
        channels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.source_embedding = PieceEmbedding(source_vocab, embedding, dropout=dropout)
        self.target_embedding = PieceEmbedding(target_vocab, embedding, dropout=dropout)
        if shared:
            self.source_embedding.table = self.target_embedding.table
        self.source = WordsInContext(embedding, width, dropout=dropout)
        self.target = WordsInContext(embedding, width, dropout=dropout)
        self.score = PairScores(embedding, embedding + 2 * width, channels)
        self.source_null = nn.Linear(embedding + 2 * width, 1)
        self.target_null = nn.Linear(embedding + 2 * width, 1)
        self.refine = Refinement(channels + 1)

    def forward(self, source: Words, target: Words) -> Correspondence:
        """Two sides of a batch → what each word of one corresponds to in the other."""
        real = target.mask[:, :, None] & source.mask[:, None, :]  # (B, W_t, W_s)
        src_alone = source.mean @ self.source_embedding(source.ids)  # (B, W_s, E)
        tgt_alone = target.mean @ self.target_embedding(target.ids)  # (B, W_t, E)
        src = self.source(src_alone, source.mask)  # (B, W_s, D)
        tgt = self.target(tgt_alone, target.mask)  # (B, W_t, D)
        channels = self.score(tgt_alone, tgt, src_alone, src)  # (B, C + 1, W_t, W_s)
        distance = from_diagonal(target.mask, source.mask)
        scores = self.refine(channels, distance, real).float()  # (B, W_t, W_s)
        of_target = self.target_null(tgt).float()
        of_source = self.source_null(src).float().transpose(1, 2)
        return Correspondence(
            torch.cat([scores, of_target], dim=2).log_softmax(2),
            torch.cat([scores, of_source], dim=1).log_softmax(1),
        )


class WordsInContext(nn.Module):
    """Words and, beside each, what a bidirectional GRU made of its sentence."""

    def __init__(self, embedding: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.encoder = RecurrentEncoder(
            embedding, width, cell="gru", layers=1, dropout=dropout, layer_norm=False
        )
        self.dropout = SequenceDropout(dropout)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """(B, W, E), (B, W) → (B, W, E + 2 · width)."""
        states = self.encoder(words, mask.sum(1))
        together: Tensor = self.dropout(torch.cat([words, states], dim=-1))
        return together


class PairScores(nn.Module):
    """How alike a target word and a source word are, in several ways."""

    def __init__(self, alone: int, together: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.width = 32  # of each channel
        self.source = nn.Linear(together, channels * self.width)
        self.target = nn.Linear(together, channels * self.width)
        self.source_alone = nn.Linear(alone, 4 * self.width, bias=False)
        self.target_alone = nn.Linear(alone, 4 * self.width, bias=False)

    def forward(self, tgt_alone: Tensor, tgt: Tensor, src_alone: Tensor, src: Tensor) -> Tensor:
        """Words alone (B, W, E) and in context (B, W, D) → (B, C + 1, W_t, W_s)."""
        query = self.target(tgt).unflatten(-1, (self.channels, -1)).transpose(1, 2)
        key = self.source(src).unflatten(-1, (self.channels, -1)).transpose(1, 2)
        scores = query @ key.transpose(2, 3) / math.sqrt(self.width)  # (B, C, W_t, W_s)
        lexical = self.target_alone(tgt_alone) @ self.source_alone(src_alone).transpose(1, 2)
        lexical = lexical[:, None] / math.sqrt(4 * self.width)  # (B, 1, W_t, W_s)
        return torch.cat([scores, lexical], dim=1)


class Refinement(nn.Module):
    """A score of each pair from its channels, mended by those of its neighbours."""

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.ones(channels))
        self.nearness = nn.Parameter(torch.ones(1))
        self.first = nn.Conv2d(channels + 3, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, channels: Tensor, distance: Tensor, real: Tensor) -> Tensor:
        """(B, C, W_t, W_s), (B, W_t, W_s), (B, W_t, W_s) bool → scores (B, W_t, W_s)."""
        plain = torch.einsum("bcts,c->bts", channels, self.share) - self.nearness * distance
        plain = plain.masked_fill(~real, MASKED)
        seen = torch.stack([distance, plain.softmax(2), plain.softmax(1)], dim=1)
        inside = real[:, None]  # (B, 1, W_t, W_s)
        found = self.first(torch.cat([channels, seen], dim=1) * inside).relu() * inside
        found = (found + self.second(found).relu()) * inside
        scores: Tensor = (plain + self.last(found)[:, 0]).masked_fill(~real, MASKED)
        return scores


def from_diagonal(target: Tensor, source: Tensor) -> Tensor:
    """(B, W_t) and (B, W_s) masks → (B, W_t, W_s): |t / T − s / S|, both from 0 to 1."""
    ours, theirs = _places(target), _places(source)
    return (ours[:, :, None] - theirs[:, None, :]).abs()


def _places(mask: Tensor) -> Tensor:
    """(B, W) → where the middle of each word stands between its sentence's start, 0, and end, 1."""
    count = mask.sum(1, keepdim=True).clamp(min=1)
    return (torch.arange(mask.shape[1], device=mask.device)[None, :] + 0.5) / count
