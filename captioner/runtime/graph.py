"""An exported graph with the weights of its preset.

This is the only module that imports onnxruntime.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from captioner.runtime.processes import PerProcess

# Before the import: otherwise onnxruntime writes an identifier of this computer into the home
# folder and sends telemetry to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime  # noqa: E402


class Graph:
    """An ONNX model.

    Args:
        path: the `.onnx` file.
        weights: the weights that are not in the file, by name.

    Attributes:
        inputs: the shape of each input, by name. A dynamic size is a text.
        outputs: likewise.
    """

    def __init__(self, path: Path, weights: Mapping[str, np.ndarray]) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        # One thread for each photograph is faster than several for one, and needs less memory.
        options.intra_op_num_threads = 1
        options.enable_mem_pattern = False  # it keeps memory for the largest batch
        # onnxruntime does not copy them: they must live as long as the session.
        self._weights = dict(weights)
        values = map(onnxruntime.OrtValue.ortvalue_from_numpy, self._weights.values())
        options.add_external_initializers(list(self._weights), list(values))
        graph, providers = path.read_bytes(), ["CPUExecutionProvider"]
        self._session = PerProcess(
            lambda: onnxruntime.InferenceSession(graph, options, providers=providers)
        )
        session = self._session()
        self.inputs = {item.name: item.shape for item in session.get_inputs()}
        self.outputs = {item.name: item.shape for item in session.get_outputs()}

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph: from inputs to outputs, both by name. Safe in any thread."""
        outputs = self._session().run(list(self.outputs), dict(inputs))
        return dict(zip(self.outputs, outputs, strict=True))


def read_weights(path: Path, places: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Read the weights of a graph from a `model.weights.h5`.

    Args:
        path: the file.
        places: of each weight, by its name: the "dataset" in the file, the order of its "axes" and
            its "shape".

    Returns:
        An array `float32` of that shape for each name.
    """
    weights = {}
    with h5py.File(path) as file:
        for name, place in places.items():
            array = file[place["dataset"]][()].transpose(place["axes"])
            weights[name] = np.ascontiguousarray(array, "float32").reshape(place["shape"])
    return weights
