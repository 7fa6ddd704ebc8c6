"""Export a trained network as graphs for ONNX Runtime, which needs no PyTorch.

Nothing is written unless the graphs and the network compute the same.

torch's exporter is asked for the graphs by tracing: `nn.GRU` becomes ONNX's own GRU, sizes of
batches, beams and sentences stay open, and the log-softmax, the choice of candidates, the log-
probability of a wanted piece and the reordering of rows are inside. The exporter that goes through
`torch.export` takes fifty times as long and, in torch 2.13, gives GRUs a fixed length.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import save
from torch import Tensor, nn

from attn_cli.bundles import manifest, storage
from attn_cli.bundles.bundle import Bundle
from attn_cli.choices import Precision
from attn_cli.data.shortlist import NO_PIECE, Shortlist
from attn_cli.errors import ModelError, TrainingError
from attn_cli.export import quantize
from attn_cli.inference.engines.interface import (
    AlignmentModel,
    IncrementalDecoder,
    PaddedWords,
    select_heads,
)
from attn_cli.inference.engines.onnx import (
    MEMORY,
    NEXT_STATE,
    OUTPUT,
    STATE,
    OnnxAligner,
    OnnxDecoder,
)
from attn_cli.inference.engines.torch import TorchDecoder, load, load_aligner
from attn_cli.nn.attention import MEMORY_TENSORS, Memory, RowLayout
from attn_cli.nn.embeddings import SelectedRows
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.nn.word_aligner import WordAligner, WordGroups
from attn_cli.types import BOS, EOS, PAD, UNK, IntArray

#: How far fp32 graphs may be from torch, in log-probabilities, weights and probabilities of links.
TOLERANCE = 1e-4

#: How far int8 graphs may be: they must run and find numbers, but how good those are is measured
#: with BLEU, not with random pieces.
_ANY_NUMBER = float(np.finfo(np.float32).max)

#: Opset of the graphs, old enough for any ONNX Runtime that we ask for.
OPSET = 18

#: Batches that both engines are compared on: sentences, longest sentence, beam.
_TRIALS = ((1, 1, 1), (1, 9, 5), (3, 6, 1), (4, 13, 3), (7, 30, 5))
_STEPS = 6


@dataclass(frozen=True)
class Exported:
    """The files written, the bytes of graphs, and how far fp32 graphs were from torch at most."""

    files: tuple[str, ...]
    bytes: int
    difference: float


def export(
    opened: Bundle,
    *,
    precision: Precision,
    half: bool = False,
    shortlist: Shortlist | None = None,
) -> Exported:
    """Write the graphs of a bundle that has weights into it, and seal it with them.

    With `half` the weights themselves, which training goes on from, are kept in half precision
    from then on. The `shortlist`, or that which the bundle has, gets graphs of its own.

    Raises ModelError if it has no weights, or if the graphs do not say what the network says;
    TrainingError if the disk will not take them. A bundle that has graphs keeps them until then.
    """
    stepper, listed = None, shortlist or opened.shortlist
    if opened.has_files(manifest.WEIGHTS):
        view = select_heads(opened.recipe.model)
        stepper = load(opened, view, device="cpu", threads=None, shortlist=listed)
    matcher = None
    if opened.has_files(manifest.WORD_ALIGNER):
        matcher = load_aligner(opened, device="cpu", threads=None)
    lacking = (opened.can_translate and not stepper) or (opened.can_align and not matcher)
    if lacking or not (stepper or matcher):
        raise ModelError(
            f"the model {opened.name} holds no weights to make graphs of",
            "Name a model that attn train has made.",
        )
    vocab = opened.source.vocab_size, opened.target.vocab_size
    with torch.no_grad():
        graphs = translator_graphs(stepper.network, listed=bool(listed)) if stepper else {}
        graphs |= head_graph(matcher.aligner) if matcher else {}
    difference = _difference(graphs, stepper, matcher, vocab)
    _check(opened, difference, TOLERANCE)
    if precision == "int8":
        graphs = quantize.quantize_graphs(graphs)
        _check(opened, _difference(graphs, stepper, matcher, vocab), _ANY_NUMBER)
    data = _contents(graphs)
    size = sum(map(len, data.values()))
    if shortlist and stepper:
        data[manifest.SHORTLIST] = shortlist.to_bytes()
    if half and stepper:
        data[manifest.WEIGHTS] = _halved(stepper.network)
    if half and matcher:
        data[manifest.WORD_ALIGNER] = _halved(matcher.aligner)
    storage.add_graphs(opened.path, data, precision=precision)
    return Exported(tuple(data), size, difference)


def _halved(network: nn.Module) -> bytes:
    """Its weights in half precision, as safetensors keeps them."""
    return save({name: tensor.half() for name, tensor in unique_state_dict(network).items()})


def _check(opened: Bundle, difference: float, most: float) -> None:
    if not difference <= most:
        raise ModelError(
            f"the graphs of {opened.name} differ from its network by {difference:.1e}, "
            f"more than {most:.0e}, so nothing was written",
            "Please report it, with the recipe; the model itself is as it was.",
        )


# Networks as graphs


class _Encode(nn.Module):
    """A source becomes what the decoder looks at and starts from."""

    def __init__(self, network: Seq2Seq) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        memory = self.network.encode(ids, lengths)
        return (*memory.tensors, *self.network.init_state(memory).values())


class _Step(nn.Module):
    """One step of a search whose rows are reordered on the way in.

    `parts` are those of the memory, of the rows `selected` from the output layer if it is to score
    these alone, and the states.
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
        found = (target_logp, weights, *(after[name] for name in self.states))
        if not self.candidates:
            return found
        if self.selected:  # too few for `_best` to be quicker
            best = logp.topk(ranks.shape[0], dim=-1)  # (N, C)
            return (best.indices, best.values, *found)
        return (*_best(logp, ranks), *found)


