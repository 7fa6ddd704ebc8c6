"""Step 8 of attention: the context, the decoder's own state and its last word give the next word.

Know the attention they ask and nothing of searches or vocabularies.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.config import Cell as CellName
from attn_cli.nn.attention import Attention, Looked, Memory, Places
from attn_cli.nn.cells import CELLS, LAYERS, Parts, run
from attn_cli.nn.dropout import SequenceDropout
from attn_cli.nn.products import StepLinear, one_gradient

#: What a decoder must remember between two words, batch first. Only the decoder reads its keys.
State = dict[str, Tensor]


class Decoded(NamedTuple):
    """What one step (N, …) or a whole unrolled target (B, T, …) found.

    states (…, H), contexts (…, D), weights (…, S) or, of several heads, (…, heads, S); chosen (…)
    where attention draws. Weights are None where nobody asked for them and that saves work.
    """

    states: Tensor
    contexts: Tensor
    weights: Tensor | None
    chosen: Tensor | None = None


class Decoder(nn.Module):
    """A decoder as the rest of a network sees it."""

    #: Width of `Decoded.states` and of `Decoded.contexts`.
    width: int
    context: int

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """The encoder's states (B, S, D), and where they are real (B, S) → what it looks at."""
        raise NotImplementedError

    def start(self, memory: Memory) -> State:
        """The state before the first word."""
        raise NotImplementedError

    def axes(self) -> dict[str, str]:
        """The axes of each part of the state whose size is open: N rows, T words so far, S."""
        raise NotImplementedError

    def step(
        self, embedded: Tensor, state: State, memory: Memory, places: Places | None = None
    ) -> tuple[Decoded, State]:
        """One word: (N, E) of y_{i-1}, the state before it → what was found, the state after.

        Row n asks sentence n, or that in which `places` puts it.
        """
        raise NotImplementedError

    def unroll(self, embedded: Tensor, memory: Memory, *, weights: bool = True) -> Decoded:
        """A known target: (B, T, E) of y_0 … y_{T-1} → the same as T steps, and quicker.

        `weights` may be left out where nobody looks at them.
        """
        raise NotImplementedError


