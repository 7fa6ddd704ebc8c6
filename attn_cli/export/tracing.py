"""Trace a trained network into graphs for ONNX Runtime, which needs no PyTorch.

The graphs come from torch's exporter by tracing: `nn.GRU` becomes ONNX's own GRU; the sizes of
batches, beams and sentences stay open; the log-softmax, the selection of candidates, the
log-probability of a target piece and the reordering of rows are inside. The exporter based on
`torch.export` takes fifty times as long and, in torch 2.13, fixes the length of GRUs.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool1d

from attn_cli.bundles import manifest
from attn_cli.data.shortlist import NO_PIECE
from attn_cli.inference.engines.onnx import MEMORY, NEXT_STATE, OUTPUT, STATE
from attn_cli.nn.attention import MEMORY_TENSORS, Memory, RowLayout
from attn_cli.nn.embeddings import SelectedRows
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.word_aligner import WordAligner, WordGroups
from attn_cli.types import BOS, EOS, PAD, UNK

#: Opset of the graphs, supported by the oldest ONNX Runtime of `pyproject.toml`.
OPSET = 18

#: The size of the groups of neighboring pieces whose maxima `_best` computes first.
_GROUP = 128


class _Encode(nn.Module):
    """Source ids and lengths → the memory and the decoder's first state."""

    def __init__(self, network: Seq2Seq) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        memory = self.network.encode(ids, lengths)
        return (*memory.tensors, *self.network.init_state(memory).values())


