"""The loss of the word aligner: cross-entropy with votes, in both directions."""

from typing import NamedTuple

import torch
from torch import Tensor

from attn_cli.nn.word_aligner import AlignmentLogProbs


class LossSums(NamedTuple):
    """The sums of the losses of target and of source words, in nats, and the numbers of words.

    The losses of the parts of a batch, over the counts of the whole batch, sum to its loss.
    """

    sums: Tensor  # (2,)
    counts: Tensor  # (2,)

    def mean(self, counts: Tensor) -> Tensor:
        """Return the sum of both means, over these counts."""
        return (self.sums / counts.clamp(min=1)).sum()


def loss_sums(
    output: AlignmentLogProbs, votes: Tensor, masks: tuple[Tensor, Tensor], *, null_votes: float
) -> LossSums:
    """Return the cross-entropy between the votes (B, W_t, W_s) and the aligner's probabilities.

    Each target word has a distribution over the source words and NULL, and each source word one
    over the target words. Its target distribution is its votes, with `null_votes` for NULL, over
    their sum; with `null_votes` 0 NULL has what the votes leave of 1. `masks` (B, W_t) and
    (B, W_s) are True at words. A pair without votes is unlabeled and does not count.
    """
    has_votes = votes.flatten(1).any(1)[:, None]  # (B, 1)
    to_source = _cross_entropy(output.to_source, votes, null_votes)  # (B, W_t)
    to_target = _cross_entropy(
        output.to_target.transpose(1, 2), votes.transpose(1, 2), null_votes
    )  # (B, W_s)
    masks_known = [has_votes & mask for mask in masks]
    sums = [
        (losses * mask).sum()
        for losses, mask in zip((to_source, to_target), masks_known, strict=True)
    ]
    return LossSums(torch.stack(sums), torch.stack([mask.sum() for mask in masks_known]))


def bidirectional_cross_entropy(
    output: AlignmentLogProbs, votes: Tensor, masks: tuple[Tensor, Tensor], *, null_votes: float
) -> Tensor:
    """Return the loss of a whole batch, in nats per word: see `loss_sums`."""
    losses = loss_sums(output, votes, masks, null_votes=null_votes)
    return losses.mean(losses.counts)


def _cross_entropy(logp: Tensor, votes: Tensor, null_votes: float) -> Tensor:
    """(B, W, V + 1) and (B, W, V) → the cross-entropy of each word (B, W)."""
    total = votes.sum(-1, keepdim=True)  # (B, W, 1)
    targets = votes / (total + null_votes if null_votes else total.clamp(min=1))
    return -(targets * logp[..., :-1]).sum(-1) - (1 - targets.sum(-1)) * logp[..., -1]
