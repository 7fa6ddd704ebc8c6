"""Guided alignment: a loss that trains the decoder's attention towards word links.

The attention weights of a target piece, summed over the pieces of each source word
(`alignment/merge.py`), are compared by cross-entropy with the links of the piece's word. The loss
does not depend on how a word is split, so subword sampling may differ in each epoch.
Guided alignment is by Chen et al. 2016 ("Guided Alignment Training for
Topic-Aware NMT"), Mi et al. 2016 ("Supervised Attentions for NMT") and Liu et al. 2016 ("NMT with
Supervised Attention"); Garg et al. 2019 guide one head of a Transformer.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attn_cli.alignment.link_table import LinkTable
from attn_cli.config import ModelConfig
from attn_cli.data.batching import Batch
from attn_cli.types import FloatArray

#: Words whose best link has a smaller share of the votes are not guided.
MIN_VOTES = 0.25

#: Links of a word with fewer than this share of its best link's votes are ignored.
RELATIVE_MIN = 0.5

#: Added before the logarithm, so that it is finite when a weight underflows. The gradient through
#: the softmax vanishes for weights below it, so it is small; its reciprocal fits into float32.
EPSILON = 1e-30


@dataclass(frozen=True, eq=False)
class Guidance:
    """The links of each training pair, by its number, and the weight of the guided loss.

    The loss is multiplied by a factor that falls linearly from `weight` to `decay * weight` at
    update `max_steps`. Of several attention heads `head` is guided.
    """

    links: LinkTable
    weight: float
    decay: float
    max_steps: int
    head: int = 0

    def weight_at(self, step: int) -> float:
        """Return the factor of the guided loss at update `step` (from 1)."""
        done = min(1.0, step / self.max_steps)
        return self.weight * (1.0 - (1.0 - self.decay) * done)

    def target_distribution(self, batch: Batch) -> FloatArray:
        """Return the target distribution (B, T, W) of each piece over the W source words.

        A row sums to 1, or is 0 for words without enough votes, EOS and PAD.
        """
        words = word_targets(self.links, batch)  # (B, words + 1, W)
        return words[np.arange(len(batch))[:, None], batch.target_word_ids]  # (B, T, W)

    def loss(self, weights: Tensor, targets: FloatArray, batch: Batch) -> Tensor:
        """Return the guided loss of a batch, the mean over the pieces with a row in `targets`.

        `weights` are attention weights (B, T, S) or (B, T, heads, S), `targets` those of
        `target_distribution`.
        """
        if weights.dim() == 4:
            weights = weights[:, :, self.head]
        tensors = (torch.from_numpy(a).to(weights.device) for a in (targets, batch.source_word_ids))
        return guided_loss(weights, *tensors)


def word_targets(links: LinkTable, batch: Batch) -> FloatArray:
    """Return the target distributions (B, U + 1, W) of U target words over W source words.

    A row sums to 1, or is 0 for words without enough votes. The last row is 0, for EOS and PAD.
    """
    n_target, n_source = (
        int(word_of.max(initial=-1)) + 1
        for word_of in (batch.target_word_ids, batch.source_word_ids)
    )
    votes = links.to_matrices(batch.indices, n_target=n_target + 1, n_source=n_source)
    votes[:, n_target] = 0  # the word -1 of EOS and PAD
    is_present = (batch.source_word_ids[:, :, None] == np.arange(n_source)).any(1)  # (B, W)
    return normalize_votes(votes * is_present[:, None, :])


def guided_head(model: ModelConfig) -> int:
    """Return the index of the guided head, counted from 0 through all layers.

    It is the first head of the penultimate layer (Garg et al. 2019, §4.2).
    """
    layers, heads = model.heads
    return max(0, layers - 2) * heads


def normalize_votes(votes: FloatArray) -> FloatArray:
    """Normalize votes (…, W) from 0 to 1 to distributions; rows below `MIN_VOTES` become 0.

    Votes below `RELATIVE_MIN` times the row's maximum become 0.
    """
    best = votes.max(axis=-1, keepdims=True, initial=0.0)
    probs = np.where((best >= MIN_VOTES) & (votes >= RELATIVE_MIN * best), votes, 0).astype(
        np.float32
    )
    total = probs.sum(axis=-1, keepdims=True)
    np.divide(probs, total, out=probs, where=total > 0)
    return probs


def guided_loss(weights: Tensor, targets: Tensor, source_word_ids: Tensor) -> Tensor:
    """Return the mean cross-entropy of the guided pieces, in nats.

    `weights` are attention weights (B, T, S), `targets` the target distributions (B, T, W).
    `source_word_ids` (B, S) is each source piece's word, -1 for none. For target piece t the loss
    is -Σ_u targets_tu log Σ_{s of u} weights_ts, at least the entropy of targets_t; pieces whose
    row of `targets` is 0 are ignored, and without any other piece loss and gradient are 0. Computed
    in fp32.
    """
    dtype = torch.promote_types(weights.dtype, torch.float32)
    words = torch.arange(targets.shape[2], device=weights.device)
    of_word = (source_word_ids[:, :, None] == words).to(dtype)  # (B, S, W)
    targets = targets.to(dtype)
    with torch.autocast(weights.device.type, enabled=False):
        mass = torch.bmm(weights.to(dtype), of_word)  # (B, T, W)
    n_guided = targets.any(-1).sum().clamp(min=1)
    return -(targets * (mass + EPSILON).log()).sum() / n_guided
