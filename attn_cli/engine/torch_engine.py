"""The Stepper over a torch network. Knows `nn` and a bundle's weights, and no search."""

from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from attn_cli.bundle import Bundle
from attn_cli.engine.base import StepOut
from attn_cli.errors import ModelError
from attn_cli.nn.attention import Memory
from attn_cli.nn.build import build
from attn_cli.nn.hardware import torch_device
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state import restore
from attn_cli.values import IntArray


class _Rows(NamedTuple):
    """N rows of a search: which sentence each belongs to, its memory, its decoder's state."""

    source: Memory  # (B, …)
    sentence: Tensor  # (N,)
    memory: Memory  # (N, …)
    hidden: dict[str, Tensor]  # (N, …)
    candidates: int


class TorchStepper:
    """Runs a `Seq2Seq` one step at a time, without gradients and without dropout."""

    def __init__(self, network: Seq2Seq) -> None:
        self.network = network.eval()
        self.device = next(network.parameters()).device

    @torch.inference_mode()
    def encode(self, ids: IntArray, lengths: IntArray) -> Memory:
        """See `Stepper.encode`."""
        return self.network.encode(self._tensor(ids), self._tensor(lengths))

    @torch.inference_mode()
    def start(self, source: Memory, beam: int) -> _Rows:
        """See `Stepper.start`."""
        sentence = torch.arange(len(source.mask), device=self.device)
        return _Rows(source, sentence, source, self.network.start(source), beam)

    @torch.inference_mode()
    def step(self, state: _Rows, previous: IntArray, gold: IntArray | None = None) -> StepOut:
        """See `Stepper.step`."""
        logits, weights, hidden = self.network.step(
            self._tensor(previous), state.hidden, state.memory
        )
        logp = logits.float().log_softmax(-1)  # (N, V)
        best = logp.topk(min(state.candidates, logp.shape[-1]), dim=-1)  # (N, C)
        gold_logp = None
        if gold is not None:
            gold_logp = logp.gather(1, self._tensor(gold)[:, None])[:, 0].cpu().numpy()
        return StepOut(
            best.indices.to(torch.int32).cpu().numpy(),
            best.values.cpu().numpy(),
            gold_logp,
            weights.float().cpu().numpy(),
            state._replace(hidden=hidden),
        )

    @torch.inference_mode()
    def reorder(self, state: _Rows, rows: IntArray) -> _Rows:
        """See `Stepper.reorder`. The memory moves only where a row changes its sentence."""
        index = self._tensor(rows)
        sentence = state.sentence[index]
        memory = state.memory
        if not torch.equal(sentence, state.sentence):
            memory = state.source.rows(sentence)
        hidden = {name: part.index_select(0, index) for name, part in state.hidden.items()}
        return state._replace(sentence=sentence, memory=memory, hidden=hidden)

    def _tensor(self, array: IntArray) -> Tensor:
        return torch.from_numpy(np.asarray(array, dtype=np.int64)).to(self.device)


def load(bundle: Bundle, *, device: str, threads: int | None) -> TorchStepper:
    """The network of a bundle, ready to step. See `engine.open.open_stepper`."""
    if threads:
        torch.set_num_threads(threads)
    network = build(
        bundle.recipe.model,
        source_vocab=bundle.source.vocab_size,
        target_vocab=bundle.target.vocab_size,
    )
    try:
        tensors = load_file(bundle.weights)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the model {bundle.path} is damaged: {bundle.weights.name}: {error}",
            "Copy or train it again.",
        ) from error
    with torch.no_grad():
        restore(network, tensors, where=str(bundle.weights))
    return TorchStepper(network.to(torch_device(device)))
