"""An `IncrementalDecoder` and an `AlignmentModel` that run exported graphs with ONNX Runtime.

The inputs and outputs of the graphs, by the names that `export` gives them:

    encoder   ids (B, S), lengths (B,)                     → memory.*, state.*
    step      previous (N,), rows (N,), target (N,), candidates (C,), row_at_slot (B, Q),
              slot_of_row (N,), memory.*, state.*    → ids, logp, target_logp, weights, next_state.*
    forced    the same without candidates                  → target_logp, weights, next_state.*
    select    shortlist (B, L)                             → output.*
    shortlist_step    as step, and output.*                → as step
    word_aligner      source (B, P), source_mean (B, W, P),
              target (B, O), target_mean (B, V, O)         → weights, unaligned, links

Weights are (N, S), or (N, heads, S) of a network with several heads. `rows` selects rows of the
previous state, so that reordering needs no call of its own; `row_at_slot` and `slot_of_row` are
`BeamRows.layout`; of `candidates` only the size C counts, at most the vocabulary's. `shortlist` are
pieces, negative after a list's end; `target` and `ids` are then columns of the lists, and C is at
most L. Unused inputs are left out of a graph. Graphs of format 1 have the names of `FORMER_NAMES`.
"""

from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from attn_cli.bundles import manifest
from attn_cli.bundles.bundle import Bundle
from attn_cli.data.shortlist import Shortlist
from attn_cli.errors import ModelError
from attn_cli.inference.beam_layout import BeamRows
from attn_cli.inference.engines.interface import (
    ALL_HEADS,
    AlignmentOutput,
    HeadSelection,
    PaddedWords,
    StepOutput,
)
from attn_cli.inference.engines.listing import Listing
from attn_cli.types import EOS, IntArray

Tensors = dict[str, NDArray[Any]]

MEMORY, STATE, NEXT_STATE, OUTPUT = "memory.", "state.", "next_state.", "output."

_ONLY_FATAL = 4
_EXPORT_AGAIN = "Make its graphs again with attn export, or copy the model again."


#: The names of inputs and outputs in graphs of format 1, and today's.
FORMER_NAMES = {
    "gold": "target",
    "ranks": "candidates",
    "row": "row_at_slot",
    "place": "slot_of_row",
    "listed": "shortlist",
    "gold_logp": "target_logp",
    "leftover": "unaligned",
    "state.fed": "state.attentional_state",
    "next_state.fed": "next_state.attentional_state",
}


def current_name(name: str) -> str:
    """Return today's name of an input or output of a graph of format 1."""
    if name.startswith("after."):
        name = NEXT_STATE + name.removeprefix("after.")
    return FORMER_NAMES.get(name, name)


