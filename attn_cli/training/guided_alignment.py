"""Guided attention: a loss that pulls the decoder's attention towards word links.

Knows weights, links and which piece is of which word; not who made the links, nor what kind of
decoder looks.

The attention of a target piece, summed over the pieces of each source word as the tables are
(`align/merge.py`), is compared by cross-entropy with what the links say of the piece's word. So
nothing is said of which piece of a word is looked at, and subwords may be drawn anew in each epoch.
Links as a second teacher of attention are of Chen et al. 2016 ("Guided Alignment Training for
Topic-Aware NMT"), Mi et al. 2016 ("Supervised Attentions for NMT") and Liu et al. 2016 ("NMT with
Supervised Attention"); Garg et al. 2019 do the same to a head of a Transformer.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attn_cli.alignment.link_table import LinkTable
from attn_cli.config import ModelConfig
from attn_cli.data.batching import Batch
from attn_cli.types import FloatArray

#: A word whose best link has fewer votes than this is left to itself: what a committee of aligners
#: disagrees about so much teaches noise, while four in ten that agree where nobody has anything
#: better are evidence.
ENOUGH = 0.25

#: Of a word's links, those are wanted that have at least this share of the best one's votes: beside
#: nine in ten, the one or two that point elsewhere are errors; beside four, another three are not.
SHARE = 0.5

#: Added to a mass before its logarithm, which stays finite when a weight underflows. It is so small
#: because the gradient through the softmax, which is at most 1 however small the weight, falls to
#: nothing where the weight is less than this: and a weight near 0 is what should be mended. Its
#: reciprocal, a gradient on the way there, is still far from the largest float32.
TINY = 1e-30


@dataclass(frozen=True, eq=False)
class Guidance:
    """The links that training follows, those of pair p of its corpus at p, and how much it does.

    The guided loss is multiplied by `weight` at first, by `decay * weight` in the last of
    `max_steps` updates, and falls linearly in between. Of several heads `head` is guided.
    """

    links: LinkTable
    weight: float
    decay: float
    max_steps: int
    head: int = 0

    def weight_at(self, step: int) -> float:
        """What the guided loss of update `step` (from 1) is multiplied by."""
        done = min(1.0, step / self.max_steps)
        return self.weight * (1.0 - (1.0 - self.decay) * done)

    def wanted(self, batch: Batch) -> FloatArray:
        """(B, T, W): where each target piece should look among the sentence's W source words.

        A row sums to 1, or is 0 where nothing is known: a word without enough evidence, EOS, PAD.
        """
        words = wanted_of_words(self.links, batch)  # (B, words + 1, W)
        return words[np.arange(len(batch))[:, None], batch.target_word]  # (B, T, W)

    def loss(self, weights: Tensor, wanted: FloatArray, batch: Batch) -> Tensor:
        """The guided loss of a batch whose attention is `weights` (B, T, S), or (B, T, heads, S),
        given what `wanted` says of it: the mean over the pieces with a row there."""
        if weights.dim() == 4:
            weights = weights[:, :, self.head]
        tensors = (torch.from_numpy(a).to(weights.device) for a in (wanted, batch.source_word))
        return guided_loss(weights, *tensors)


def wanted_of_words(links: LinkTable, batch: Batch) -> FloatArray:
    """(B, U + 1, W): where each of U target words should look among W source words.

    A row sums to 1, or is 0 where nothing is known. The last one, of no word, is always 0.
    """
    n_target, n_source = (
        int(word_of.max(initial=-1)) + 1 for word_of in (batch.target_word, batch.source_word)
    )
    votes = links.matrices(batch.indices, n_target=n_target + 1, n_source=n_source)
    votes[:, n_target] = 0  # the word -1 of EOS and PAD
    there = (batch.source_word[:, :, None] == np.arange(n_source)).any(1)  # (B, W)
    return distribution(votes * there[:, None, :])


def guided_head(model: ModelConfig) -> int:
    """The head that is guided, counted from 0 through all layers.

    In a Transformer the first of the last layer but one (Garg et al. 2019, §4.2).
    """
    layers, heads = model.heads
    return max(0, layers - 2) * heads


def distribution(votes: FloatArray) -> FloatArray:
    """Votes (…, W) from 0 to 1 for each source word → their distribution, or 0s without `ENOUGH`.

    Each row's best and what has a `SHARE` of it are kept and divided by their sum.
    """
    best = votes.max(axis=-1, keepdims=True, initial=0.0)
    kept = np.where((best >= ENOUGH) & (votes >= SHARE * best), votes, 0).astype(np.float32)
    total = kept.sum(axis=-1, keepdims=True)
    np.divide(kept, total, out=kept, where=total > 0)
    return kept


def guided_loss(weights: Tensor, wanted: Tensor, source_word: Tensor) -> Tensor:
    """Attention (B, T, S) against `wanted` (B, T, W) → the mean loss of the guided pieces, in nats.

    `source_word` (B, S) is each source piece's word, -1 for none. For target piece t the loss is
    -Σ_u wanted_tu log Σ_{s of u} weights_ts, at least the entropy of `wanted_t`; pieces whose row
    of `wanted` is 0 do not count, and where no piece counts the loss and its gradient are 0. Taken
    in fp32 whatever the precision.
    """
    exact = torch.promote_types(weights.dtype, torch.float32)
    words = torch.arange(wanted.shape[2], device=weights.device)
    of_word = (source_word[:, :, None] == words).to(exact)  # (B, S, W)
    wanted = wanted.to(exact)
    with torch.autocast(weights.device.type, enabled=False):
        mass = torch.bmm(weights.to(exact), of_word)  # (B, T, W)
    pieces = wanted.any(-1).sum().clamp(min=1)
    return -(wanted * (mass + TINY).log()).sum() / pieces
