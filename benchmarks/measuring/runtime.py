"""Profile the graphs of a model: runtime.py MODEL BEAM FILE → one line of JSON.

Translates the file in this process, first with ONNX Runtime's profiler, then with a clock around
the parts of attn's code. It takes the matrix products from the profile and computes them again
alone: in the same number and order, with the same shapes, by ONNX Runtime's own kernels, with
packed weights and without copies of the output. A recurrent layer counts as one product for its
inputs and one for each of its steps.
"""

import json
import math
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime
from clock import Clock
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from attn_cli.bundles.bundle import open_bundle
from attn_cli.cli.input import CHUNK
from attn_cli.inference import generation
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.engines.onnx import Graph, OnnxDecoder
from attn_cli.inference.generation import BeamSearchGenerator
from attn_cli.inference.translator import Translator
from attn_cli.types import InputLine

#: Operators that are a matrix product, in floating point and in integers; gates of a layer.
FLOATS = ("MatMul", "Gemm", "FusedMatMul", "FusedGemm")
INTEGERS = ("MatMulIntegerToFloat", "MatMulInteger", "DynamicQuantizeMatMul")
GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}

#: A node without a name is one that `quantize` has added to a product.
_UNNAMED = re.compile(r"[A-Za-z]+_\d+(_kernel_time)?")

WORTH = 0.01  # the smallest share of an operator that has a row of its own
ROUNDS = 3  # of the products alone; the fastest counts
OPSET, IR = 18, 10

Event = dict[str, Any]
Shape = tuple[int, ...]


def main() -> None:
    folder, beam = Path(sys.argv[1]), int(sys.argv[2])
    lines = Path(sys.argv[3]).read_text(encoding="utf-8").split("\n")[:-1]
    with tempfile.TemporaryDirectory() as scratch:
        events = profile_graphs(folder, beam, lines, Path(scratch))
    record = {
        "kernels": kernels(events),
        "products": measure_products([product for event in events for product in products(event)]),
        "phases": time_parts(folder, beam, lines),
    }
    print(json.dumps(record))


def open_translation(
    folder: Path, beam: int
) -> tuple[OnnxDecoder, Translator, Callable[[Sequence[str]], None]]:
    """Open a bundle; return a function that translates with it as the command does."""
    bundle = open_bundle(folder)
    decoder = OnnxDecoder(folder, threads=1)
    search = replace(SearchConfig.of(bundle.recipe.decode), beam=beam)
    translator = Translator(BeamSearchGenerator(decoder), bundle.source, bundle.target, search)

    def run(lines: Sequence[str]) -> None:
        for start in range(0, len(lines), CHUNK):
            chunk = lines[start : start + CHUNK]
            translator.translate(
                [InputLine(number, line) for number, line in enumerate(chunk, start=1)]
            )

    return decoder, translator, run


# The code of attn


def time_parts(folder: Path, beam: int, lines: Sequence[str]) -> dict[str, float]:
    """Return the seconds of each part of a translation, none counted twice.

    Replaces functions in attn's modules by timed ones for the rest of the process.
    """
    clock = Clock()
    decoder, translator, run = open_translation(folder, beam)
    run(["A word."])  # loads all graphs
    for name in ("encode", "start", "step"):
        clock.watch(decoder, name, "around the graphs")
    clock.watch(decoder, "reorder", "reordering")
    clock.watch(generation, "search", "search")
    for tokenizer in {id(each): each for each in (translator.source, translator.target)}.values():
        clock.watch(tokenizer, "encode", "text to pieces")
        clock.watch(tokenizer, "decode", "pieces to text")
    call, encoder = Graph.__call__, decoder._encoder

    def timed_call(graph: Graph, inputs: Any) -> Any:
        with clock.section("the encoder's graph" if graph is encoder else "the step's graph"):
            return call(graph, inputs)

    Graph.__call__ = timed_call  # type: ignore[method-assign]
    with clock.section("the rest of the translation"):
        run(lines)
    return dict(sorted(clock.seconds.items(), key=lambda item: -item[1]))


# The graphs


