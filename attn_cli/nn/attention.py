"""Steps 5 to 7 of attention: from energies to attention weights and a context vector.

A scorer computes the energies (B, Q, S) of queries and keys. A normalizer turns them into attention
weights. The context is the sum of the values, weighted by them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.normalizers import softmax
from attn_cli.nn.products import StepLinear, step_bmm
from attn_cli.nn.scorers import Scorer


class RowLayout(NamedTuple):
    """Where the N rows of a search stand in a rectangle of B sentences with Q slots each.

    row_at_slot (B, Q) is the row in each slot, any row where the slot is empty; slot_of_row (N,) is
    the slot of each row, from 0 to B·Q - 1.
    """

    row_at_slot: Tensor
    slot_of_row: Tensor


class Memory(NamedTuple):
    """The encoded source that a decoder attends to, computed once per sentence.

    values (B, S, D) are the encoder's states h_j, or projections of them; keys (B, S, A) are the
    scorer's; mask (B, S) bool is True at source positions, False at padding. `layout` groups the N
    rows of a search by sentence, so that the memory is never copied for each row; without one,
    row n belongs to sentence n.
    """

    values: Tensor
    keys: Tensor
    mask: Tensor
    layout: RowLayout | None = None

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Values, keys and mask."""
        return self.values, self.keys, self.mask

    def select(self, sentences: Tensor) -> "Memory":
        """Return the memory of these sentences (B',), in that order, without a layout."""
        values, keys, mask = (part.index_select(0, sentences) for part in self.tensors)
        return Memory(values, keys, mask)

    def group(self, rows: Tensor) -> Tensor:
        """(N, …) → (B, Q, …): the rows of each sentence."""
        return rows[:, None] if self.layout is None else rows[self.layout.row_at_slot]

    def ungroup(self, grouped: Tensor) -> Tensor:
        """(B, Q, …) → (N, …): the inverse of `group`."""
        slots = grouped.flatten(0, 1)
        return slots if self.layout is None else slots[self.layout.slot_of_row]


#: The names of `Memory.tensors`, as they appear in the inputs of a graph.
MEMORY_TENSORS = ("values", "keys", "mask")


class AttentionOutput(NamedTuple):
    """Contexts (N, D) and attention weights, (N, S) or with several heads (N, heads, S).

    sampled_logp (N,) is the log-probability of the sampled position, of hard attention in training.
    """

    contexts: Tensor
    weights: Tensor
    sampled_logp: Tensor | None = None


class Attention(nn.Module, ABC):
    """Base class: (N, H) decoder states and a memory → contexts and attention weights."""

    #: Whether `forward` takes the coverage: the sum of the attention weights so far.
    uses_coverage = False

    #: Width D of a context.
    context_size: int

    @abstractmethod
    def prepare_memory(self, values: Tensor, mask: Tensor) -> Memory:
        """Encoder states (B, S, D) and their mask (B, S) → the memory of all decoder steps."""

    def initial_context(self, memory: Memory) -> Tensor:
        """Return the mean of the values, (B, D), from which a decoder computes its first state."""
        mask = memory.mask[:, :, None].to(memory.values.dtype)  # (B, S, 1)
        return (memory.values * mask).sum(1) / mask.sum(1)

    @abstractmethod
    def forward(
        self, states: Tensor, memory: Memory, coverage: Tensor | None = None
    ) -> AttentionOutput:
        """Attend from each of the states (N, H) to the sentence of its row.

        `coverage` (N, S) is for attention with `uses_coverage`.
        """