class _Select(nn.Module):
    """The rows of the output layer that score the pieces of each sentence."""

    def __init__(self, network: Seq2Seq) -> None:
        super().__init__()
        self.output_projection = network.output_projection

    def forward(self, listed: Tensor) -> tuple[Tensor, ...]:
        return self.output_projection.select(listed)


def _best(logp: Tensor, ranks: Tensor) -> tuple[Tensor, Tensor]:
    """(N, V) → the ids and logp of the C best, C being the size of `ranks`, or V if that is less.

    They are in the C groups of neighbours whose own best are best, and the best of each group are
    found several times quicker than the best of all. So the rest need not be sorted. C is a size,
    not a number, so that it stays open in the graph.
    """
    vocab = logp.shape[1]
    size = next((n for n in range(128, 31, -1) if vocab % n == 0), 0)
    if not size:
        best = logp.topk(ranks[:vocab].shape[0], dim=-1)
        return best.indices, best.values
    grouped = logp.view(-1, vocab // size, size)  # (N, G, size)
    groups = grouped.amax(-1).topk(ranks[: vocab // size].shape[0], dim=-1).indices  # (N, g)
    inside = grouped.gather(1, groups[:, :, None].expand(-1, -1, size)).flatten(1)  # (N, g·size)
    best = inside.topk(ranks[:vocab].shape[0], dim=-1)  # (N, C)
    return groups.gather(1, best.indices // size) * size + best.indices % size, best.values


class _Match(nn.Module):
    """A word aligner with its logarithms undone."""

    def __init__(self, head: WordAligner) -> None:
        super().__init__()
        self.head = head

    def forward(
        self, source: Tensor, source_mean: Tensor, target: Tensor, target_mean: Tensor
    ) -> tuple[Tensor, ...]:
        found = self.head(WordGroups(source, source_mean), WordGroups(target, target_mean))
        shares = found.to_source.exp()  # (B, T, S + 1)
        return shares[..., :-1], shares[..., -1], found.link_probs


def translator_graphs(network: Seq2Seq, *, listed: bool = False) -> dict[str, onnx.ModelProto]:
    """The encoder, the step with candidates and the step without, by their files' names.

    With `listed` also the selection of a shortlist's rows, and the step that scores them.
    """
    ids, lengths = torch.tensor([[4, 5, EOS], [4, EOS, PAD]]), torch.tensor([3, 2])
    memory = network.encode(ids, lengths)
    state = network.init_state(memory)
    memory_names = [MEMORY + name for name in MEMORY_TENSORS]
    encoder = _traced(
        _Encode(network),
        {"ids": ids, "lengths": lengths},
        [*memory_names, *(STATE + name for name in state)],
        {"ids": "BS", "lengths": "B"},
    )
    # A state behind the first word: what grows with the words is not empty then.
    state = network.step(torch.tensor([BOS, BOS]), state, memory)[2]
    rows = torch.tensor([0, 0, 1])
    given = {
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
    found = ["target_logp", "weights", *after]
    graphs = {manifest.ENCODER: encoder}
    if listed:
        graphs |= _shortlist_graphs(network, given, open_sizes, found)
    for name, candidates in ((manifest.STEP, True), (manifest.FORCED, False)):
        step = _Step(network, list(state), candidates=candidates)
        outputs = ["ids", "logp", *found] if candidates else found
        graphs[name] = _traced(step, given, outputs, open_sizes)
    return graphs


def _shortlist_graphs(
    network: Seq2Seq, given: dict[str, Tensor], open_sizes: dict[str, str], found: list[str]
) -> dict[str, onnx.ModelProto]:
    """The selection of rows and the step that scores them, from the inputs of another step."""
    pieces = torch.tensor([[EOS, UNK, 4], [EOS, UNK, NO_PIECE]])
    names = [OUTPUT + name for name in SelectedRows._fields]
    selected = dict(zip(names, network.output_projection.select(pieces), strict=True))
    before = {name: part for name, part in given.items() if not name.startswith(STATE)}
    states = {name: part for name, part in given.items() if name.startswith(STATE)}
    before["target"] = torch.tensor([0, 1, 0])
    step = _Step(network, [name.removeprefix(STATE) for name in states], selected=True)
    axes: dict[str, str | dict[int, str]] = {name: {0: "B", 2: "L"} for name in names}
    return {
        manifest.SELECT: _traced(
            _Select(network), {"shortlist": pieces}, names, {"shortlist": "BL"}
        ),
        manifest.SHORTLIST_STEP: _traced(
            step, before | selected | states, ["ids", "logp", *found], axes | open_sizes
        ),
    }


def head_graph(head: WordAligner) -> dict[str, onnx.ModelProto]:
    """The graph of a word aligner, by its file's name."""
    ids = torch.tensor([[4, 5, EOS], [4, EOS, PAD]])
    mean = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    graph = _traced(
        _Match(head),
        {"source": ids, "source_mean": mean, "target": ids.clone(), "target_mean": mean.clone()},
        ["weights", "unaligned", "links"],
        {"source": "BP", "source_mean": "BWP", "target": "BO", "target_mean": "BVO"},
    )
    return {manifest.WORD_ALIGNER_GRAPH: graph}


def _traced(
    module: nn.Module,
    given: dict[str, Tensor],
    outputs: Sequence[str],
    open_sizes: Mapping[str, str | dict[int, str]],
) -> onnx.ModelProto:
    """The module as a graph; of each input the axes that `open_sizes` has letters for are open."""
    stream: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of this exporter's age, and of sizes that it traces
        torch.onnx.export(
            module.eval(),
            tuple(given.values()),
            stream,
            dynamo=False,
            input_names=list(given),
            output_names=list(outputs),
            dynamic_axes={
                name: axes if isinstance(axes, dict) else dict(enumerate(axes))
                for name, axes in open_sizes.items()
            },
            opset_version=OPSET,
        )
    return onnx.load_from_string(stream.getvalue())


# Graphs as files


def write(folder: Path, graphs: dict[str, onnx.ModelProto]) -> None:
    """The graphs as files of that folder. Raises TrainingError if the disk will not take them."""
    try:
        for name, data in _contents(graphs).items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise TrainingError(
            f"cannot write into {folder}: {error.strerror}",
            "Make room there, or let TMPDIR name another folder.",
        ) from error


def _contents(graphs: dict[str, onnx.ModelProto]) -> dict[str, bytes]:
    """The bytes of each file: graphs of the translator share one file of weights."""
    shared = quantize.Shared(manifest.GRAPH_WEIGHTS)
    contents = {
        name: graph.SerializeToString()
        if name == manifest.WORD_ALIGNER_GRAPH
        else shared.without_weights(graph).SerializeToString()
        for name, graph in graphs.items()
    }
    return contents | ({manifest.GRAPH_WEIGHTS: shared.data()} if manifest.STEP in graphs else {})


# Do they agree?


def _difference(
    graphs: dict[str, onnx.ModelProto],
    stepper: TorchDecoder | None,
    matcher: AlignmentModel | None,
    vocab: tuple[int, int],
) -> float:
    """How far graphs run by ONNX Runtime are at most from what torch finds."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder, graphs)
        apart = 0.0
        if stepper:
            other = OnnxDecoder(folder, stepper.view, shortlist=stepper.shortlist)
            apart = compare_decoders(stepper, other, vocab)
            if stepper.shortlist:  # the whole vocabulary too
                plain = TorchDecoder(stepper.network, stepper.view)
                apart = max(
                    apart, compare_decoders(plain, OnnxDecoder(folder, stepper.view), vocab)
                )
        if matcher:
            graph = OnnxAligner(folder / manifest.WORD_ALIGNER_GRAPH)
            apart = max(apart, compare_aligners(matcher, graph, vocab))
        return apart


def compare_decoders(
    ours: IncrementalDecoder, theirs: IncrementalDecoder, vocab: tuple[int, int]
) -> float:
    """The largest difference of two steppers over random searches in which rows come and go."""
    rng = np.random.default_rng(1)
    worst = 0.0
    for batch, size, beam in _TRIALS:
        ids, lengths = _random_lines(rng, batch, size, vocab[0])
        states = [stepper.start(stepper.encode(ids, lengths), beam) for stepper in (ours, theirs)]
        rows = batch
        for step in range(_STEPS):
            previous = rng.integers(0, vocab[1], rows).astype(np.int32)
            target = rng.integers(0, vocab[1], rows).astype(np.int32)
            one, other = (
                stepper.step(state, previous, target)
                for stepper, state in zip((ours, theirs), states, strict=True)
            )
            assert one.target_logp is not None
            assert other.target_logp is not None
            pairs = [(one.logp, other.logp), (one.target_logp, other.target_logp)]
            worst = max(worst, _max_abs_diff([*pairs, (one.weights, other.weights)]))
            drawn = rng.integers(0, rows, min(rows * beam, batch * beam) if step % 2 else rows)
            order = np.sort(drawn.astype(np.int32))
            states = [
                stepper.reorder(out.state, order)
                for stepper, out in zip((ours, theirs), (one, other), strict=True)
            ]
            rows = len(order)
        forced = [stepper.start(stepper.encode(ids, lengths), 0) for stepper in (ours, theirs)]
        target = rng.integers(0, vocab[1], batch).astype(np.int32)
        previous = np.full(batch, BOS, np.int32)
        one, other = (
            stepper.step(state, previous, target)
            for stepper, state in zip((ours, theirs), forced, strict=True)
        )
        assert one.target_logp is not None
        assert other.target_logp is not None
        worst = max(
            worst,
            _max_abs_diff([(one.target_logp, other.target_logp), (one.weights, other.weights)]),
        )
    return worst


def compare_aligners(ours: AlignmentModel, theirs: AlignmentModel, vocab: tuple[int, int]) -> float:
    """The largest difference of two matchers over random pairs."""
    rng = np.random.default_rng(2)
    worst = 0.0
    for batch, size, _ in _TRIALS:
        sides = [_random_side(rng, batch, size + extra, v) for extra, v in enumerate(vocab)]
        one, other = ours.align(*sides), theirs.align(*sides)
        worst = max(worst, _max_abs_diff(list(zip(one, other, strict=True))))
    return worst


def _max_abs_diff(pairs: list[tuple[Any, Any]]) -> float:
    """The largest difference in any of the pairs; infinite where one holds what is no number."""
    worst = [np.subtract(a, b, where=a != b, out=np.zeros_like(a)) for a, b in pairs]
    worst = [np.abs(each).max() for each in worst if each.size]
    return float(np.max(worst, initial=0)) if np.isfinite(worst).all() else float("inf")


def _random_lines(
    rng: np.random.Generator, batch: int, size: int, vocab: int
) -> tuple[IntArray, IntArray]:
    """(B, S) ids that end with EOS, then PAD, and their lengths (B,), one of them S."""
    lengths = rng.integers(1, size + 1, batch).astype(np.int32)
    lengths[rng.integers(batch)] = size
    ids = rng.integers(EOS + 1, vocab, (batch, size)).astype(np.int32)
    places = np.arange(size)[None, :]
    ids[places == lengths[:, None] - 1] = EOS
    ids[places >= lengths[:, None]] = PAD
    return ids, lengths


def _random_side(rng: np.random.Generator, batch: int, size: int, vocab: int) -> PaddedWords:
    """Lines of `size` pieces at most, in words of one to three pieces."""
    ids, lengths = _random_lines(rng, batch, size + 1, vocab)
    word_of = np.full(ids.shape, -1, np.int32)
    for row, length in zip(word_of, lengths, strict=True):
        pieces = max(1, int(length) - 1)
        row[:pieces] = np.cumsum(rng.random(pieces) < 0.6)
        row[:pieces] -= row[0]
    return PaddedWords(ids, word_of)