def profile_graphs(folder: Path, beam: int, lines: Sequence[str], scratch: Path) -> list[Event]:
    """Return ONNX Runtime's events of a translation; each has its `graph`."""
    with _profiler(scratch / "profile"):
        decoder, _, translate = open_translation(folder, beam)
        translate(lines)
    graphs = {"encoder": decoder._encoder, **decoder._graphs}
    events = []
    for name, graph in graphs.items():
        rows = json.loads(Path(graph._session.end_profiling()).read_text(encoding="utf-8"))
        events += [{**event, "graph": name.removesuffix(".onnx")} for event in rows]
    return events


@contextmanager
def _profiler(prefix: Path) -> Iterator[None]:
    """Let the sessions that the block creates write a profile."""
    options = onnxruntime.SessionOptions

    def profiling() -> Any:
        settings = options()
        settings.enable_profiling = True
        settings.profile_file_prefix = str(prefix)
        return settings

    onnxruntime.SessionOptions = profiling
    try:
        yield
    finally:
        onnxruntime.SessionOptions = options


def kernels(events: Sequence[Event]) -> dict[str, float]:
    """Return the seconds of each kind of operator, largest first; small ones are one row."""
    seconds: dict[str, float] = defaultdict(float)
    runs = 0.0
    for event in events:
        if _is_kernel(event):
            seconds[_kind(event)] += event["dur"] / 1e6
        elif event["name"] == "model_run":
            runs += event["dur"] / 1e6
    seconds["between the operators"] = runs - sum(seconds.values())
    large = {kind: time for kind, time in seconds.items() if time >= WORTH * runs}
    large["other operators"] = runs - sum(large.values())
    return dict(sorted(large.items(), key=lambda item: -item[1]))


def _is_kernel(event: Event) -> bool:
    return event.get("cat") == "Node" and event["name"].endswith("_kernel_time")


def _kind(event: Event) -> str:
    operator, name = event["args"]["op_name"], event["name"]
    if event["graph"] == "encoder":
        return f"encoder: {operator}" if operator in GATES else "encoder: the rest"
    if _is_open(event):
        return "attention: the product with the values"
    if operator in (*FLOATS, *INTEGERS) and _shapes(event, "output")[0][-1] > 1:
        return f"{operator} with weights"
    if "attention" in name:
        return "attention: energies and softmax"
    if _UNNAMED.fullmatch(name):
        return "to integers and back"
    return str(operator)


# The products alone


@dataclass(frozen=True)
class Product:
    """`copies` products of (rows, inner) with (inner, columns); `open` if no side is constant."""

    integers: bool
    open: bool
    copies: int
    rows: int
    inner: int
    columns: int

    @property
    def kind(self) -> str:
        """The name in the table; products of one kind share their constant."""
        if self.open:
            return f"{self.columns} columns of values, fp32"
        return f"{self.inner} x {self.columns}, {'int8' if self.integers else 'fp32'}"

    @property
    def operations(self) -> int:
        """The number of multiplications and additions."""
        return 2 * self.copies * self.rows * self.inner * self.columns


def products(event: Event) -> Iterator[Product]:
    """Return the matrix products of an operator."""
    operator = event["args"]["op_name"] if _is_kernel(event) else ""
    if operator not in (*FLOATS, *INTEGERS, *GATES):
        return
    inputs, outputs = (_shapes(event, side)[0] for side in ("input", "output"))
    if operator in GATES:
        steps, directions, batch, width = outputs
        gates, size = GATES[operator] * width, inputs[-1]
        for _ in range(directions):
            yield Product(False, False, 1, steps * batch, size, gates)
            for _ in range(steps):
                yield Product(False, False, 1, batch, width, gates)
        return
    copies = math.prod(outputs[:-2]) if _is_open(event) else 1
    rows = math.prod(outputs[:-1]) // copies
    integers = operator in INTEGERS
    yield Product(integers, _is_open(event), copies, rows, inputs[-1], outputs[-1])


def _is_open(event: Event) -> bool:
    """Return whether neither side of a product is constant: both come with the batch."""
    if event["args"]["op_name"] not in FLOATS:
        return False
    return sum(len(shape) > 2 for shape in _shapes(event, "input")) > 1


def _shapes(event: Event, side: str) -> list[Shape]:
    return [
        tuple(shape) for tensor in event["args"][f"{side}_type_shape"] for shape in tensor.values()
    ]


