"""Quantized products compared with NumPy, nodes that stay unchanged, and shared weights."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from attn_cli.export import graph_files, quantize

K, N = 96, 80  # both above quantize.MIN_SIZE
MAX_INTEGER = 90  # integer in a product: 2 · 180 · 90 still fits 16 bits


def random(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def model_of(*nodes, rank=2, dtype=TensorProto.FLOAT, **constants):
    """Return a graph from `x`, all of whose axes are dynamic, to `y`."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", dtype, list("abc")[:rank])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def run(model, x, *outputs):
    content = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    values = session.run(list(outputs) or ["y"], {"x": x})
    return values if outputs else values[0]


def op_types(model):
    return [node.op_type for node in model.graph.node]


def constants(model):
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def product(weight, **options):
    return model_of(helper.make_node("MatMul", ["x", "w"], ["y"]), w=weight, **options)


def steps(matrix, axis):
    """The width of one integer's step, for each row or each column."""
    return np.abs(matrix).max(axis, keepdims=True) / MAX_INTEGER


# Products


def test_the_error_of_a_product_is_at_most_half_a_step_of_each_factor():
    x, w = random(7, K), random(K, N, seed=2) * random(1, N, seed=3)
    model = quantize.quantize_graph(product(w))
    assert "MatMulIntegerToFloat" in op_types(model)
    half_x, half_w = steps(x, 1) / 2, steps(w, 0) / 2
    bound = (
        np.abs(x).sum(1, keepdims=True) * half_w + half_x * np.abs(w).sum(0) + K * half_x * half_w
    )
    error = np.abs(run(model, x) - x @ w)
    assert (error <= bound * 1.001).all()
    assert error.max() > 0


def test_a_product_equals_that_of_the_rounded_matrices():
    x, w = random(7, K), random(K, N, seed=2)
    expected = np.rint(x / steps(x, 1)) @ np.rint(w / steps(w, 0)) * steps(x, 1) * steps(w, 0)
    result = run(quantize.quantize_graph(product(w)), x)
    # A value halfway between two steps may round either way.
    assert np.isclose(result, expected, atol=1e-4).mean() > 0.99


def test_a_linear_layer_keeps_its_bias_and_its_transposed_weights():
    x, w, b = random(4, K), random(N, K, seed=2), random(N, seed=3) * 100
    layer = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    result = run(quantize.quantize_graph(model_of(layer, w=w, b=b)), x)
    np.testing.assert_allclose(result, x @ w.T + b, atol=1)


def test_the_result_of_a_row_does_not_depend_on_the_other_rows():
    x = random(40, K) * np.logspace(-3, 3, 40, dtype=np.float32)[:, None]
    model = quantize.quantize_graph(product(random(K, N, seed=2)))
    batch = run(model, x)
    for row, expected in zip(x, batch, strict=True):
        assert (run(model, row[None])[0] == expected).all()


def test_a_row_of_zeros_gives_zeros():
    result = run(quantize.quantize_graph(product(random(K, N))), np.zeros((2, K), np.float32))
    assert (result == 0).all()


def test_the_result_of_a_product_may_be_a_factor_of_another():
    """Each factor of each product has its own scales."""
    x, u, v = random(7, K), random(K, N, seed=2), random(N, K, seed=3)
    first = helper.make_node("MatMul", ["x", "u"], ["between"])
    second = helper.make_node("MatMul", ["between", "v"], ["y"])
    model = quantize.quantize_graph(model_of(first, second, u=u, v=v))
    assert op_types(model).count("MatMulIntegerToFloat") == 2
    expected = x @ u @ v
    assert np.abs(run(model, x) - expected).max() < 0.03 * np.abs(expected).max()


def test_the_sum_of_two_products_fits_16_bits():
    """Processors without VNNI add two products and clamp the sum, which would change the result."""
    x, w = np.full((1, K), 3, np.float32), np.full((K, N), -2, np.float32)
    model = quantize.quantize_graph(product(w))
    model.graph.output.append(
        helper.make_tensor_value_info("x.by_row.rows", TensorProto.UINT8, None)
    )
    result, rows = run(model, x, "y", "x.by_row.rows")
    integers = constants(model)["y.weight"].astype(int)
    assert 2 * int(rows.max()) * np.abs(integers).max() < 2**15
    np.testing.assert_allclose(result, x @ w, rtol=1e-6)


