"""The graphs of a preset."""

from os import PathLike
from pathlib import Path

import onnx as onnx_format

from captioner import presets
from captioner.export import onnx
from captioner.export.equality import agree
from captioner.export.functions import functions_of
from captioner.models.captioner import Captioner
from captioner.runtime.onnx_captioner import OnnxCaptioner


def add_graphs(preset: str | PathLike[str]) -> float:
    """Add the graphs for `OnnxCaptioner` to a preset, after a comparison with the Keras model.

    Returns:
        The greatest difference of a log-probability, see `agree`.

    Raises:
        PresetError: the preset cannot be read.
        ExportError: the graphs do not agree with the model.
    """
    folder = presets.verified(preset)
    model = Captioner.from_preset(preset)
    with presets.replacement(folder) as new:
        places = {}
        names = (presets.ENCODER_GRAPH, presets.SEARCH_GRAPH)
        for name, function in zip(names, functions_of(model), strict=True):
            converted = onnx.convert(function, Path(name).stem)
            lean, places[name] = onnx.without_weights(converted, folder / presets.WEIGHTS)
            onnx_format.save(lean, new / name)
        presets.write_json(new / presets.GRAPHS, {"grid": model.grid, "weights": places})
        for name in presets.FILES:
            (new / name).symlink_to((folder / name).resolve())
        exported = OnnxCaptioner(new)
        difference = agree(model, exported.encode, exported.search)
        for name in presets.FILES:
            (new / name).unlink()
        metadata = presets.read_metadata(preset)
        metadata["sha256"] |= {name: presets.sha256(new / name) for name in presets.GRAPH_FILES}
        presets.write_json(new / presets.METADATA, metadata)
    return difference
