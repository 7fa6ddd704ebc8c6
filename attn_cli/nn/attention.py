"""Steps 5 to 7 of attention: scores become weights, weights a context.

Knows that there is a scorer, not which one. Only `HardAttention` samples.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.normalizers import softmax
from attn_cli.nn.products import StepLinear, batched
from attn_cli.nn.scorers import Scorer


class Memory(NamedTuple):
    """What a decoder may look at: the source, read once.

    values (B, S, D) are the states h_j, or what the attention made of them; keys (B, S, A) what
    the scorer made of them; mask (B, S) bool is True where a real piece stands.
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

    def sentence(self) -> Tensor:
        """(N,): the sentence of each row."""
        return self.place // self.row.shape[1]


def placed(rows: Tensor, places: Places | None) -> Tensor:
    """(N, …) → (B, Q, …): what belongs to rows, where they stand; alone, where nothing says."""
    return rows[:, None] if places is None else rows[places.row]


def back(found: Tensor, places: Places | None) -> Tensor:
    """(B, Q, …) → (N, …): the way back of `placed`."""
    rows = found.flatten(0, 1)
    return rows if places is None else rows[places.place]


class Looked(NamedTuple):
    """What N rows found: contexts (N, D), weights (N, S) or, of many heads, (N, heads, S).

    chosen (N,) is the log-probability of the position that was drawn, where attention draws.
    """

    contexts: Tensor
    weights: Tensor
    chosen: Tensor | None = None


class Attention(nn.Module):
    """Whatever looks at a source for a decoder: (N, H) states ask, contexts and weights answer."""

    #: Whether it wants to know how much each position was looked at before.
    covers = False

    #: Width of a context.
    width: int

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """(B, S, D), (B, S) → the memory that every step of the decoder asks."""
        raise NotImplementedError

    def summary(self, memory: Memory) -> Tensor:
        """What a decoder starts from: the mean of the values, (B, D)."""
        real = memory.mask[:, :, None].to(memory.values.dtype)  # (B, S, 1)
        return (memory.values * real).sum(1) / real.sum(1)

    def forward(
        self,
        states: Tensor,
        memory: Memory,
        places: Places | None = None,
        coverage: Tensor | None = None,
    ) -> Looked:
        """(N, H) states that ask → what each finds in its sentence, which is sentence n, or where
        `places` puts row n. `coverage` (N, S) is for attention that `covers`."""
        raise NotImplementedError


class SoftAttention(Attention):
    """a_ij = softmax_j e_ij over the real positions, c_i = Σ_j a_ij h_j (Bahdanau et al., §3.1).

    With `value_map` the context is made of V h_j instead (Vaswani et al. 2017, §3.2.1).
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        value: int,
        normalizer: Callable[[Tensor], Tensor] = softmax,
        value_map: bool = False,
    ) -> None:
        super().__init__()
        self.scorer, self.normalizer = scorer, normalizer
        self.value_map = nn.Linear(value, value, bias=False) if value_map else nn.Identity()
        self.covers, self.width = scorer.covers, value

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention.remember`."""
        return Memory(self.value_map(values), self.scorer.keys(values), mask)

    def forward(
        self,
        states: Tensor,
        memory: Memory,
        places: Places | None = None,
        coverage: Tensor | None = None,
    ) -> Looked:
        """See `Attention.forward`."""
        queries = placed(self.scorer.queries(states), places)  # (B, Q, A)
        covered = None if coverage is None else placed(coverage, places)  # (B, Q, S)
        scores = self.scorer(queries, memory.keys, covered)  # (B, Q, S)
        scores = scores.masked_fill(~memory.mask[:, None, :], -torch.inf)
        weights = self.normalizer(self._preferred(scores, states, memory, places))
        looked, chosen = self._choose(weights)
        contexts = batched(looked, memory.values)  # (B, Q, D)
        return Looked(
            back(contexts, places),
            back(weights if self.training else looked, places),
            None if chosen is None else back(chosen, places),
        )

    def _preferred(
        self, scores: Tensor, states: Tensor, memory: Memory, places: Places | None
    ) -> Tensor:
        """The scores (B, Q, S), changed by what is expected before any key is seen."""
        return scores

    def _choose(self, weights: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, Q, S) → where it looks, (B, Q, S), and the log-probability (B, Q) of a draw."""
        return weights, None


class LocalAttention(SoftAttention):
    """Looks around a position that it predicts (Luong et al. 2015, §3.2, local-p).

    p_i = (|S| - 1) σ(v_pᵀ tanh(W_p s_i)), counted from 0; the weights within `window` D of it are
    multiplied by exp(-(j - p_i)² / 2σ²), σ = D / 2, and divided by their sum, as Luong's are not,
    so that they stay a distribution. That is the same as to add the exponent to the scores, which
    other normalizers can make use of, too.
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        query: int,
        value: int,
        window: int,
        normalizer: Callable[[Tensor], Tensor] = softmax,
    ) -> None:
        super().__init__(scorer, value=value, normalizer=normalizer)
        self.hidden = StepLinear(query, query)  # W_p
        self.position = StepLinear(query, 1, bias=False)  # v_p
        self.window = window

    def _preferred(
        self, scores: Tensor, states: Tensor, memory: Memory, places: Places | None
    ) -> Tensor:
        share = torch.sigmoid(self.position(torch.tanh(self.hidden(states))))  # (N, 1)
        length = memory.mask.sum(1)[:, None, None]  # (B, 1, 1)
        centre = placed(share, places).float() * (length - 1)  # (B, Q, 1)
        positions = torch.arange(scores.shape[-1], device=scores.device)
        away = positions.to(centre.dtype) - centre  # (B, Q, S)
        near = scores - 2 * away.square() / self.window**2
        return near.masked_fill(away.abs() > self.window, -torch.inf)


