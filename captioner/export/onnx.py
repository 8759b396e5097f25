"""ONNX: graphs that onnxruntime runs without TensorFlow.

The graph of a preset contains no weights. It names the place of each in `model.weights.h5`, so a
preset has one set of weights.
"""

import hashlib
from collections.abc import Iterator
from os import PathLike
from typing import Any

import h5py
import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tf2onnx import optimizer
from tf2onnx.tfonnx import process_tf_graph

from captioner import presets

OPSET = 18
SMALL = 256  # numbers; smaller constants stay in the graph


def convert(function: Any, name: str) -> onnx.ModelProto:
    """Convert a `tf.function` with a signature, which returns a dict, to an ONNX model.

    The inputs have the names of the signature, the outputs have the keys of the dict.
    """
    constant = frozen(function)
    definition = constant.graph.as_graph_def(add_shapes=True)
    for inner in definition.library.function:
        for argument in inner.arg_attr.values():
            # The shapes of tensors in the loop are valid for the first iteration only.
            argument.attr.pop("_output_shapes", None)
    inputs = [tensor.name for tensor in constant.inputs]
    outputs = [tensor.name for tensor in constant.outputs]
    names = {tensor: tensor.split(":")[0] for tensor in inputs}
    names |= dict(
        zip(outputs, sorted(function.get_concrete_function().structured_outputs), strict=True)
    )
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        converted = process_tf_graph(
            graph,
            opset=OPSET,
            input_names=inputs,
            output_names=outputs,
            tensors_to_rename=names,
        )
    model = optimizer.optimize_graph(converted).make_model(name)
    lift_invariants(model.graph)
    onnx.checker.check_model(model)
    return model


def frozen(function: Any) -> Any:
    """The concrete function of a `tf.function`, with constants for variables."""
    return convert_variables_to_constants_v2(
        function.get_concrete_function(), lower_control_flow=False, aggressive_inlining=False
    )


def lift_invariants(graph: onnx.GraphProto) -> None:
    """Let the body of a loop read invariant tensors, such as weights, keys and annotations, from
    outside. TensorFlow passes them from iteration to iteration, and onnxruntime would copy them."""
    for loop in (node for node in graph.node if node.op_type == "Loop"):
        body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
        made = {output: node for node in body.node for output in node.output}
        used = {name for node in graph.node for name in node.input}
        used |= {output.name for output in graph.output}

        def root(name: str, made: dict[str, onnx.NodeProto] = made) -> str:
            while name in made and made[name].op_type == "Identity":
                name = made[name].input[0]
            return name

        kept, outside = [], {}
        for i, result in enumerate(loop.output[: len(loop.input) - 2]):
            inner, outer = body.input[i + 2].name, body.output[i + 1].name
            if root(outer) == inner and result not in used:
                outside[inner] = loop.input[i + 2]
            else:
                kept.append(i)
        _rename_inputs(body, outside)
        _keep(body.input, [0, 1, *(i + 2 for i in kept)])
        _keep(body.output, [0, *(i + 1 for i in kept)])
        _keep(loop.input, [0, 1, *(i + 2 for i in kept)])
        _keep(loop.output, kept)


def _rename_inputs(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename_inputs(attribute.g, names)


def _keep(items: Any, indices: list[int]) -> None:
    kept = [items[i] for i in indices]
    del items[:]
    items.extend(kept)


def without_weights(
    model: onnx.ModelProto, path: str | PathLike[str]
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Remove the weights that are also in a file.

    Args:
        model: the result of `convert` for a captioner with these weights.
        path: the `model.weights.h5` of the captioner.

    Returns:
        The model, and the places for `captioner.runtime.graph.read_weights`.
    """
    known: dict[bytes, tuple[str, list[int]]] = {}
    with h5py.File(path) as file:
        names: list[str] = []
        file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        for name in names:
            for axes, view in _views(np.asarray(file[name], "float32")):
                known.setdefault(_key(view), (name, axes))
    lean = onnx.ModelProto()
    lean.CopyFrom(model)
    places = {}
    for tensor in lean.graph.initializer:
        if np.prod(tensor.dims) <= SMALL or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        key = _key(numpy_helper.to_array(tensor).reshape(-1))
        if key not in known:
            continue
        name, axes = known[key]
        places[tensor.name] = {"dataset": name, "axes": axes, "shape": list(tensor.dims)}
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        # onnxruntime does not read this file: it receives the weights as arrays.
        tensor.external_data.add(key="location", value=presets.WEIGHTS)
    return lean, places


def _views(array: np.ndarray) -> Iterator[tuple[list[int], np.ndarray]]:
    """The orders of axes of a weight in a graph: unchanged, or for convolutions channels first."""
    yield list(range(array.ndim)), array.reshape(-1)
    if array.ndim == 4:
        for axes in ([3, 2, 0, 1], [2, 3, 0, 1]):
            yield axes, array.transpose(axes).reshape(-1)


def _key(array: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
