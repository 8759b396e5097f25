"""8-bit weights: what is rounded, by which scale, and what stays as it was."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from captioner.export.quantize import SMALLEST, quantize, quantize_weights

WIDE = SMALLEST // 64  # of a matrix of 64 rows that is just large enough


def model_of(nodes, weights, inputs, outputs):
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def run(model, inputs):
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)[0]


def kinds(model):
    return {tensor.name: tensor.data_type for tensor in model.graph.initializer}


def test_a_weight_is_off_by_half_a_step_of_its_channel_at_most():
    weights = np.random.default_rng(0).normal(size=(5, 7, 3)) * np.array([1, 100, 0.01])
    numbers, scales = quantize(weights.astype("float32"), axis=2)
    assert numbers.dtype == np.int8 and scales.shape == (3,)
    assert np.all(np.abs(numbers * scales - weights) <= scales / 2 * 1.001)
    assert np.all(np.abs(numbers).max(axis=(0, 1)) == 127)


def test_a_channel_of_zeros_stays_zero():
    numbers, scales = quantize(np.zeros((2, 3), "float32"), axis=0)
    assert not numbers.any() and np.isfinite(scales).all()


@pytest.mark.parametrize("small", [True, False])
def test_a_matrix_is_rounded_by_its_columns_if_it_is_large(small):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(64, WIDE - small)).astype("float32")
    matrix[:, 0] *= 1000  # one scale for all would make zeros of the other columns
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    outputs = [value("y", [1, matrix.shape[1]])]
    model = model_of([node], {"w": matrix}, [value("x", [1, 64])], outputs)
    quantize_weights(model)
    assert kinds(model) == (
        {"w": TensorProto.FLOAT}
        if small
        else {"w/int8": TensorProto.INT8, "w/scale": TensorProto.FLOAT}
    )
    x = rng.normal(size=(1, 64)).astype("float32")
    expected = x @ matrix
    tolerance = 1e-5 if small else 0.02
    np.testing.assert_allclose(
        run(model, {"x": x}) / matrix.std(0), expected / matrix.std(0), atol=64 * tolerance
    )


def test_a_matrix_that_a_loop_multiplies_by_is_rounded():
    matrix = np.random.default_rng(0).normal(size=(128, 128)).astype("float32")
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["next"]),
            helper.make_node("Identity", ["going"], ["on"]),
        ],
        "body",
        [
            value("turn", [], TensorProto.INT64),
            value("going", [], TensorProto.BOOL),
            value("state", [1, 128]),
        ],
        [value("on", [], TensorProto.BOOL), value("next", [1, 128])],
    )
    loop = helper.make_node("Loop", ["turns", "", "x"], ["y"], body=body)
    weights = {"w": matrix, "turns": np.array(2, "int64")}
    model = model_of([loop], weights, [value("x", [1, 128])], [value("y", [1, 128])])
    quantize_weights(model)
    assert kinds(model)["w/int8"] == TensorProto.INT8
    x = np.ones((1, 128), "float32")
    expected = x @ matrix @ matrix
    assert np.linalg.norm(run(model, {"x": x}) - expected) < 0.02 * np.linalg.norm(expected)


def test_an_embedding_is_rounded_by_its_words_also_as_the_last_projection():
    embedding = np.random.default_rng(0).normal(size=(WIDE, 64)).astype("float32")
    embedding[3] *= 1000
    nodes = [
        helper.make_node("Gather", ["e", "ids"], ["words"]),
        helper.make_node("Transpose", ["e"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["words", "t"], ["y"]),
    ]
    inputs = [value("ids", [2], TensorProto.INT64)]
    model = model_of(nodes, {"e": embedding}, inputs, [value("y", [2, WIDE])])
    quantize_weights(model)
    [node] = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    assert [a.i for a in node.attribute if a.name == "axis"] == [0]


def test_what_is_added_or_counted_is_not_rounded():
    weights = {
        "position": np.ones((64, WIDE), "float32"),
        "ids": np.arange(SMALLEST).reshape(64, WIDE),
    }
    nodes = [
        helper.make_node("Add", ["x", "position"], ["sum"]),
        helper.make_node("Gather", ["sum", "ids"], ["y"]),
    ]
    outputs = [value("y", [64, WIDE, WIDE])]
    model = model_of(nodes, weights, [value("x", [64, WIDE])], outputs)
    before = onnx.ModelProto()
    before.CopyFrom(model)
    quantize_weights(model)
    assert model == before
