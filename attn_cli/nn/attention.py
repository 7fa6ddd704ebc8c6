"""Steps 5 to 7 of attention: scores become weights, weights a context.

Knows that there is a scorer, not which one.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.scorers import AdditiveScorer


class Memory(NamedTuple):
    """What a decoder may look at: the source, read once.

    values (B, S, D) are the states h_j; keys (B, S, A) what the scorer made of them;
    mask (B, S) bool is True where a real piece stands.
    """

    values: Tensor
    keys: Tensor
    mask: Tensor

    def of(self, sentences: Tensor) -> "Memory":
        """The memory of these sentences (B',), in that order."""
        return Memory(*(part.index_select(0, sentences) for part in self))


class Places(NamedTuple):
    """How the N rows of a search stand in B sentences with Q places each.

    row (B, Q) is the row in each place, any row where the place is empty; place (N,) is where in
    the B·Q places each row stands. So all rows of a sentence ask its one memory together, and it is
    never copied for each of them.
    """

    row: Tensor
    place: Tensor


class SoftAttention(nn.Module):
    """a_ij = softmax_j e_ij over the real positions, c_i = Σ_j a_ij h_j (Bahdanau et al., §3.1)."""

    def __init__(self, scorer: AdditiveScorer) -> None:
        super().__init__()
        self.scorer = scorer

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """(B, S, D), (B, S) → the memory that every step of the decoder asks."""
        return Memory(values, self.scorer.keys(values), mask)

    def forward(
        self, states: Tensor, memory: Memory, places: Places | None = None
    ) -> tuple[Tensor, Tensor]:
        """(N, H) states that ask → contexts (N, D), weights (N, S): the distribution of each over
        the real positions of its sentence, which is sentence n, or where `places` puts row n."""
        queries = self.scorer.queries(states)  # (N, A)
        queries = queries[:, None] if places is None else queries[places.row]  # (B, Q, A)
        found = self._look(queries, memory)  # (B, Q, D), (B, Q, S)
        contexts, weights = (part.flatten(0, 1) for part in found)  # (B·Q, …)
        if places is None:
            return contexts, weights
        return contexts[places.place], weights[places.place]  # (N, …)

    def _look(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        scores = self.scorer(queries, memory.keys)  # (B, Q, S)
        unreal = ~memory.mask[:, None, :]  # (B, 1, S)
        weights = scores.masked_fill(unreal, -torch.inf).softmax(-1)  # (B, Q, S)
        contexts = torch.bmm(weights.to(memory.values.dtype), memory.values)  # (B, Q, D)
        return contexts, weights
