"""One exported graph, and the weights that it shares with the Keras model of its preset."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnxruntime


class Graph:
    """An ONNX model that is handed its weights.

    Args:
        path: the `.onnx` file.
        places: of each weight that the file lacks, by its name: the "dataset" in `weights`, the
            order of its "axes" and its "shape".
        weights: a `model.weights.h5`.
    """

    def __init__(self, path: Path, places: Mapping[str, Any], weights: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        # A thread a photograph is faster than several threads for one, and takes less memory.
        options.intra_op_num_threads = 1
        options.enable_mem_pattern = False  # it plans for the largest batch, and keeps that
        # onnxruntime does not copy them: they must live as long as the session.
        self._weights = dict(read_weights(weights, places))
        values = map(onnxruntime.OrtValue.ortvalue_from_numpy, self._weights.values())
        options.add_external_initializers(list(self._weights), list(values))
        self._session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by their names, of the inputs by theirs; from any thread."""
        outputs = self._session.run(self._outputs, dict(inputs))
        return dict(zip(self._outputs, outputs, strict=True))


def read_weights(path: Path, places: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """The weights of a graph, each as its name and a float32 array; for arguments see `Graph`."""
    with h5py.File(path) as file:
        for name, place in places.items():
            array = file[place["dataset"]][()].transpose(place["axes"])
            yield name, np.ascontiguousarray(array, "float32").reshape(place["shape"])