def test_the_rows_of_a_matrix_are_rounded_once_for_all_its_products():
    nodes = [helper.make_node("MatMul", ["x", name], [f"{name}x"]) for name in "vw"]
    total = helper.make_node("Add", ["vx", "wx"], ["y"])
    model = quantize.quantize_graph(model_of(*nodes, total, v=random(K, N), w=random(K, N, seed=2)))
    assert op_types(model).count("MatMulIntegerToFloat") == 2
    assert op_types(model).count("QuantizeLinear") == 1


# Embeddings


def test_an_embedding_is_within_half_a_step_of_its_row():
    table = random(100, 64) * np.logspace(-2, 2, 100, dtype=np.float32)[:, None]
    table[0] = 0
    look_up = helper.make_node("Gather", ["table", "x"], ["y"])
    model = quantize.quantize_graph(model_of(look_up, dtype=TensorProto.INT64, table=table))
    assert constants(model)["table.rows"].dtype == np.int8
    ids = np.array([[0, 5], [99, 5]])
    half_step = np.abs(table).max(1, keepdims=True)[ids] / 127 / 2
    assert (np.abs(run(model, ids) - table[ids]) <= half_step * 1.001).all()


def test_a_table_for_a_shortlist_is_stored_by_rows_and_gives_the_same_products():
    x, w = random(4, K), random(N, K, seed=2)
    layer = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    by_columns = quantize.quantize_graph(model_of(layer, w=w))
    by_rows = quantize.quantize_graph(model_of(layer, w=w), w)
    assert constants(by_rows)["y.rows"].shape == w.shape
    np.testing.assert_array_equal(constants(by_rows)["y.rows"].T, constants(by_columns)["y.weight"])
    np.testing.assert_array_equal(run(by_rows, x), run(by_columns, x))


# Nodes that stay unchanged


@pytest.mark.parametrize("shape", [(K, quantize.MIN_SIZE - 1), (quantize.MIN_SIZE - 1, N)])
def test_a_small_matrix_is_not_quantized(shape):
    model = quantize.quantize_graph(product(random(*shape)))
    assert set(op_types(model)) <= {"MatMul", "Cast"}


def test_a_product_of_rank_3_stays_in_floating_point():
    w = random(K, N)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = quantize.quantize_graph(model_of(node, rank=3, w=w))
    assert set(op_types(model)) == {"MatMul", "Cast"}
    x = random(2, 3, K)
    np.testing.assert_allclose(run(model, x), x @ w.astype(np.float16), atol=1e-4)


def test_the_weights_of_a_gru_are_stored_in_fp16_and_cast_to_fp32():
    width = 40
    names = ["x", "w", "r"]
    node = helper.make_node("GRU", names, ["", "last"], hidden_size=width, linear_before_reset=1)
    flat = helper.make_node("Squeeze", ["last", "axis"], ["y"])
    weights = {"w": random(1, 3 * width, width), "r": random(1, 3 * width, width, seed=2) / 9}
    original = model_of(node, flat, rank=3, axis=np.array([0]), **weights)
    model = quantize.quantize_graph(original)
    assert op_types(model) == ["Cast", "Cast", "GRU", "Squeeze"]
    large_constants = [
        value for value in constants(model).values() if value.size >= quantize.MIN_ELEMENTS
    ]
    assert [value.dtype for value in large_constants] == [np.float16, np.float16]
    x = random(5, 2, width)
    np.testing.assert_allclose(run(model, x), run(original, x), atol=5e-3)


def test_the_input_graph_is_not_changed():
    model = product(random(K, N))
    before = model.SerializeToString()
    quantize.quantize_graph(model)
    graph_files.SharedWeights("weights.bin").without_weights(model)
    assert model.SerializeToString() == before


# One file of weights for several graphs


def test_weights_that_two_graphs_share_are_in_the_file_once(tmp_path):
    x, w = random(3, K), random(K, N)
    other = random(K, N, seed=2)
    shared = graph_files.SharedWeights("weights.bin")
    for name, model in (("a", product(w)), ("b", product(w.copy())), ("c", product(other))):
        onnx.save(shared.without_weights(model), tmp_path / f"{name}.onnx")
    (tmp_path / "weights.bin").write_bytes(shared.data())
    assert len(shared.data()) == 2 * w.nbytes
    for name, weight in (("a", w), ("b", w), ("c", other)):
        np.testing.assert_allclose(run(str(tmp_path / f"{name}.onnx"), x), x @ weight, atol=1e-4)


def test_small_constants_stay_in_the_graph():
    layer = helper.make_node("Gemm", ["x", "w", "b"], ["y"])
    model = graph_files.SharedWeights("weights.bin").without_weights(
        model_of(layer, w=random(K, N), b=random(N))
    )
    external = {each.name for each in model.graph.initializer if each.external_data}
    assert external == {"w"}
