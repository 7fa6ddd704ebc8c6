"""Graphs as files; the graphs of a translator share one file of weights."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from attn_cli.bundles import manifest
from attn_cli.errors import TrainingError

#: Bytes from which a tensor moves into the shared file.
_LARGE_BYTES = 1024

#: Tensors start at multiples of so many bytes.
_ALIGNMENT = 64


def write_graphs(folder: Path, graphs: Mapping[str, ModelProto]) -> None:
    """Write the graphs as files of a folder. Raises TrainingError if the disk is full."""
    try:
        for name, data in graph_files(graphs).items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise TrainingError(
            f"cannot write into {folder}: {error.strerror}",
            "Free some space there, or set TMPDIR to another folder.",
        ) from error


def graph_files(graphs: Mapping[str, ModelProto]) -> dict[str, bytes]:
    """Return the content of each file, by name: the graphs, and the weights of a translator's."""
    shared = SharedWeights(manifest.GRAPH_WEIGHTS)
    files = {
        name: graph.SerializeToString()
        if name == manifest.WORD_ALIGNER_GRAPH
        else shared.without_weights(graph).SerializeToString()
        for name, graph in graphs.items()
    }
    return files | ({manifest.GRAPH_WEIGHTS: shared.data()} if manifest.STEP in graphs else {})


class SharedWeights:
    """One file of weights for several graphs, in which equal tensors are stored once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._data = bytearray()
        self._spans: dict[bytes, tuple[int, int]] = {}

    def without_weights(self, model: ModelProto) -> ModelProto:
        """Return the graph with its larger constants moved into the file."""
        model = onnx.ModelProto.FromString(model.SerializeToString())
        for tensor in _large_tensors(model.graph):
            offset, length = self._add(numpy_helper.to_array(tensor).tobytes())
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", self._file), ("offset", offset), ("length", length)):
                tensor.external_data.add(key=key, value=str(value))
        return model

    def data(self) -> bytes:
        """Return the content of the file."""
        return bytes(self._data)

    def _add(self, content: bytes) -> tuple[int, int]:
        """Return the offset and length of these bytes in the file."""
        digest = hashlib.sha256(content).digest()
        if digest not in self._spans:
            self._data.extend(bytes(-len(self._data) % _ALIGNMENT))
            self._spans[digest] = len(self._data), len(content)
            self._data.extend(content)
        return self._spans[digest]


def _large_tensors(graph: GraphProto) -> Iterator[TensorProto]:
    for tensor in graph.initializer:
        if len(tensor.raw_data) >= _LARGE_BYTES:
            yield tensor