def measure_products(operations: Sequence[Product]) -> dict[str, dict[str, float]]:
    """Return for each kind of product the number of products, their seconds, and GFLOP/s."""
    kinds: dict[str, list[Product]] = {product.kind: [] for product in operations}
    for product in operations:
        kinds[product.kind].append(product)
    benches = {kind: Bench.of(products_of_kind) for kind, products_of_kind in kinds.items()}
    ready = {product: benches[product.kind].ready(product) for product in set(operations)}
    least: dict[str, float] = {}
    for _ in range(ROUNDS):
        seconds: dict[str, float] = dict.fromkeys(kinds, 0.0)
        for product in operations:
            began = perf_counter()
            ready[product]()
            seconds[product.kind] += perf_counter() - began
        if not least or sum(seconds.values()) < sum(least.values()):
            least = seconds
    table = {}
    for kind in sorted(least, key=lambda kind: -least[kind]):
        speed = sum(product.operations for product in kinds[kind]) / least[kind] / 1e9
        table[kind] = {"count": len(kinds[kind]), "seconds": least[kind], "gflops": speed}
    return table


def _session(product: Product) -> Any:
    """Return a session of a graph that is this kind of product alone."""
    random = np.random.default_rng(0)
    sizes = (product.inner, product.columns)
    inputs = [
        helper.make_tensor_value_info("a", _type(product), [None] * (3 if product.open else 2))
    ]
    constants: dict[str, Any] = {}
    if product.open:
        inputs.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, [None] * 3))
        node = helper.make_node("MatMul", ["a", "b"], ["c"])
    elif product.integers:
        constants["b"] = random.integers(-127, 128, sizes, np.int8)
        constants["one"] = np.ones(1, np.float32)
        constants["scale"] = np.full(product.columns, 0.01, np.float32)
        constants["middle"] = np.full(1, 128, np.uint8)
        node = helper.make_node(
            "MatMulIntegerToFloat",
            ["a", "b", "one", "scale", "middle"],
            ["c"],
            domain="com.microsoft",
        )
    else:
        constants["b"] = random.standard_normal(sizes, np.float32)
        node = helper.make_node("MatMul", ["a", "b"], ["c"])
    output = helper.make_tensor_value_info("c", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph([node], "product", inputs, [output], weights)
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=IR)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _type(product: Product) -> int:
    return int(TensorProto.UINT8 if product.integers else TensorProto.FLOAT)


@dataclass(frozen=True)
class Bench:
    """A graph of one kind of product, and memory for the largest of that kind."""

    session: Any
    left: NDArray[Any]
    right: NDArray[Any]
    output: NDArray[Any]

    @classmethod
    def of(cls, operations: Sequence[Product]) -> "Bench":
        """Make the bench of products of one kind."""
        random = np.random.default_rng(1)
        left, right, output = (
            max(map(math.prod, sizes)) for sizes in zip(*map(_sizes, operations), strict=True)
        )
        kind = operations[0]
        numbers = random.standard_normal(left, np.float32)
        return cls(
            _session(kind),
            (128 + 30 * numbers).astype(np.uint8) if kind.integers else numbers,
            random.standard_normal(right if kind.open else 0, np.float32),
            np.empty(output, np.float32),
        )

    def ready(self, product: Product) -> Callable[[], None]:
        """Return a function that computes that product, with its inputs and its memory already
        allocated."""
        left, right, output = _sizes(product)
        binding = self.session.io_binding()
        binding.bind_cpu_input("a", self.left[: math.prod(left)].reshape(left))
        if product.open:
            binding.bind_cpu_input("b", self.right[: math.prod(right)].reshape(right))
        binding.bind_output("c", "cpu", 0, np.float32, output, self.output.ctypes.data)
        return lambda: self.session.run_with_iobinding(binding)


def _sizes(product: Product) -> tuple[Shape, Shape, Shape]:
    """Return the shapes of both sides and of the result."""
    copies = (product.copies,) if product.open else ()
    rows, inner, columns = product.rows, product.inner, product.columns
    return (*copies, rows, inner), (*copies, inner, columns), (*copies, rows, columns)


if __name__ == "__main__":
    main()
