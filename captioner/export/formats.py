"""A captioner as files for other programs, including the weights.

Each format writes the encoder and the search, and reads them again for a comparison with the Keras
model.
"""

import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path

import keras
import numpy as np
import onnx as onnx_format
import tensorflow as tf

from captioner.export import onnx
from captioner.export.equality import ExportError, agree
from captioner.export.functions import ENDPOINTS, functions_of
from captioner.models.captioner import Captioner
from captioner.runtime.graph import Graph

Run = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def write_onnx(model: Captioner, folder: Path) -> list[Run]:
    """`encoder.onnx` and `search.onnx`, for onnxruntime and others."""
    return [Graph(path, {}) for path in _save_onnx(model, folder)]


def write_openvino(model: Captioner, folder: Path) -> list[Run]:
    """`encoder.xml` and `search.xml` with a `.bin` each, for OpenVINO."""
    # With this package, OpenVINO reports its use to Intel. The only other switch is a file in the
    # home folder.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    def run(path: Path) -> Run:
        target = folder / path.with_suffix(".xml").name
        openvino.save_model(openvino.convert_model(path), target, compress_to_fp16=False)
        compiled = openvino.compile_model(target, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return lambda inputs: {o.any_name: value for o, value in compiled(dict(inputs)).items()}

    with tempfile.TemporaryDirectory() as temporary:
        return [run(path) for path in _save_onnx(model, Path(temporary))]


def write_litert(model: Captioner, folder: Path) -> list[Run]:
    """`captioner.tflite` with the signatures "encoder" and "search", for LiteRT."""
    with tempfile.TemporaryDirectory() as temporary:
        write_saved_model(model, Path(temporary))
        converter = tf.lite.TFLiteConverter.from_saved_model(temporary, signature_keys=ENDPOINTS)
        path = folder / "captioner.tflite"
        path.write_bytes(converter.convert())
    with warnings.catch_warnings(action="ignore"):  # about the future package of the interpreter
        interpreter = tf.lite.Interpreter(str(path))

    def run(name: str) -> Run:
        runner = interpreter.get_signature_runner(name)
        return lambda inputs: runner(**inputs)

    return [run(name) for name in ENDPOINTS]


def write_saved_model(model: Captioner, folder: Path) -> list[Run]:
    """A SavedModel with the endpoints "encoder" and "search", for TensorFlow Serving and others."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, function in zip(ENDPOINTS, functions_of(model), strict=True):
        archive.add_endpoint(name, function)
    archive.write_out(folder, verbose=False)
    loaded = tf.saved_model.load(str(folder))

    def run(name: str) -> Run:
        def run_loaded(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            tensors = {name: tf.constant(array) for name, array in inputs.items()}
            outputs = loaded.signatures[name](**tensors)
            return {name: tensor.numpy() for name, tensor in outputs.items()}

        return run_loaded

    return [run(name) for name in ENDPOINTS]


FORMATS: dict[str, Callable[[Captioner, Path], list[Run]]] = {
    "onnx": write_onnx,
    "openvino": write_openvino,
    "litert": write_litert,
    "saved-model": write_saved_model,
}


def export(preset: str | PathLike[str], format: str, output: str | PathLike[str]) -> float:
    """Write a preset in a format of `FORMATS` to a folder, after a comparison with the Keras model.

    Returns:
        The greatest difference of a log-probability, see `agree`.

    Raises:
        PresetError: the preset cannot be read.
        ExportError: the written files do not agree with the model, or the folder exists.
        ModuleNotFoundError: the format needs a package that is not installed.
    """
    output = Path(output)
    if output.exists():
        raise ExportError(f"{output}: already exists; choose a new folder")
    output.parent.mkdir(parents=True, exist_ok=True)
    model = Captioner.from_preset(preset)
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        encoder, search = FORMATS[format](model, new)
        difference = agree(model, lambda p: encoder({"photographs": p})["features"], search)
        new.replace(output)
    return difference


def _save_onnx(model: Captioner, folder: Path) -> list[Path]:
    paths = []
    for name, function in zip(ENDPOINTS, functions_of(model), strict=True):
        paths.append(folder / f"{name}.onnx")
        onnx_format.save(onnx.convert(function, name), paths[-1])
    return paths
