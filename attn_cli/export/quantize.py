"""Quantize graphs: matrix products in int8, other parameters in half precision.

ONNX Runtime's dynamic quantization has one scale for an activation matrix, so that the results of a
sentence depend on the others in its batch. Here each row has its own scale: weights are int8 with a
scale for each output unit, activations uint8 with a scale for each row, products int32 (by VNNI or
AMX if the processor has them). This is the scheme of LLM.int8() (Dettmers et al. 2022, section 2.1)
without its outliers, which small networks do not have. Processors with AVX2 but not VNNI add two
products in 16 bits with saturation; operands are limited to ±`_WITHIN`, so that no sum saturates
and results are the same on all processors.

* A product of a matrix with a constant one of at least `MIN_SIZE` rows and columns becomes such a
  product. The encoder's recurrences stay in floating point: ONNX Runtime has no integer GRU, and
  they take little time.
* An embedding matrix becomes int8 with a scale for each row.
* The output layer's rows for a shortlist are selected and multiplied as integers. Their matrix is
  in the file once: an embedding tied to it has the range of products, and the product with all
  rows transposes it when the graph is loaded.
* Other large constants are stored as float16 and converted to float32 when they are loaded.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

#: Minimum rows and columns of a matrix for products in int8: below it they save no time.
MIN_SIZE = 64

#: Minimum elements of a constant that is stored in half precision.
MIN_ELEMENTS = 4096

_HIGHEST = 127
_WITHIN = 90  # for both sides of a product: 2 · (90 + 90) · 90 < 2¹⁵
_MIDDLE = 90  # the zero point of uint8
_CONTRIB = "com.microsoft"
_SMALLEST_SCALE = 1e-12

#: The selected rows of the output layer: outputs of one graph, inputs of another.
SELECTED, SELECTED_SCALE = "output.weight", "output.scale"


def quantize_graphs(models: Mapping[str, ModelProto]) -> dict[str, ModelProto]:
    """Return the graphs of one translator with products in int8 and other weights in float16."""
    table = next(filter(None, map(_shortlist_table, models.values())), None)
    matrix = None if table is None else numpy_helper.to_array(table)
    return {name: quantize_graph(model, matrix) for name, model in models.items()}


def _shortlist_table(model: ModelProto) -> TensorProto | None:
    """Return the matrix (V, E) of which this graph selects rows for a shortlist."""
    makers = {name: node for node in model.graph.node for name in node.output}
    if SELECTED not in _by_name(model.graph.output):
        return None
    gather = makers[makers[SELECTED].input[0]]
    tables: dict[str, TensorProto] = {each.name: each for each in model.graph.initializer}
    return tables[gather.input[0]]


def quantize_graph(
    model: ModelProto, shortlist_table: NDArray[np.generic] | None = None
) -> ModelProto:
    """Return the graph with its products in int8 and its other weights in float16.

    `shortlist_table` (V, E) is the matrix that a shortlist of the same translator selects from.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    _Quantizer(model, shortlist_table).run()
    return model


