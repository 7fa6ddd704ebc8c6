"""The Stepper and the Matcher over exported graphs, run by ONNX Runtime. Knows no torch.

What goes in and out of the graphs is told by its names, which `export` gives:

    encoder   ids (B, S), lengths (B,)                     → memory.*, state.*
    step      previous (N,), rows (N,), gold (N,), ranks (C,), row (B, Q), place (N,),
              memory.*, state.*                            → ids, logp, gold_logp, weights, after.*
    forced    the same without ranks                       → gold_logp, weights, after.*
    head      source (B, P), source_mean (B, W, P),
              target (B, O), target_mean (B, V, O)         → weights, leftover, links

Weights are (N, S), or (N, heads, S) of a network with several heads. `rows` are the rows of the
state before that go on, so that reordering costs no call of its own; `row` and `place` are
`Rows.places`; of `ranks` only the size counts, up to that of the vocabulary.
A graph that does not need an input does not have it.
"""

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from attn_cli import bundle
from attn_cli.align.merge import mean_over_words
from attn_cli.bundle import Bundle
from attn_cli.engine.base import ALONE, Matched, Side, StepOut, View
from attn_cli.engine.rows import Rows
from attn_cli.errors import ModelError
from attn_cli.values import EOS, IntArray

Tensors = dict[str, NDArray[Any]]

MEMORY, STATE, AFTER = "memory.", "state.", "after."

_ONLY_FATAL = 4
_AGAIN = "Make its graphs again with attn export, or copy the model again."


class Graph:
    """A graph ready to run: a function from named arrays to named arrays."""

    def __init__(self, path: Path, *, threads: int | None) -> None:
        """Raises ModelError when the file is missing or no graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _ONLY_FATAL
        # Waiting threads would spin: they would burn a core while we read and write.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no common base but this
            raise ModelError(
                f"the model {path.parent} is damaged: ONNX Runtime cannot load {path.name}", _AGAIN
            ) from error
        self._path = path
        self.inputs = tuple(each.name for each in self._session.get_inputs())
        self.outputs = tuple(each.name for each in self._session.get_outputs())

    def __call__(self, given: Mapping[str, NDArray[Any]]) -> Tensors:
        """Every output for `given`, of which what the graph does not need is left out.

        Raises ModelError when it cannot compute with that, MemoryError when that is too large.
        """
        wanted = {name: part for name, part in given.items() if name in self.inputs}
        try:
            found = self._session.run(self.outputs, wanted)
        except Exception as error:  # as above
            if "alloc" in str(error):
                raise MemoryError from error
            raise ModelError(
                f"the model {self._path.parent} is unfit: ONNX Runtime cannot run "
                f"{self._path.name} on what its vocabulary gives",
                _AGAIN,
            ) from error
        return dict(zip(self.outputs, found, strict=True))


class _Search(NamedTuple):
    """N rows of a search: which of the last state's rows they are, and where they look."""

    memory: Tensors  # (B, …)
    state: Tensors  # (N of the last step, …)
    order: IntArray  # (N,) rows of `state`
    rows: Rows
    candidates: int


class OnnxStepper:
    """Runs the graphs of a translator one step at a time."""

    def __init__(self, folder: Path, view: View = ALONE, *, threads: int | None = None) -> None:
        """The graphs in that folder. Raises ModelError where they cannot be loaded."""
        self._folder, self._view, self._threads = folder, view, threads
        self._encoder = Graph(folder / bundle.ENCODER, threads=threads)
        self._graphs: dict[str, Graph] = {}

    def viewed(self, view: View) -> "OnnxStepper":
        """The same graphs, loaded once, looked at through another view."""
        other = copy(self)
        other._view = view
        return other

    def encode(self, ids: IntArray, lengths: IntArray) -> Tensors:
        """See `Stepper.encode`."""
        return self._encoder({"ids": _long(ids), "lengths": _long(lengths)})

    def start(self, source: Tensors, beam: int) -> _Search:
        """See `Stepper.start`."""
        memory, state = _part(source, MEMORY), _part(source, STATE)
        sentences = len(next(iter(state.values())))
        order = np.arange(sentences, dtype=np.int32)
        return _Search(memory, state, order, Rows.one_each(sentences), beam)

    def step(self, state: _Search, previous: IntArray, gold: IntArray | None = None) -> StepOut:
        """See `Stepper.step`."""
        row, place = state.rows.places()
        given: Tensors = {
            "previous": _long(previous),
            "rows": _long(state.order),
            "gold": np.full(len(previous), EOS) if gold is None else _long(gold),
            "ranks": np.zeros(state.candidates, np.int64),
            "row": _long(row),
            "place": _long(place),
        }
        given |= {MEMORY + name: part for name, part in state.memory.items()}
        given |= {STATE + name: part for name, part in state.state.items()}
        found = self._graph(bundle.STEP if state.candidates else bundle.FORCED)(given)
        rows = np.arange(len(previous), dtype=np.int32)
        none = np.zeros((len(previous), 0))
        return StepOut(
            found.get("ids", none).astype(np.int32),
            found.get("logp", none).astype(np.float32),
            None if gold is None else found["gold_logp"],
            self._view.of(found["weights"]),
            state._replace(state=_part(found, AFTER), order=rows),
        )

    def reorder(self, state: _Search, rows: IntArray) -> _Search:
        """See `Stepper.reorder`. Sentences without a row leave once they are many."""
        memory, now = state.memory, state.rows.reordered(rows)
        if (kept := now.worth_keeping()) is not None:
            memory = {name: part[kept] for name, part in memory.items()}
            now = now.within(kept)
        return state._replace(memory=memory, order=state.order[rows], rows=now)

    def _graph(self, name: str) -> Graph:
        """A graph of the decoder, loaded when it is first wanted."""
        if name not in self._graphs:
            self._graphs[name] = Graph(self._folder / name, threads=self._threads)
        return self._graphs[name]


class OnnxMatcher:
    """Runs the graph of an alignment head."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """The graph in that folder. Raises ModelError where it cannot be loaded."""
        self._graph = Graph(folder / bundle.HEAD_GRAPH, threads=threads)

    def match(self, source: Side, target: Side) -> Matched:
        """See `Matcher.match`."""
        given: Tensors = {}
        for name, side in (("source", source), ("target", target)):
            given[name] = _long(side.ids)
            given[f"{name}_mean"] = mean_over_words(side.word_of, int(side.word_of.max()) + 1)
        found = self._graph(given)
        return Matched(found["weights"], found["leftover"], found["links"])


def load(opened: Bundle, view: View, *, threads: int | None) -> OnnxStepper:
    """The graphs of a bundle that has them. See `engine.open.open_stepper`."""
    return OnnxStepper(opened.file(bundle.ENCODER).parent, view, threads=threads)


def load_head(opened: Bundle, *, threads: int | None) -> OnnxMatcher:
    """The graph of a bundle's alignment head. See `engine.open.open_matcher`."""
    return OnnxMatcher(opened.file(bundle.HEAD_GRAPH).parent, threads=threads)


def _long(array: IntArray) -> NDArray[np.int64]:
    return np.ascontiguousarray(array, np.int64)


def _part(tensors: Tensors, prefix: str) -> Tensors:
    """The tensors whose names begin so, without that beginning."""
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
