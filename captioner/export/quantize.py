"""8-bit weights, with a scale for each output channel of a matrix; arithmetic stays float32."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

SMALLEST = 8192  # numbers; smaller weights stay float32
GREATEST = 127  # of int8, symmetric


def quantize_weights(model: onnx.ModelProto) -> None:
    """Store the large matrices of a graph as int8. DequantizeLinear converts them to float32.

    Only weights of convolutions, of matrix products and of embeddings are changed.
    """
    uses = _uses(model.graph)
    dequantized = []
    for tensor in list(model.graph.initializer):
        axis = _channel_axis(uses.get(tensor.name, set()), len(tensor.dims))
        if axis is None or np.prod(tensor.dims) < SMALLEST:
            continue
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        numbers, scales = quantize(numpy_helper.to_array(tensor), axis)
        name, parts = tensor.name, [f"{tensor.name}/int8", f"{tensor.name}/scale"]
        dequantized.append(helper.make_node("DequantizeLinear", parts, [name], axis=axis))
        tensor.CopyFrom(numpy_helper.from_array(numbers, parts[0]))
        model.graph.initializer.append(numpy_helper.from_array(scales, parts[1]))
    nodes = [*dequantized, *model.graph.node]  # inputs come first
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)


def quantize(weights: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Round weights to `int8` of the same shape, with scales `float32[C]` for the C channels of an
    axis: a weight is its number times the scale of its channel."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    greatest = np.abs(weights).max(axis=others, keepdims=True)
    scales = np.where(greatest > 0, greatest / GREATEST, 1).astype("float32")
    return np.rint(weights / scales).astype("int8"), scales.reshape(-1)


def _channel_axis(uses: set[str], rank: int) -> int | None:
    """The axis of the output channels of a weight. None if it is no matrix."""
    if rank < 2 or not uses <= {"Conv", "Gather", "MatMul", "Transpose"}:
        return None
    # An embedding has a channel for each word, even if its transpose is the output projection.
    return rank - 1 if uses == {"MatMul"} else 0


def _uses(graph: onnx.GraphProto) -> dict[str, set[str]]:
    """The types of the nodes that read each tensor, including nodes in loops and branches."""
    uses: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            uses.setdefault(name, set()).add(node.op_type)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                for name, types in _uses(attribute.g).items():
                    uses.setdefault(name, set()).update(types)
    return uses
