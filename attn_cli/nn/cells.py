"""Recurrent cells with two inputs, embedding and context, and PyTorch's layers by the same names.

The state of a cell is a tuple of tensors (N, H), of which the first is its output: (s,), or (s, c)
for an LSTM.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from attn_cli.config import Cell as CellName
from attn_cli.nn.products import StepLinear

#: The state of a recurrent layer, each tensor (N, H).
CellState = tuple[Tensor, ...]

#: PyTorch's layers over a whole sequence.
RNN_LAYERS: dict[CellName, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


class Cell(nn.Module, ABC):
    """One step of a recurrence, s_i = f(s_{i-1}, [E y_{i-1} ; c_i]), for any number of gates.

    W [x ; c] is computed as W_x x + W_c c, so that W_x x of a known target is one product.
    """

    gates: int
    num_state_tensors = 1

    def __init__(
        self, embedding_size: int, context_size: int, width: int, *, layer_norm: bool
    ) -> None:
        super().__init__()
        units = self.gates * width
        self.from_input = nn.Linear(embedding_size, units)
        self.from_context = StepLinear(context_size, units, bias=False)
        self.from_state = StepLinear(width, units)
        self.norm_input = nn.LayerNorm(units) if layer_norm else nn.Identity()
        self.norm_state = nn.LayerNorm(units) if layer_norm else nn.Identity()

    def forward(self, input_gates: Tensor, context: Tensor, state: CellState) -> CellState:
        """Return the next state from `input_gates` (N, gates·H), context (N, D) and state.

        `input_gates` is from_input(E y_{i-1}).
        """
        gate_inputs = self.norm_input(self.from_context(context, input_gates))  # (N, gates·H)
        hidden_gates = self.norm_state(self.from_state(state[0]))  # (N, gates·H)
        return self._next_state(gate_inputs, hidden_gates, state)

    @abstractmethod
    def _next_state(
        self, gate_inputs: Tensor, hidden_gates: Tensor, state: CellState
    ) -> CellState: ...


class RNNCell(Cell):
    """s_i = tanh(W x + U s_{i-1}) (Elman 1990)."""

    gates = 1

    def _next_state(self, gate_inputs: Tensor, hidden_gates: Tensor, state: CellState) -> CellState:
        return (torch.tanh(gate_inputs + hidden_gates),)


class LSTMCell(Cell):
    """Hochreiter & Schmidhuber 1997, with a forget gate (Gers et al. 2000), its bias plus 1."""

    gates = 4
    num_state_tensors = 2

    def __init__(
        self, embedding_size: int, context_size: int, width: int, *, layer_norm: bool
    ) -> None:
        super().__init__(embedding_size, context_size, width, layer_norm=layer_norm)
        self.norm_memory = nn.LayerNorm(width) if layer_norm else nn.Identity()

    def _next_state(self, gate_inputs: Tensor, hidden_gates: Tensor, state: CellState) -> CellState:
        input_, forget, candidate, output = (gate_inputs + hidden_gates).chunk(4, dim=-1)
        memory = torch.sigmoid(forget + 1) * state[1]
        memory = memory + torch.sigmoid(input_) * torch.tanh(candidate)
        return torch.sigmoid(output) * torch.tanh(self.norm_memory(memory)), memory


class GRUCell(Cell):
    """Cho et al. 2014 in PyTorch's variant: the reset gate applies after the matrix product."""

    gates = 3

    def _next_state(self, gate_inputs: Tensor, hidden_gates: Tensor, state: CellState) -> CellState:
        reset_x, update_x, candidate_x = gate_inputs.chunk(3, dim=-1)
        reset_h, update_h, candidate_h = hidden_gates.chunk(3, dim=-1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        candidate = torch.tanh(candidate_x + reset * candidate_h)
        return (torch.addcmul(candidate, update, state[0].to(candidate.dtype) - candidate),)


CELLS: dict[CellName, type[Cell]] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}


def run_layer(layer: nn.Module, inputs: Tensor, state: CellState) -> tuple[Tensor, CellState]:
    """Run a PyTorch layer on (N, T, H) from `state`; return outputs (N, T, H), the last state."""
    initial = tuple(part[None].contiguous() for part in state)  # (1, N, H) each
    outputs, last = layer(inputs, initial if len(initial) > 1 else initial[0])
    final = last if isinstance(last, tuple) else (last,)
    return outputs, tuple(part[0] for part in final)