class Graph:
    """A loaded graph: a function from named arrays to named arrays."""

    def __init__(self, path: Path, *, threads: int | None) -> None:
        """Load a graph. Raises ModelError if the file is missing or is not a graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _ONLY_FATAL
        # Spinning threads would occupy a core between two runs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no other common base
            raise ModelError(
                f"the model {path.parent} is damaged: ONNX Runtime cannot load {path.name}",
                _EXPORT_AGAIN,
            ) from error
        self._path = path
        inputs = [each.name for each in self._session.get_inputs()]
        outputs = [each.name for each in self._session.get_outputs()]
        self._inputs = {current_name(name): name for name in inputs}
        self._outputs = {current_name(name): name for name in outputs}

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        """Return every output; inputs that the graph does not have are left out.

        Raises ModelError if the graph cannot run on these inputs or memory is too small.
        """
        feed = {self._inputs[name]: part for name, part in inputs.items() if name in self._inputs}
        try:
            outputs = self._session.run(list(self._outputs.values()), feed)
        except Exception as error:  # as above
            if "alloc" in str(error):
                raise ModelError(
                    f"{self._path} needs more memory than there is",
                    "Use a smaller --beam, a machine with more memory, or another model.",
                ) from error
            raise ModelError(
                f"the model {self._path.parent} is unfit: ONNX Runtime cannot run "
                f"{self._path.name} on the ids of its vocabulary",
                _EXPORT_AGAIN,
            ) from error
        return dict(zip(self._outputs, outputs, strict=True))


class _Source(NamedTuple):
    """B sources: their pieces (B, S), and the outputs of the encoder."""

    ids: IntArray
    encoded: Tensors


class _Search(NamedTuple):
    """N rows of a search: the previous state, its rows that they continue, and their sentences.

    With a shortlist, the pieces of each sentence's list and the output vectors of these pieces.
    """

    memory: Tensors  # (B, …)
    state: Tensors  # (N of the previous step, …)
    order: IntArray  # (N,) rows of `state`
    rows: BeamRows
    candidates: int
    listing: Listing | None = None
    output: Tensors | None = None  # (B, …)


class OnnxDecoder:
    """Runs the graphs of a translator one step at a time.

    With a `shortlist` the candidates of a search are limited to it.
    """

    def __init__(
        self,
        folder: Path,
        heads: HeadSelection = ALL_HEADS,
        *,
        threads: int | None = None,
        shortlist: Shortlist | None = None,
        file: Callable[[str], Path] | None = None,
    ) -> None:
        """Load the graphs in that folder; `file`, if any, returns the path of each by its name.

        Raises ModelError if they cannot be loaded.
        """
        self._file, self._heads, self._threads = file or folder.joinpath, heads, threads
        self._shortlist = shortlist
        self._encoder = Graph(self._file(manifest.ENCODER), threads=threads)
        self._graphs: dict[str, Graph] = {}

    def with_heads(self, heads: HeadSelection) -> "OnnxDecoder":
        """Return a decoder of the same graphs with another selection of heads."""
        other = copy(self)
        other._heads = heads
        return other

    def encode(self, ids: IntArray, lengths: IntArray) -> _Source:
        """See `IncrementalDecoder.encode`."""
        return _Source(ids, self._encoder({"ids": _long(ids), "lengths": _long(lengths)}))

    def start(self, source: _Source, beam: int) -> _Search:
        """See `IncrementalDecoder.start`."""
        sentences = len(source.ids)
        order = np.arange(sentences, dtype=np.int32)
        memory, state = _part(source.encoded, MEMORY), _part(source.encoded, STATE)
        search = _Search(memory, state, order, BeamRows.initial(sentences), beam)
        if self._shortlist is None or not beam:
            return search
        listed = self._shortlist.select(source.ids)
        output = self._graph(manifest.SELECT)({"shortlist": _long(listed)})
        candidates = min(beam, listed.shape[1])
        return search._replace(candidates=candidates, listing=Listing(listed), output=output)

    def step(
        self, state: _Search, previous: IntArray, target: IntArray | None = None
    ) -> StepOutput:
        """See `IncrementalDecoder.step`."""
        row_at_slot, slot_of_row = state.rows.layout()
        listing = state.listing
        column = np.full_like(previous, EOS if listing is None else 0) if target is None else target
        if listing is not None and target is not None:
            column = listing.columns(state.rows, target)
        inputs: Tensors = {
            "previous": _long(previous),
            "rows": _long(state.order),
            "target": _long(column),
            "candidates": np.zeros(state.candidates, np.int64),
            "row_at_slot": _long(row_at_slot),
            "slot_of_row": _long(slot_of_row),
        }
        inputs |= {MEMORY + name: part for name, part in state.memory.items()}
        inputs |= {STATE + name: part for name, part in state.state.items()}
        inputs |= state.output or {}
        outputs = self._graph(_step_graph(state))(inputs)
        rows = np.arange(len(previous), dtype=np.int32)
        none = np.zeros((len(previous), 0))
        out = StepOutput(
            outputs.get("ids", none).astype(np.int32),
            outputs.get("logp", none).astype(np.float32),
            None if target is None else outputs["target_logp"],
            self._heads.of(outputs["weights"]),
            state._replace(state=_part(outputs, NEXT_STATE), order=rows),
        )
        return out if listing is None else listing.with_pieces(out, state.rows, target)

    def reorder(self, state: _Search, rows: IntArray) -> _Search:
        """See `IncrementalDecoder.reorder`. Drops sentences without rows once they are many."""
        new_rows = state.rows.reordered(rows)
        if (live := new_rows.live_sentences()) is not None:
            new_rows = new_rows.restrict_to(live)
            state = state._replace(memory=_select(state.memory, live))
            if state.listing is not None and state.output is not None:
                output = _select(state.output, live)
                state = state._replace(listing=state.listing.of(live), output=output)
        return state._replace(order=state.order[rows], rows=new_rows)

    def _graph(self, name: str) -> Graph:
        """Return a graph of the decoder, loaded at its first use."""
        if name not in self._graphs:
            self._graphs[name] = Graph(self._file(name), threads=self._threads)
        return self._graphs[name]


class OnnxAligner:
    """Runs the graph of a word aligner."""

    def __init__(self, file: Path, *, threads: int | None = None) -> None:
        """Load the graph `file`. Raises ModelError if it cannot be loaded."""
        self._graph = Graph(file, threads=threads)

    def align(self, source: PaddedWords, target: PaddedWords) -> AlignmentOutput:
        """See `AlignmentModel.align`."""
        inputs: Tensors = {}
        for name, side in (("source", source), ("target", target)):
            inputs[name] = _long(side.ids)
            inputs[f"{name}_mean"] = side.mean
        outputs = self._graph(inputs)
        return AlignmentOutput(outputs["weights"], outputs["unaligned"], outputs["links"])


def load(
    opened: Bundle, heads: HeadSelection, *, threads: int | None, shortlist: Shortlist | None = None
) -> OnnxDecoder:
    """Load the graphs of a bundle that has them. See `registry.open_decoder`."""
    if opened.has_files(manifest.GRAPH_WEIGHTS):  # ONNX Runtime opens it without `opened.file`
        opened.file(manifest.GRAPH_WEIGHTS)
    folder = opened.file(manifest.ENCODER).parent
    return OnnxDecoder(folder, heads, threads=threads, shortlist=shortlist, file=opened.file)


def load_aligner(opened: Bundle, *, threads: int | None) -> OnnxAligner:
    """Load the graph of a bundle's word aligner. See `registry.open_aligner`."""
    return OnnxAligner(opened.file(manifest.WORD_ALIGNER_GRAPH), threads=threads)


def _step_graph(state: _Search) -> str:
    """Return the name of the graph of a search's steps."""
    if not state.candidates:
        return manifest.FORCED
    return manifest.STEP if state.listing is None else manifest.SHORTLIST_STEP


def _select(tensors: Tensors, sentences: IntArray) -> Tensors:
    """Select the rows of these sentences of each tensor."""
    return {name: part[sentences] for name, part in tensors.items()}


def _long(array: IntArray) -> NDArray[np.int64]:
    return np.ascontiguousarray(array, np.int64)


def _part(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names begin with `prefix`, by names without it."""
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def available_providers() -> list[str]:
    """Return the execution providers of the installed ONNX Runtime; attn uses the CPU's."""
    return list(onnxruntime.get_available_providers())
