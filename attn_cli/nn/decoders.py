"""Step 8 of attention: the decoder's next state, from its state, the context and the last piece."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_cli.config import Cell as CellName
from attn_cli.nn.attention import Attention, AttentionOutput, Memory
from attn_cli.nn.cells import CELLS, RNN_LAYERS, CellState, run_layer
from attn_cli.nn.dropout import SequenceDropout
from attn_cli.nn.products import StepLinear, defer_weight_gradients

#: The state of a decoder between two steps: tensors (N, …) by name. The names are those of graphs.
State = dict[str, Tensor]


class DecoderOutput(NamedTuple):
    """The output of one step (N, …) or of a whole unrolled target (B, T, …).

    states (…, H), contexts (…, D), weights (…, S) or with several heads (…, heads, S), None where
    they were not requested; sampled_logp (…) of hard attention in training.
    """

    states: Tensor
    contexts: Tensor
    weights: Tensor | None
    sampled_logp: Tensor | None = None


class Decoder(nn.Module, ABC):
    """Base class: runs one step of a search, or all steps of a known target."""

    #: Width H of `DecoderOutput.states` and D of `DecoderOutput.contexts`.
    width: int
    context_size: int

    @abstractmethod
    def prepare_memory(self, values: Tensor, mask: Tensor) -> Memory:
        """Encoder states (B, S, D) and their mask (B, S) → the memory to attend to."""

    @abstractmethod
    def init_state(self, memory: Memory) -> State:
        """Return the state before the first step, one row for each sentence."""

    @abstractmethod
    def dynamic_axes(self) -> dict[str, str]:
        """Return the dynamic axes of each tensor of the state: N rows, T pieces so far, S source
        positions; "NT" is a tensor (N, T, …)."""

    @abstractmethod
    def step(self, embedded: Tensor, state: State, memory: Memory) -> tuple[DecoderOutput, State]:
        """Embeddings (N, E) of y_{i-1} and the state before the step → its output, the state after.

        Row n attends to sentence n, or to that of its slot in `memory.layout`.
        """

    @abstractmethod
    def unroll(self, embedded: Tensor, memory: Memory, *, weights: bool = True) -> DecoderOutput:
        """Embeddings (B, T, E) of y_0 … y_{T-1} of a known target → the output of all T steps.

        Without `weights` the attention weights may be omitted.
        """


class RecurrentDecoderBase(Decoder):
    """Base class: recurrent layers, their initial state and their attention."""

    def __init__(
        self,
        embedding_size: int,
        width: int,
        attention: Attention,
        *,
        cell: CellName,
        layers: int,
        dropout: float,
        layer_norm: bool,
    ) -> None:
        super().__init__()
        self.attention, self.width = attention, width
        self.context_size = attention.context_size
        self.num_layers = layers
        self.state_kinds = ("layer", "memory")[: CELLS[cell].num_state_tensors]
        self.upper_layers = nn.ModuleList(
            RNN_LAYERS[cell](width, width, batch_first=True) for _ in range(layers - 1)
        )
        self.bridge = nn.Linear(
            attention.context_size, width * layers * CELLS[cell].num_state_tensors
        )
        self.dropout = SequenceDropout(dropout)
        self.cell = CELLS[cell](embedding_size, self._feedback_size(), width, layer_norm=layer_norm)

    def _feedback_size(self) -> int:
        """Return the width of the first layer's second input: that of the context."""
        return self.context_size

    def prepare_memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Decoder.prepare_memory`."""
        return self.attention.prepare_memory(values, mask)

    def init_state(self, memory: Memory) -> State:
        """Return s_0 = tanh(W c̄) of each layer, c̄ being the attention's initial context."""
        hidden = self.dropout(torch.tanh(self.bridge(self.attention.initial_context(memory))))
        parts = hidden.chunk(self.num_layers * len(self.state_kinds), dim=-1)
        state = dict(zip(self._state_names(), parts, strict=True))
        if self.attention.uses_coverage:
            state["coverage"] = torch.zeros_like(memory.mask, dtype=hidden.dtype)  # (B, S)
        return state

    def dynamic_axes(self) -> dict[str, str]:
        """See `Decoder.dynamic_axes`."""
        axes = dict.fromkeys(self._state_names(), "N")
        return axes | ({"coverage": "NS"} if self.attention.uses_coverage else {})

    def _state_names(self) -> list[str]:
        return [f"{kind}{depth}" for depth in range(self.num_layers) for kind in self.state_kinds]

    def _layer_state(self, state: State, depth: int) -> CellState:
        """Read the state of a layer."""
        return tuple(state[f"{kind}{depth}"] for kind in self.state_kinds)

    def _pack_layer(self, cell_state: CellState, depth: int) -> State:
        """Name the state of a layer as `_layer_state` reads it."""
        return {
            f"{kind}{depth}": part for kind, part in zip(self.state_kinds, cell_state, strict=True)
        }

    def _attend(self, query: Tensor, state: State, memory: Memory) -> tuple[AttentionOutput, State]:
        """Attend from a query (N, H); return the output and the new coverage, if it is used."""
        output = self.attention(query, memory, state.get("coverage"))
        if not self.attention.uses_coverage:
            return output, {}
        return output, {"coverage": state["coverage"] + output.weights}


class BahdanauDecoder(RecurrentDecoderBase):
    """Attends before its recurrent step: s_{i-1} is the query of c_i (Bahdanau et al. 2015, §3.1).

    Only the first layer attends. The layers above it are residual, and each runs over a known
    target in one call.
    """

    def step(self, embedded: Tensor, state: State, memory: Memory) -> tuple[DecoderOutput, State]:
        """See `Decoder.step`."""
        attention, new_state = self._step(self.cell.from_input(embedded), state, memory)
        top = new_state["layer0"][:, None, :]  # (N, 1, H)
        for depth, layer in enumerate(self.upper_layers, start=1):
            before = self._layer_state(state, depth)
            output, after = run_layer(layer, self.dropout(top), before)
            top = top + output
            new_state |= self._pack_layer(after, depth)
        return DecoderOutput(top[:, 0], *attention), new_state

    def unroll(self, embedded: Tensor, memory: Memory, *, weights: bool = True) -> DecoderOutput:
        """See `Decoder.unroll`."""
        initial = state = self.init_state(memory)
        steps = []
        with defer_weight_gradients():
            for input_gates in self.cell.from_input(embedded).unbind(1):  # T times (B, gates·H)
                attention, state = self._step(input_gates, state, memory)
                steps.append(DecoderOutput(state["layer0"], *attention))
        output = stack_steps(steps)
        top = output.states
        for depth, layer in enumerate(self.upper_layers, start=1):
            before = self._layer_state(initial, depth)
            top = top + run_layer(layer, self.dropout(top), before)[0]
        return output._replace(states=top)

    def _step(
        self, input_gates: Tensor, state: State, memory: Memory
    ) -> tuple[AttentionOutput, State]:
        """Run the first layer: attend with s_{i-1}, then s_i = f(s_{i-1}, y_{i-1}, c_i)."""
        before = self._layer_state(state, 0)
        attention, coverage = self._attend(before[0], state, memory)
        after = self.cell(input_gates, attention.contexts, before)
        return attention, self._pack_layer(after, 0) | coverage


class LuongDecoder(RecurrentDecoderBase):
    """Attends after its recurrent step: s_i is the query of c_i; h̃_i is an input of the next step.

    The attentional state h̃_i = tanh(W_c [c_i ; s_i]) (Luong et al. 2015, equation 5) predicts the
    next piece; the first layer reads [E y_{i-1} ; h̃_{i-1}] (§3.3, input feeding).
    """

    def __init__(
        self,
        embedding_size: int,
        width: int,
        attention: Attention,
        *,
        cell: CellName,
        layers: int,
        dropout: float,
        layer_norm: bool,
    ) -> None:
        super().__init__(
            embedding_size,
            width,
            attention,
            cell=cell,
            layers=layers,
            dropout=dropout,
            layer_norm=layer_norm,
        )
        self.attention_combine = StepLinear(self.context_size + width, width)  # W_c

    def _feedback_size(self) -> int:
        """Return the width of the first layer's second input: that of h̃."""
        return self.width

    def init_state(self, memory: Memory) -> State:
        """See `Decoder.init_state`; h̃_0 is 0."""
        state = super().init_state(memory)
        return state | {"attentional_state": torch.zeros_like(state["layer0"])}

    def dynamic_axes(self) -> dict[str, str]:
        """See `Decoder.dynamic_axes`."""
        return super().dynamic_axes() | {"attentional_state": "N"}

    def step(self, embedded: Tensor, state: State, memory: Memory) -> tuple[DecoderOutput, State]:
        """See `Decoder.step`."""
        return self._step(self.cell.from_input(embedded), state, memory)

    def unroll(self, embedded: Tensor, memory: Memory, *, weights: bool = True) -> DecoderOutput:
        """See `Decoder.unroll`."""
        state, steps = self.init_state(memory), []
        with defer_weight_gradients():
            for input_gates in self.cell.from_input(embedded).unbind(1):  # T times (B, gates·H)
                output, state = self._step(input_gates, state, memory)
                steps.append(output)
        return stack_steps(steps)

    def _step(
        self, input_gates: Tensor, state: State, memory: Memory
    ) -> tuple[DecoderOutput, State]:
        """Run all layers: compute s_i from h̃_{i-1}, attend with s_i, compute h̃_i."""
        after = self.cell(input_gates, state["attentional_state"], self._layer_state(state, 0))
        new_state = self._pack_layer(after, 0)
        top = after[0][:, None, :]  # (N, 1, H)
        for depth, layer in enumerate(self.upper_layers, start=1):
            before = self._layer_state(state, depth)
            output, after = run_layer(layer, self.dropout(top), before)
            top = top + output
            new_state |= self._pack_layer(after, depth)
        query = top[:, 0]  # (N, H)
        attention, coverage = self._attend(query, state, memory)
        attentional_state = torch.tanh(
            self.attention_combine(torch.cat([attention.contexts, query], dim=-1))
        )  # (N, H)
        return DecoderOutput(attentional_state, *attention), new_state | coverage | {
            "attentional_state": attentional_state
        }


def stack_steps(steps: list[DecoderOutput]) -> DecoderOutput:
    """T outputs of (N, …) each → one output (N, T, …)."""
    return DecoderOutput(
        torch.stack([step.states for step in steps], dim=1),
        torch.stack([step.contexts for step in steps], dim=1),
        _stack_optional([step.weights for step in steps]),
        _stack_optional([step.sampled_logp for step in steps]),
    )


def _stack_optional(parts: list[Tensor | None]) -> Tensor | None:
    """Stack the tensors along axis 1; return None if there are none."""
    tensors = [part for part in parts if part is not None]
    return torch.stack(tensors, dim=1) if tensors else None