class _Quantizer:
    def __init__(self, model: ModelProto, shortlist_table: NDArray[np.generic] | None) -> None:
        self.model, self.graph = model, model.graph
        self.shortlist_table = shortlist_table
        self.weights = {each.name: numpy_helper.to_array(each) for each in self.graph.initializer}
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[np.generic]] = {}
        self.rows: dict[str, tuple[str, str]] = {}  # a matrix → its integers, its scales
        self.makers = {name: node for node in self.graph.node for name in node.output}

    def run(self) -> None:
        """Quantize the graph in place."""
        replacements = self._selection, self._product, self._selected_product, self._embedding
        for node in self.graph.node:
            if not any(replace(node) for replace in replacements):
                self.nodes.append(node)
        self._drop_unused()
        used = {name for node in self.nodes for name in node.input}
        constants = {name: self.weights[name] for name in self.weights if name in used}
        casts: list[NodeProto] = []
        for name, value in constants.items():
            if value.dtype == np.float32 and value.size >= MIN_ELEMENTS:
                self.constants[f"{name}.half"] = value.astype(np.float16)
                casts.append(
                    helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT)
                )
            else:
                self.constants[name] = value
        del self.graph.node[:], self.graph.initializer[:]
        self.graph.node.extend([*casts, *self.nodes])
        self.graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(value), name)
            for name, value in self.constants.items()
        )
        self.model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))

    def _product(self, node: NodeProto) -> bool:
        """Replace a product with a constant by one in int8; return whether the node was one."""
        if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in self.weights:
            return False
        table = matrix = self.weights[node.input[1]]
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if (
            attributes.get("transA")
            or attributes.get("alpha", 1) != 1
            or attributes.get("beta", 1) != 1
        ):
            return False
        if attributes.get("transB"):
            matrix = matrix.T
        if matrix.ndim != 2 or min(matrix.shape) < MIN_SIZE or not self._is_matrix(node):
            return False
        name = node.output[0]
        integers, scale = _by_column(matrix, _WITHIN)
        rows, row_scale = self._quantized_rows(node.input[0])
        if attributes.get("transB") and self._in_shortlist(table):  # transposed, as in other graphs
            self._constant(f"{name}.rows", np.ascontiguousarray(integers.T))
            self._node("Transpose", [f"{name}.rows"], f"{name}.weight", perm=[1, 0])
        else:
            self._constant(f"{name}.weight", integers)
        self._constant(f"{name}.scale", scale)
        self._node(
            "MatMulIntegerToFloat",
            [rows, f"{name}.weight", "one", f"{name}.scale", "middle"],
            f"{name}.whole",
            domain=_CONTRIB,
        )
        bias = node.input[2] if len(node.input) > 2 and node.input[2] else ""
        scaled = f"{name}.scaled" if bias else name
        self._node("Mul", [f"{name}.whole", row_scale], scaled)
        if bias:
            self._node("Add", [scaled, bias], name)
        return True

    def _in_shortlist(self, table: NDArray[np.generic]) -> bool:
        return self.shortlist_table is not None and np.array_equal(table, self.shortlist_table)

    def _is_matrix(self, node: NodeProto) -> bool:
        """Return whether the first operand is known to have two axes, as that of a Gemm has."""
        if node.op_type == "Gemm":
            return True
        return self._ranks().get(node.input[0]) == 2

    def _ranks(self) -> dict[str, int]:
        inferred = onnx.shape_inference.infer_shapes(self.model).graph
        known = [*inferred.value_info, *inferred.input]
        return {each.name: len(each.type.tensor_type.shape.dim) for each in known}

    def _quantized_rows(self, name: str) -> tuple[str, str]:
        """Return the names of a matrix as uint8 and of its scales (N, 1); once for all products."""
        if name not in self.rows:
            own = f"{name}.by_row"  # a product's output may be another one's input
            self._constant("last_axis", np.array([1], np.int64))
            self._constant("step", np.float32(1 / _WITHIN))
            self._constant("smallest", np.float32(_SMALLEST_SCALE))
            self._constant("middle", np.uint8(_MIDDLE))
            self._constant("one", np.float32(1))
            self._node("Abs", [name], f"{own}.abs")
            self._node("ReduceMax", [f"{own}.abs", "last_axis"], f"{own}.most", keepdims=0)
            self._node("Mul", [f"{own}.most", "step"], f"{own}.steps")
            self._node("Max", [f"{own}.steps", "smallest"], f"{own}.scale")
            self._node("Shape", [f"{own}.scale"], f"{own}.size")
            middle = helper.make_tensor("middle", TensorProto.UINT8, [1], [_MIDDLE])
            self._node("ConstantOfShape", [f"{own}.size"], f"{own}.middle", value=middle)
            parts = [name, f"{own}.scale", f"{own}.middle"]
            self._node("QuantizeLinear", parts, f"{own}.rows", axis=0)
            self._node("Unsqueeze", [f"{own}.scale", "last_axis"], f"{own}.scales")
            self.rows[name] = f"{own}.rows", f"{own}.scales"
        return self.rows[name]

    def _selection(self, node: NodeProto) -> bool:
        """Select rows as int8, with their scales, for a product in another graph.

        Return whether the node was the selection.
        """
        if node.op_type != "Transpose" or node.output[0] != SELECTED:
            return False
        gather = self.makers[node.input[0]]
        if self.weights[gather.input[0]].shape[1] < MIN_SIZE:
            return False
        self._gather_rows(gather, node.input[0], _WITHIN)
        self._node("Transpose", [f"{node.input[0]}.rows"], SELECTED, perm=[0, 2, 1])
        self._node("Transpose", [f"{node.input[0]}.scales"], SELECTED_SCALE, perm=[0, 2, 1])
        _declare_integers(self.graph.output)
        return True

    def _selected_product(self, node: NodeProto) -> bool:
        """Replace the product with selected rows by one in int8; return whether the node was it.

        The rows of each sentence, gathered from a matrix, are multiplied by its selection.
        """
        if node.op_type != "MatMul" or node.input[1] != SELECTED:
            return False
        gather, name = self.makers[node.input[0]], node.output[0]
        features, places = gather.input
        if _by_name(self.graph.input)[SELECTED].type.tensor_type.shape.dim[1].dim_value < MIN_SIZE:
            return False
        for each, part in zip(self._quantized_rows(features), ("rows", "scales"), strict=True):
            self._node("Gather", [each, places], f"{name}.{part}")
        parts = [f"{name}.rows", SELECTED, "one", "one", "middle"]
        self._node("MatMulIntegerToFloat", parts, f"{name}.whole", domain=_CONTRIB)
        self._node("Mul", [f"{name}.whole", SELECTED_SCALE], f"{name}.scaled")
        self._node("Mul", [f"{name}.scaled", f"{name}.scales"], name)
        _declare_integers(self.graph.input)
        return True

    def _embedding(self, node: NodeProto) -> bool:
        """Replace an embedding by one in int8; return whether the node was one."""
        if node.op_type != "Gather" or node.input[0] not in self.weights:
            return False
        table, name = self.weights[node.input[0]], node.output[0]
        if table.ndim != 2 or table.dtype != np.float32 or table.size < MIN_ELEMENTS:
            return False
        if any(each.name == SELECTED for each in self.graph.output):  # see `_selection`
            return False
        self._gather_rows(node, name, _WITHIN if self._in_shortlist(table) else _HIGHEST)
        self._node("Cast", [f"{name}.rows"], f"{name}.whole", to=TensorProto.FLOAT)
        self._node("Mul", [f"{name}.whole", f"{name}.scales"], name)
        return True

    def _gather_rows(self, node: NodeProto, name: str, highest: int) -> None:
        """Gather int8 rows up to `highest` as NAME.rows, and their scales as NAME.scales."""
        table, places = node.input
        integers, scale = _by_column(self.weights[table].T, highest)
        self._constant(f"{table}.rows", np.ascontiguousarray(integers.T))
        self._constant(f"{table}.scales", scale[:, None])
        self._node("Gather", [f"{table}.rows", places], f"{name}.rows")
        self._node("Gather", [f"{table}.scales", places], f"{name}.scales")

    def _drop_unused(self) -> None:
        """Remove nodes whose outputs are not used."""
        used = {each.name for each in self.graph.output}
        nodes = []
        for node in reversed(self.nodes):
            if used & set(node.output):
                used |= set(node.input)
                nodes.append(node)
        self.nodes = nodes[::-1]

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _constant(self, name: str, value: NDArray[np.generic] | np.generic) -> None:
        self.constants[name] = np.asarray(value)


def _by_name(values: Any) -> dict[str, Any]:
    """Return the inputs or outputs of a graph, by name."""
    return {each.name: each for each in values}


def _declare_integers(values: Any) -> None:
    """Declare the selected rows as int8, and their scales."""
    _by_name(values)[SELECTED].type.tensor_type.elem_type = TensorProto.INT8
    axes: list[str | int | None] = ["sentences", 1, "listed"]
    values.append(helper.make_tensor_value_info(SELECTED_SCALE, TensorProto.FLOAT, axes))


def _by_column(
    matrix: NDArray[np.generic], highest: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 values up to `highest` and a scale for each column, whose product approximates
    the matrix (K, N)."""
    scale = np.maximum(np.abs(matrix).max(axis=0) / highest, _SMALLEST_SCALE)
    return np.rint(matrix / scale).astype(np.int8), scale.astype(np.float32)