#: The share of the steps whose context is the expected one while hard attention learns.
EXPECTED = 0.5


class HardAttention(SoftAttention):
    """Looks at one position: drawn from the weights while it learns, the likeliest one afterwards.

    Xu et al. 2015, §4.1, with REINFORCE (`train/reinforce.py`). As there, half of the time a step
    sees the expected context instead, whose gradient is exact; then nothing is drawn and `chosen`
    is 0. While training, weights are the probabilities; afterwards the one position.
    """

    def _choose(self, weights: Tensor) -> tuple[Tensor, Tensor | None]:
        if not self.training:
            best = weights.argmax(-1, keepdim=True)  # (B, Q, 1)
            return torch.zeros_like(weights).scatter(-1, best, 1.0), None
        batch, queries, size = weights.shape
        flat = weights.detach().float().view(-1, size)
        drawn = torch.multinomial(flat, 1).view(batch, queries, 1)
        one = torch.zeros_like(weights).scatter(-1, drawn, 1.0)
        expected = torch.rand(batch, 1, 1, device=weights.device) < EXPECTED
        logp = weights.float().clamp(min=_SMALLEST).log().gather(-1, drawn)[..., 0]  # (B, Q)
        return torch.where(expected, weights, one), logp.masked_fill(expected[..., 0], 0.0)


_SMALLEST = 1e-30


class MultiHeadAttention(Attention):
    """Several heads look at once, each with a scorer and a part of the values of its own.

    c_i = W_O [head_1 ; … ; head_H], head_h = Σ_j a_hij V_h h_j (Vaswani et al. 2017, §3.2.2), over
    any scorer.
    """

    def __init__(
        self,
        scorers: Sequence[Scorer],
        *,
        value: int,
        normalizer: Callable[[Tensor], Tensor] = softmax,
    ) -> None:
        super().__init__()
        self.scorers: Iterable[Scorer] = nn.ModuleList(scorers)  # type: ignore[assignment]
        self.value_map = nn.Linear(value, value, bias=False)
        self.out = StepLinear(value, value, bias=False)
        self.normalizer, self.width, self.heads = normalizer, value, len(scorers)

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention.remember`; the keys of all heads stand side by side."""
        keys = torch.cat([scorer.keys(values) for scorer in self.scorers], dim=-1)
        return Memory(self.value_map(values), keys, mask)

    def forward(
        self,
        states: Tensor,
        memory: Memory,
        places: Places | None = None,
        coverage: Tensor | None = None,
    ) -> Looked:
        """See `Attention.forward`."""
        unreal = ~memory.mask[:, None, :]
        contexts, weights = [], []
        parts = zip(
            self.scorers,
            memory.keys.chunk(self.heads, -1),
            memory.values.chunk(self.heads, -1),
            strict=True,
        )
        for scorer, keys, values in parts:
            queries = placed(scorer.queries(states), places)  # (B, Q, A/heads)
            scores = scorer(queries, keys).masked_fill(unreal, -torch.inf)  # (B, Q, S)
            weights.append(self.normalizer(scores))
            contexts.append(torch.bmm(weights[-1].to(values.dtype), values))  # (B, Q, D/heads)
        context = back(torch.cat(contexts, dim=-1), places)  # (N, D)
        return Looked(self.out(context), back(torch.stack(weights, dim=2), places))


class NoAttention(Attention):
    """One vector for the whole sentence, the same at every step: the encoder's last states.

    Cho et al. 2014, §2.2, and Sutskever et al. 2014. The bottleneck that attention removed; it
    looks nowhere, so its weights are 0.
    """

    def __init__(self, *, value: int, bidirectional: bool) -> None:
        super().__init__()
        self.width, self.bidirectional = value, bidirectional

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention.remember`; there are no keys to speak of."""
        return Memory(values, values, mask)

    def summary(self, memory: Memory) -> Tensor:
        """[→h_S ; ←h_1], or →h_S alone: (B, D)."""
        last = memory.mask.sum(1)[:, None, None] - 1  # (B, 1, 1)
        values = memory.values
        ends = values.gather(1, last.expand(-1, -1, values.shape[2]))[:, 0]  # (B, D)
        if not self.bidirectional:
            return ends
        half = self.width // 2
        return torch.cat([ends[:, :half], values[:, 0, half:]], dim=-1)

    def forward(
        self,
        states: Tensor,
        memory: Memory,
        places: Places | None = None,
        coverage: Tensor | None = None,
    ) -> Looked:
        """See `Attention.forward`."""
        contexts, weights = self.summary(memory), torch.zeros_like(memory.mask, dtype=states.dtype)
        if places is None:
            return Looked(contexts, weights)
        sentence = places.sentence()
        return Looked(contexts[sentence], weights[sentence])