class SoftAttention(Attention):
    """a_ij = softmax_j e_ij over the source positions, c_i = Σ_j a_ij h_j (Bahdanau et al., §3.1).

    With `project_values` the values are V h_j (Vaswani et al. 2017, §3.2.1).
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        value_size: int,
        normalizer: Callable[[Tensor], Tensor] = softmax,
        project_values: bool = False,
    ) -> None:
        super().__init__()
        self.scorer, self.normalizer = scorer, normalizer
        self.value_proj = (
            nn.Linear(value_size, value_size, bias=False) if project_values else nn.Identity()
        )
        self.uses_coverage, self.context_size = scorer.uses_coverage, value_size

    def prepare_memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention.prepare_memory`."""
        return Memory(self.value_proj(values), self.scorer.keys(values), mask)

    def forward(
        self, states: Tensor, memory: Memory, coverage: Tensor | None = None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        queries = memory.group(self.scorer.queries(states))  # (B, Q, A)
        if coverage is not None:
            coverage = memory.group(coverage)  # (B, Q, S)
        energies = self.scorer(queries, memory.keys, coverage)  # (B, Q, S)
        energies = energies.masked_fill(~memory.mask[:, None, :], -torch.inf)
        weights = self.normalizer(self.bias_energies(energies, states, memory))
        context_weights, sampled_logp = self._select(weights)
        contexts = step_bmm(context_weights, memory.values)  # (B, Q, D)
        return AttentionOutput(
            memory.ungroup(contexts),
            memory.ungroup(weights if self.training else context_weights),
            None if sampled_logp is None else memory.ungroup(sampled_logp),
        )

    def bias_energies(self, energies: Tensor, states: Tensor, memory: Memory) -> Tensor:
        """Add a bias to the energies (B, Q, S) that depends on the states (N, H) alone."""
        return energies

    def _select(self, weights: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weights (B, Q, S) → the weights of the context (B, Q, S), and the log-probability (B, Q)
        of the sampled position, None without sampling."""
        return weights, None


class LocalAttention(SoftAttention):
    """Attends to a window around a predicted position (Luong et al. 2015, §3.2, local-p).

    p_i = (|S| - 1) σ(v_pᵀ tanh(W_p s_i)), counted from 0. Positions more than D = `window` from p_i
    have the weight 0. The other weights are multiplied by exp(-(j - p_i)² / 2σ²), σ = D / 2, and
    normalized, unlike in the paper, so that they sum to 1. The code adds the exponent to the
    energies, which is the same for softmax.
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        query_size: int,
        value_size: int,
        window: int,
        normalizer: Callable[[Tensor], Tensor] = softmax,
    ) -> None:
        super().__init__(scorer, value_size=value_size, normalizer=normalizer)
        self.hidden = StepLinear(query_size, query_size)  # W_p
        self.position = StepLinear(query_size, 1, bias=False)  # v_p
        self.window = window

    def bias_energies(self, energies: Tensor, states: Tensor, memory: Memory) -> Tensor:
        """See `SoftAttention.bias_energies`; the bias is the exponent, -inf outside the window."""
        fraction = torch.sigmoid(self.position(torch.tanh(self.hidden(states))))  # (N, 1)
        length = memory.mask.sum(1)[:, None, None]  # (B, 1, 1)
        center = memory.group(fraction).float() * (length - 1)  # (B, Q, 1)
        positions = torch.arange(energies.shape[-1], device=energies.device)
        distance = positions.to(center.dtype) - center  # (B, Q, S)
        biased = energies - 2 * distance.square() / self.window**2
        return biased.masked_fill(distance.abs() > self.window, -torch.inf)


#: Probability that a training step of hard attention uses the soft context.
SOFT_CONTEXT_PROBABILITY = 0.5


class HardAttention(SoftAttention):
    """Attends to one position: a sample of the weights in training, their argmax otherwise.

    Xu et al. 2015, §4.1, trained with REINFORCE (`training/reinforce.py`). As in the paper, half of
    the training steps use the soft context, whose gradient is exact; their `sampled_logp` is 0.
    The weights returned are the probabilities in training, one-hot otherwise.
    """

    def _select(self, weights: Tensor) -> tuple[Tensor, Tensor | None]:
        if not self.training:
            best = weights.argmax(-1, keepdim=True)  # (B, Q, 1)
            return torch.zeros_like(weights).scatter(-1, best, 1.0), None
        batch, queries, size = weights.shape
        probs = weights.detach().float().view(-1, size)
        sample = torch.multinomial(probs, 1).view(batch, queries, 1)
        one_hot = torch.zeros_like(weights).scatter(-1, sample, 1.0)
        use_soft = torch.rand(batch, 1, 1, device=weights.device) < SOFT_CONTEXT_PROBABILITY
        logp = weights.float().clamp(min=_EPSILON).log().gather(-1, sample)[..., 0]  # (B, Q)
        return torch.where(use_soft, weights, one_hot), logp.masked_fill(use_soft[..., 0], 0.0)


_EPSILON = 1e-30


class MultiHeadAttention(Attention):
    """Several heads in parallel, each with its scorer and its slice of the values.

    c_i = W_O [head_1 ; … ; head_H], head_h = Σ_j a_hij V_h h_j (Vaswani et al. 2017, §3.2.2), for
    any scorer.
    """

    def __init__(
        self,
        scorers: Sequence[Scorer],
        *,
        value_size: int,
        normalizer: Callable[[Tensor], Tensor] = softmax,
    ) -> None:
        super().__init__()
        self.scorers: Iterable[Scorer] = nn.ModuleList(scorers)  # type: ignore[assignment]
        self.value_proj = nn.Linear(value_size, value_size, bias=False)
        self.out_proj = StepLinear(value_size, value_size, bias=False)
        self.normalizer, self.context_size, self.heads = normalizer, value_size, len(scorers)

    def prepare_memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention.prepare_memory`; the keys of all heads are concatenated."""
        keys = torch.cat([scorer.keys(values) for scorer in self.scorers], dim=-1)
        return Memory(self.value_proj(values), keys, mask)

    def forward(
        self, states: Tensor, memory: Memory, coverage: Tensor | None = None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        padding = ~memory.mask[:, None, :]
        contexts, weights = [], []
        heads = zip(
            self.scorers,
            memory.keys.chunk(self.heads, -1),
            memory.values.chunk(self.heads, -1),
            strict=True,
        )
        for scorer, keys, values in heads:
            queries = memory.group(scorer.queries(states))  # (B, Q, A/heads)
            energies = scorer(queries, keys).masked_fill(padding, -torch.inf)  # (B, Q, S)
            weights.append(self.normalizer(energies))
            contexts.append(torch.bmm(weights[-1].to(values.dtype), values))  # (B, Q, D/heads)
        context = memory.ungroup(torch.cat(contexts, dim=-1))  # (N, D)
        return AttentionOutput(self.out_proj(context), memory.ungroup(torch.stack(weights, dim=2)))


class NoAttention(Attention):
    """The encoder's last states as the context of every step; all weights are 0.

    Cho et al. 2014, §2.2, and Sutskever et al. 2014.
    """

    def __init__(self, *, value_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.context_size, self.bidirectional = value_size, bidirectional

    def prepare_memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention.prepare_memory`; the keys are unused."""
        return Memory(values, values, mask)

    def initial_context(self, memory: Memory) -> Tensor:
        """Return [→h_S ; ←h_1], or →h_S of a unidirectional encoder: (B, D)."""
        last = memory.mask.sum(1)[:, None, None] - 1  # (B, 1, 1)
        values = memory.values
        ends = values.gather(1, last.expand(-1, -1, values.shape[2]))[:, 0]  # (B, D)
        if not self.bidirectional:
            return ends
        half = self.context_size // 2
        return torch.cat([ends[:, :half], values[:, 0, half:]], dim=-1)

    def forward(
        self, states: Tensor, memory: Memory, coverage: Tensor | None = None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        contexts = self.initial_context(memory)  # (B, D)
        weights = torch.zeros_like(memory.mask, dtype=states.dtype)  # (B, S)
        if memory.layout is not None:
            slots = memory.layout.row_at_slot.shape[1]
            sentence = memory.layout.slot_of_row // slots  # (N,)
            contexts, weights = contexts[sentence], weights[sentence]
        return AttentionOutput(contexts, weights)