class _Step(nn.Module):
    """One step of a search, which first reorders the rows of the state.

    `parts` are the tensors of the memory, with `selected` those of the rows of the output layer for
    which logits are computed, and the states.
    """

    def __init__(
        self,
        network: Seq2Seq,
        states: Sequence[str],
        *,
        candidates: bool = True,
        selected: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.states = network, states
        self.candidates, self.selected = candidates, selected

    def forward(
        self,
        previous: Tensor,
        rows: Tensor,
        target: Tensor,
        ranks: Tensor,
        row: Tensor,
        place: Tensor,
        *parts: Tensor,
    ) -> tuple[Tensor, ...]:
        rest = list(parts)
        values, keys, mask = (rest.pop(0) for _ in MEMORY_TENSORS)
        memory = Memory(values, keys, mask, RowLayout(row, place))
        selected = None
        if self.selected:
            selected = SelectedRows(*(rest.pop(0) for _ in SelectedRows._fields))
        state = {
            name: part.index_select(0, rows) for name, part in zip(self.states, rest, strict=True)
        }
        logits, weights, after = self.network.step(previous, state, memory, selected)
        logp = logits.log_softmax(-1)  # (N, V), or (N, L)
        target_logp = logp.gather(1, target[:, None])[:, 0]
        results = (target_logp, weights, *(after[name] for name in self.states))
        if not self.candidates:
            return results
        if self.selected:  # too few for `_best` to be faster
            best = logp.topk(ranks.shape[0], dim=-1)  # (N, C)
            return (best.indices, best.values, *results)
        return (*_best(logp, ranks), *results)


class _Select(nn.Module):
    """A shortlist of pieces (B, L) → their rows of the output layer."""

    def __init__(self, network: Seq2Seq) -> None:
        super().__init__()
        self.output_projection = network.output_projection

    def forward(self, pieces: Tensor) -> tuple[Tensor, ...]:
        return self.output_projection.select(pieces)


def _best(logp: Tensor, ranks: Tensor) -> tuple[Tensor, Tensor]:
    """(N, V) → ids and logp of the C best (N, C), where C is the size of `ranks`, or V if smaller.

    The C best are within the C groups of `_GROUP` neighbors with the highest maxima. Finding these
    takes half the time of `topk` over V, which then runs over these groups and the rest. C is the
    size of an input because a traced number would be a constant of the graph.
    """
    vocab = logp.shape[1]
    if vocab < 2 * _GROUP:
        best = logp.topk(ranks[:vocab].shape[0], dim=-1)
        return best.indices, best.values
    maxima = max_pool1d(logp[:, None], _GROUP)[:, 0]  # (N, G); the pieces behind are in no group
    count = vocab // _GROUP
    groups = maxima.topk(ranks[:count].shape[0], dim=-1).indices  # (N, g)
    ids = (groups[:, :, None] * _GROUP + torch.arange(_GROUP)).flatten(1)  # (N, g·_GROUP)
    rest = torch.arange(count * _GROUP, vocab).expand(ids.shape[0], -1)
    ids = torch.cat([ids, rest], 1)
    best = logp.gather(1, ids).topk(ranks[:vocab].shape[0], dim=-1)  # (N, C)
    return ids.gather(1, best.indices), best.values


class _Align(nn.Module):
    """A word aligner whose output is probabilities."""

    def __init__(self, aligner: WordAligner) -> None:
        super().__init__()
        self.head = aligner  # the prefix of the names of the graph's constants

    def forward(
        self, source: Tensor, source_mean: Tensor, target: Tensor, target_mean: Tensor
    ) -> tuple[Tensor, ...]:
        output = self.head(WordGroups(source, source_mean), WordGroups(target, target_mean))
        probs = output.to_source.exp()  # (B, T, S + 1)
        return probs[..., :-1], probs[..., -1], output.link_probs


def translator_graphs(
    network: Seq2Seq, *, with_shortlist: bool = False
) -> dict[str, onnx.ModelProto]:
    """Trace the encoder, the step with candidates and the step without; return them by file name.

    With `with_shortlist` also the selection of a shortlist's rows, and the step that scores them.
    """
    ids, lengths = torch.tensor([[4, 5, EOS], [4, EOS, PAD]]), torch.tensor([3, 2])
    memory = network.encode(ids, lengths)
    state = network.init_state(memory)
    memory_names = [MEMORY + name for name in MEMORY_TENSORS]
    encoder = _trace(
        _Encode(network),
        {"ids": ids, "lengths": lengths},
        [*memory_names, *(STATE + name for name in state)],
        {"ids": "BS", "lengths": "B"},
    )
    # The state after the first word: tensors that grow with each word are empty before it.
    state = network.step(torch.tensor([BOS, BOS]), state, memory)[2]
    rows = torch.tensor([0, 0, 1])
    inputs = {
        "previous": torch.tensor([BOS, 4, 5]),
        "rows": rows,
        "target": torch.tensor([4, 5, EOS]),
        "candidates": torch.zeros(2, dtype=torch.long),
        "row_at_slot": torch.tensor([[0, 1], [2, 0]]),
        "slot_of_row": torch.tensor([0, 1, 2]),
        **dict(zip(memory_names, memory.tensors, strict=True)),
        **{STATE + name: part for name, part in state.items()},
    }
    open_sizes = {
        **dict.fromkeys(("previous", "rows", "target", "slot_of_row"), "N"),
        "candidates": "C",
        "row_at_slot": "BQ",
        **dict.fromkeys(memory_names, "BS"),
        **{
            STATE + name: axes.replace("N", "R")
            for name, axes in network.decoder.dynamic_axes().items()
        },
    }
    after = [NEXT_STATE + name for name in state]
    results = ["target_logp", "weights", *after]
    graphs = {manifest.ENCODER: encoder}
    if with_shortlist:
        graphs |= _shortlist_graphs(network, inputs, open_sizes, results)
    for name, candidates in ((manifest.STEP, True), (manifest.FORCED, False)):
        step = _Step(network, list(state), candidates=candidates)
        outputs = ["ids", "logp", *results] if candidates else results
        graphs[name] = _trace(step, inputs, outputs, open_sizes)
    return graphs


def _shortlist_graphs(
    network: Seq2Seq, inputs: dict[str, Tensor], open_sizes: dict[str, str], results: list[str]
) -> dict[str, onnx.ModelProto]:
    """Trace the selection of rows and the step that scores them.

    `inputs` are those of a step over the whole vocabulary, `results` its other outputs.
    """
    pieces = torch.tensor([[EOS, UNK, 4], [EOS, UNK, NO_PIECE]])
    names = [OUTPUT + name for name in SelectedRows._fields]
    selected = dict(zip(names, network.output_projection.select(pieces), strict=True))
    before = {name: part for name, part in inputs.items() if not name.startswith(STATE)}
    states = {name: part for name, part in inputs.items() if name.startswith(STATE)}
    before["target"] = torch.tensor([0, 1, 0])
    step = _Step(network, [name.removeprefix(STATE) for name in states], selected=True)
    axes: dict[str, str | dict[int, str]] = {name: {0: "B", 2: "L"} for name in names}
    return {
        manifest.SELECT: _trace(
            _Select(network), {"shortlist": pieces}, names, {"shortlist": "BL"}
        ),
        manifest.SHORTLIST_STEP: _trace(
            step, before | selected | states, ["ids", "logp", *results], axes | open_sizes
        ),
    }


def aligner_graph(aligner: WordAligner) -> dict[str, onnx.ModelProto]:
    """Trace a word aligner; return its graph by file name."""
    ids = torch.tensor([[4, 5, EOS], [4, EOS, PAD]])
    mean = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    graph = _trace(
        _Align(aligner),
        {"source": ids, "source_mean": mean, "target": ids.clone(), "target_mean": mean.clone()},
        ["weights", "unaligned", "links"],
        {"source": "BP", "source_mean": "BWP", "target": "BO", "target_mean": "BVO"},
    )
    return {manifest.WORD_ALIGNER_GRAPH: graph}


def _trace(
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: Sequence[str],
    open_sizes: Mapping[str, str | dict[int, str]],
) -> onnx.ModelProto:
    """Trace the module; the axes of an input to which `open_sizes` gives a letter stay open."""
    stream: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is deprecated; sizes are traced on purpose
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            stream,
            dynamo=False,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={
                name: axes if isinstance(axes, dict) else dict(enumerate(axes))
                for name, axes in open_sizes.items()
            },
            opset_version=OPSET,
        )
    return onnx.load_from_string(stream.getvalue())
