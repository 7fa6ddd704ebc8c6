"""Recurrent cells whose input arrives in parts, and torch's own layers by the same names.

Know a state as a tuple of tensors, of which the first is what others see: (s,), or (s, c) for an
LSTM. Know no attention.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attn_cli.config import Cell as CellName
from attn_cli.nn.products import StepLinear

#: A recurrent layer's state, each part (N, H).
Parts = tuple[Tensor, ...]

#: What torch has for a whole sequence.
LAYERS: dict[CellName, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Cell(nn.Module):
    """One step of a recurrence, s_i = f(s_{i-1}, [E y_{i-1} ; c_i]), for any number of gates.

    W [x ; c] is written as W_x x + W_c c, so that W_x x is one product for a whole known target.
    """

    gates: int
    parts = 1

    def __init__(self, embedding: int, context: int, width: int, *, layer_norm: bool) -> None:
        super().__init__()
        units = self.gates * width
        self.from_input = nn.Linear(embedding, units)
        self.from_context = StepLinear(context, units, bias=False)
        self.from_state = StepLinear(width, units)
        self.norm_input = nn.LayerNorm(units) if layer_norm else nn.Identity()
        self.norm_state = nn.LayerNorm(units) if layer_norm else nn.Identity()

    def forward(self, given: Tensor, context: Tensor, before: Parts) -> Parts:
        """`given` (N, gates·H) = from_input(embedded), context (N, D), the state → the next."""
        asked = self.norm_input(self.from_context(context, given))  # (N, gates·H)
        kept = self.norm_state(self.from_state(before[0]))  # (N, gates·H)
        return self._next(asked, kept, before)

    def _next(self, asked: Tensor, kept: Tensor, before: Parts) -> Parts:
        raise NotImplementedError


class RNNCell(Cell):
    """s_i = tanh(W x + U s_{i-1}) (Elman 1990)."""

    gates = 1

    def _next(self, asked: Tensor, kept: Tensor, before: Parts) -> Parts:
        return (torch.tanh(asked + kept),)


class LSTMCell(Cell):
    """Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000, open at first."""

    gates = 4
    parts = 2

    def __init__(self, embedding: int, context: int, width: int, *, layer_norm: bool) -> None:
        super().__init__(embedding, context, width, layer_norm=layer_norm)
        self.norm_memory = nn.LayerNorm(width) if layer_norm else nn.Identity()

    def _next(self, asked: Tensor, kept: Tensor, before: Parts) -> Parts:
        take, forget, new, give = (asked + kept).chunk(4, dim=-1)
        memory = torch.sigmoid(forget + 1) * before[1] + torch.sigmoid(take) * torch.tanh(new)
        return torch.sigmoid(give) * torch.tanh(self.norm_memory(memory)), memory


class GRUCell(Cell):
    """Cho et al. 2014, torch's variant: the reset gate is applied behind the product."""

    gates = 3

    def _next(self, asked: Tensor, kept: Tensor, before: Parts) -> Parts:
        reset_x, update_x, new_x = asked.chunk(3, dim=-1)
        reset_h, update_h, new_h = kept.chunk(3, dim=-1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + reset * new_h)
        return (torch.addcmul(new, update, before[0].to(new.dtype) - new),)


CELLS: dict[CellName, type[Cell]] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}


def run(layer: nn.Module, inputs: Tensor, before: Parts) -> tuple[Tensor, Parts]:
    """A layer of torch over (N, T, H) from the state before it → (N, T, H), the state after."""
    start = tuple(part[None].contiguous() for part in before)  # (1, N, H) each
    found, last = layer(inputs, start if len(start) > 1 else start[0])
    after = last if isinstance(last, tuple) else (last,)
    return found, tuple(part[0] for part in after)
