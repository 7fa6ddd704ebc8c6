"""Step 8 of attention: the context, the decoder's own state and its last word give the next word.

Knows the attention it asks and nothing of searches or vocabularies.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.nn.attention import Memory, Places, SoftAttention
from attn_cli.nn.dropout import SequenceDropout

#: What a decoder must remember between two words, batch first. Only the decoder reads its keys.
State = dict[str, Tensor]


class Decoded(NamedTuple):
    """What one step (N, …) or a whole unrolled target (B, T, …) found.

    states (…, H), contexts (…, D), weights (…, S).
    """

    states: Tensor
    contexts: Tensor
    weights: Tensor


class GRUCell(nn.Module):
    """The gates of a GRU whose input arrives in two parts (Cho et al. 2014; torch's variant).

    s_i = GRU(s_{i-1}, [E y_{i-1} ; c_i]) with W [x ; c] written as W_x x + W_c c, so that W_x x is
    one product for a whole known target.
    """

    def __init__(self, embedding: int, context: int, width: int, *, layer_norm: bool) -> None:
        super().__init__()
        self.from_input = nn.Linear(embedding, 3 * width)
        self.from_context = nn.Linear(context, 3 * width, bias=False)
        self.from_state = nn.Linear(width, 3 * width)
        self.norm_input = nn.LayerNorm(3 * width) if layer_norm else nn.Identity()
        self.norm_state = nn.LayerNorm(3 * width) if layer_norm else nn.Identity()

    def forward(self, given: Tensor, context: Tensor, state: Tensor) -> Tensor:
        """`given` (N, 3H) = from_input(embedded), context (N, D), state (N, H) → state (N, H)."""
        asked = self.norm_input(given + self.from_context(context))  # (N, 3H)
        kept = self.norm_state(self.from_state(state))  # (N, 3H)
        reset_x, update_x, new_x = asked.chunk(3, dim=-1)
        reset_h, update_h, new_h = kept.chunk(3, dim=-1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + reset * new_h)
        return torch.addcmul(new, update, state.to(new.dtype) - new)


class RecurrentDecoder(nn.Module):
    """A GRU that asks before it moves: s_{i-1} is the query for c_i (Bahdanau et al. 2015, §3.1).

    The first layer attends; layers above it are plain GRUs that add what they find, so a known
    target runs through each of them in one call.
    """

    def __init__(
        self,
        embedding: int,
        width: int,
        attention: SoftAttention,
        *,
        value: int,
        layers: int,
        dropout: float,
        layer_norm: bool,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.cell = GRUCell(embedding, value, width, layer_norm=layer_norm)
        self.upper = nn.ModuleList(
            nn.GRU(width, width, batch_first=True) for _ in range(layers - 1)
        )
        self.initial = nn.Linear(value, width * layers)
        self.dropout = SequenceDropout(dropout)

    def start(self, memory: Memory) -> State:
        """s_0 = tanh(W mean_j h_j), for each layer: the state before the first word."""
        real = memory.mask[:, :, None].to(memory.values.dtype)  # (B, S, 1)
        mean = (memory.values * real).sum(1) / real.sum(1)  # (B, D)
        hidden = self.dropout(torch.tanh(self.initial(mean)))  # (B, H·layers)
        parts = hidden.chunk(1 + len(self.upper), dim=-1)
        return {f"layer{depth}": part for depth, part in enumerate(parts)}

    def step(
        self, embedded: Tensor, state: State, memory: Memory, places: Places | None = None
    ) -> tuple[Decoded, State]:
        """One word: (N, E) of y_{i-1}, the state before it → what was found, the state after.

        Row n asks sentence n, or that in which `places` puts it.
        """
        given = self.cell.from_input(embedded)  # (N, 3H)
        hidden, context, weights = self._attend(given, state["layer0"], memory, places)
        after = {"layer0": hidden}
        top = hidden[:, None, :]  # (N, 1, H)
        for depth, layer in enumerate(self.upper, start=1):
            before = state[f"layer{depth}"][None].contiguous()  # (1, N, H)
            found, last = layer(self.dropout(top), before)
            top = top + found
            after[f"layer{depth}"] = last[0]
        return Decoded(top[:, 0], context, weights), after

    def unroll(self, embedded: Tensor, memory: Memory) -> Decoded:
        """A known target: (B, T, E) of y_0 … y_{T-1} → the same as T steps, and quicker."""
        state = self.start(memory)
        given = self.cell.from_input(embedded)  # (B, T, 3H)
        hidden = state["layer0"]
        rows = []
        for step in given.unbind(1):
            hidden, context, weights = self._attend(step, hidden, memory)
            rows.append((hidden, context, weights))
        top, contexts, weights = (torch.stack(column, dim=1) for column in zip(*rows, strict=True))
        for depth, layer in enumerate(self.upper, start=1):
            before = state[f"layer{depth}"][None].contiguous()  # (1, B, H)
            top = top + layer(self.dropout(top), before)[0]
        return Decoded(top, contexts, weights)

    def _attend(
        self, given: Tensor, hidden: Tensor, memory: Memory, places: Places | None = None
    ) -> tuple[Tensor, ...]:
        context, weights = self.attention(hidden, memory, places)  # (N, D), (N, S)
        return self.cell(given, context, hidden), context, weights
