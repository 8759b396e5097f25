"""Loading of the model of a subcommand."""

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

from captioner.cli.console import quiet_import, report
from captioner.presets import DEFAULT_PRESET, PresetError, has_graphs

if TYPE_CHECKING:
    from captioner.data.images import Source
    from captioner.generation.model import CaptionModel
    from captioner.generation.results import Caption
    from captioner.models.captioner import Captioner
    from captioner.runtime.onnx_captioner import OnnxCaptioner


def load_captioner(
    weights: str | None, threads: int | None = None
) -> "tuple[str, OnnxCaptioner | Captioner]":
    """The name of a preset and its model: the ONNX graphs if they can run, otherwise Keras.

    Args:
        weights: name or folder of a preset; None for the shipped one.
        threads: threads of the graphs; by default one per processor.

    Raises:
        PresetError: the preset cannot be read, or needs Keras, which is not installed.
    """
    preset = weights or DEFAULT_PRESET
    lacks = []
    if not has_graphs(preset):
        lacks.append("it has no graphs (`captioner export` adds them)")
    if importlib.util.find_spec("onnxruntime") is None:
        lacks.append("onnxruntime is not installed")
    if not lacks:
        from captioner.runtime.onnx_captioner import OnnxCaptioner

        return preset, OnnxCaptioner.from_preset(preset, threads)
    report(f"{preset}: uses Keras, which starts slowly: {' and '.join(lacks)}")
    with quiet_import():
        from captioner.models.captioner import Captioner
    return preset, Captioner.from_preset(preset)


def load_calibrated(
    weights: str | None, least: float | None
) -> "tuple[str, OnnxCaptioner | Captioner]":
    """`load_captioner`, with a check of the calibration if there is a minimum confidence.

    Raises:
        PresetError: also if the model has no calibration.
    """
    preset, model = load_captioner(weights)
    if least is not None and model.calibration is None:
        raise PresetError(f"{preset}: has no calibration; run `captioner calibrate` first")
    return preset, model


def captions(model: "CaptionModel", sources: "list[Source]") -> "Iterator[Caption | Exception]":
    """The caption of each photograph, or its error."""
    from captioner.data.images import load_images
    from captioner.generation.batching import stream
    from captioner.generation.samplers import Beam

    items = ((image, [None]) for image in load_images(sources, model.config.image_size))
    for found in stream(model, items, sampler=Beam()):
        yield found if isinstance(found, Exception) else found[0]