class _Recurrent(Decoder):
    """Recurrent layers and the states they start from."""

    def __init__(
        self,
        embedding: int,
        width: int,
        attention: Attention,
        *,
        cell: CellName,
        layers: int,
        dropout: float,
        layer_norm: bool,
    ) -> None:
        super().__init__()
        self.attention, self.width, self.context = attention, width, attention.width
        self.parts, self.layers = CELLS[cell].parts, layers
        self.upper = nn.ModuleList(
            LAYERS[cell](width, width, batch_first=True) for _ in range(layers - 1)
        )
        self.initial = nn.Linear(attention.width, width * layers * self.parts)
        self.dropout = SequenceDropout(dropout)
        self.cell = CELLS[cell](embedding, self._beside(), width, layer_norm=layer_norm)

    def _beside(self) -> int:
        """Units that the first layer reads beside the last word: the context's."""
        return self.context

    def remember(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Decoder.remember`."""
        return self.attention.remember(values, mask)

    def start(self, memory: Memory) -> State:
        """s_0 = tanh(W c̄) for each layer, c̄ being the attention's summary of the sentence."""
        hidden = self.dropout(torch.tanh(self.initial(self.attention.summary(memory))))
        parts = hidden.chunk(self.layers * self.parts, dim=-1)
        state = dict(zip(self._names(), parts, strict=True))
        if self.attention.covers:
            state["coverage"] = torch.zeros_like(memory.mask, dtype=hidden.dtype)  # (B, S)
        return state

    def axes(self) -> dict[str, str]:
        """See `Decoder.axes`."""
        axes = dict.fromkeys(self._names(), "N")
        return axes | ({"coverage": "NS"} if self.attention.covers else {})

    def _names(self) -> list[str]:
        kinds = ("layer", "memory")[: self.parts]
        return [f"{kind}{depth}" for depth in range(self.layers) for kind in kinds]

    def _before(self, state: State, depth: int) -> Parts:
        """The state of a layer."""
        return tuple(state[f"{kind}{depth}"] for kind in ("layer", "memory")[: self.parts])

    def _after(self, parts: Parts, depth: int) -> State:
        """What `_before` reads again."""
        return {
            f"{kind}{depth}": part
            for kind, part in zip(("layer", "memory")[: self.parts], parts, strict=True)
        }

    def _look(
        self, query: Tensor, state: State, memory: Memory, places: Places | None
    ) -> tuple[Looked, State]:
        """What a query (N, H) finds, and what is remembered of its having looked."""
        looked = self.attention(query, memory, places, state.get("coverage"))
        if not self.attention.covers:
            return looked, {}
        return looked, {"coverage": state["coverage"] + looked.weights}


class RecurrentDecoder(_Recurrent):
    """Asks before it moves: s_{i-1} is the query for c_i (Bahdanau et al. 2015, §3.1).

    The first layer attends; layers above it are plain ones that add what they find, so a known
    target runs through each of them in one call.
    """

    def step(
        self, embedded: Tensor, state: State, memory: Memory, places: Places | None = None
    ) -> tuple[Decoded, State]:
        """See `Decoder.step`."""
        looked, after = self._first(self.cell.from_input(embedded), state, memory, places)
        top = after["layer0"][:, None, :]  # (N, 1, H)
        for depth, layer in enumerate(self.upper, start=1):
            found, parts = run(layer, self.dropout(top), self._before(state, depth))
            top = top + found
            after |= self._after(parts, depth)
        return Decoded(top[:, 0], *looked), after

    def unroll(self, embedded: Tensor, memory: Memory, *, weights: bool = True) -> Decoded:
        """See `Decoder.unroll`."""
        start = self.start(memory)
        given = self.cell.from_input(embedded)  # (B, T, gates·H)
        state, rows = start, []
        with one_gradient():
            for step in given.unbind(1):
                looked, state = self._first(step, state, memory)
                rows.append(Decoded(state["layer0"], *looked))
        decoded = stacked(rows)
        top = decoded.states
        for depth, layer in enumerate(self.upper, start=1):
            top = top + run(layer, self.dropout(top), self._before(start, depth))[0]
        return decoded._replace(states=top)

    def _first(
        self, given: Tensor, state: State, memory: Memory, places: Places | None = None
    ) -> tuple[Looked, State]:
        """The layer that attends: what it looked at, and its state after."""
        before = self._before(state, 0)
        looked, after = self._look(before[0], state, memory, places)
        return looked, self._after(self.cell(given, looked.contexts, before), 0) | after


class InputFeedingDecoder(_Recurrent):
    """Moves before it asks: s_i is the query, and what it found is fed to the next step.

    h̃_i = tanh(W_c [c_i ; s_i]) is what the next word is said from (Luong et al. 2015, equation 5),
    and the first layer reads [E y_{i-1} ; h̃_{i-1}] (§3.3, input feeding).
    """

    def __init__(
        self,
        embedding: int,
        width: int,
        attention: Attention,
        *,
        cell: CellName,
        layers: int,
        dropout: float,
        layer_norm: bool,
    ) -> None:
        super().__init__(
            embedding,
            width,
            attention,
            cell=cell,
            layers=layers,
            dropout=dropout,
            layer_norm=layer_norm,
        )
        self.mix = StepLinear(self.context + width, width)  # W_c

    def _beside(self) -> int:
        """Units of what was found at the last step."""
        return self.width

    def start(self, memory: Memory) -> State:
        """See `Decoder.start`; nothing was found yet."""
        state = super().start(memory)
        return state | {"fed": torch.zeros_like(state["layer0"])}

    def axes(self) -> dict[str, str]:
        """See `Decoder.axes`."""
        return super().axes() | {"fed": "N"}

    def step(
        self, embedded: Tensor, state: State, memory: Memory, places: Places | None = None
    ) -> tuple[Decoded, State]:
        """See `Decoder.step`."""
        return self._moved(self.cell.from_input(embedded), state, memory, places)

    def unroll(self, embedded: Tensor, memory: Memory, *, weights: bool = True) -> Decoded:
        """See `Decoder.unroll`."""
        state, rows = self.start(memory), []
        with one_gradient():
            for given in self.cell.from_input(embedded).unbind(1):
                decoded, state = self._moved(given, state, memory)
                rows.append(decoded)
        return stacked(rows)

    def _moved(
        self, given: Tensor, state: State, memory: Memory, places: Places | None = None
    ) -> tuple[Decoded, State]:
        parts = self.cell(given, state["fed"], self._before(state, 0))
        after = self._after(parts, 0)
        top = parts[0][:, None, :]  # (N, 1, H)
        for depth, layer in enumerate(self.upper, start=1):
            found, parts = run(layer, self.dropout(top), self._before(state, depth))
            top = top + found
            after |= self._after(parts, depth)
        looked, seen = self._look(top[:, 0], state, memory, places)
        found = torch.tanh(self.mix(torch.cat([looked.contexts, top[:, 0]], dim=-1)))  # (N, H)
        return Decoded(found, *looked), after | seen | {"fed": found}


def stacked(rows: list[Decoded]) -> Decoded:
    """T steps of (N, …) each → (N, T, …)."""
    return Decoded(
        torch.stack([row.states for row in rows], dim=1),
        torch.stack([row.contexts for row in rows], dim=1),
        _all([row.weights for row in rows]),
        _all([row.chosen for row in rows]),
    )


def _all(column: list[Tensor | None]) -> Tensor | None:
    """The steps of a column as one tensor, None where they have nothing."""
    there = [part for part in column if part is not None]
    return torch.stack(there, dim=1) if there else None
