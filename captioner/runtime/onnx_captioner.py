"""The captioner of a preset, without Keras."""

import json
import operator
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from captioner import presets
from captioner.generation.confidence import Calibration
from captioner.models.config import CaptionerConfig
from captioner.models.photographs import PhotographMixin
from captioner.presets import PresetError
from captioner.runtime.graph import Graph, read_weights
from captioner.runtime.processes import PerProcess

SEARCHED = 8  # photographs that a thread searches together


class OnnxCaptioner(PhotographMixin):
    """Writes the same captions as the Keras `Captioner` of the preset, and loads much faster.

    It has the same `caption`, `answer` and `sample`, but cannot be trained.

    Args:
        folder: of a preset with graphs; see `from_preset`.
        calibration: of its confidence, if there is one.
        threads: by default one for each processor.

    Examples:
        >>> model = OnnxCaptioner.from_preset("everyday")
        >>> model.caption("photo.jpg").text
    """

    def __init__(
        self, folder: Path, calibration: Calibration | None = None, threads: int | None = None
    ) -> None:
        self.config = presets.read_config(folder, CaptionerConfig.from_json)
        self.vocabulary = presets.read_vocabulary(folder)
        self.calibration = calibration
        self._made_of = folder.resolve(), calibration, threads
        self._pool = PerProcess(lambda: ThreadPoolExecutor(threads or os.cpu_count()))
        try:
            about = json.loads((folder / presets.GRAPHS).read_text(encoding="utf-8"))
            self.grid = tuple(map(operator.index, about["grid"]))
            weights = folder / presets.WEIGHTS
            self._encoder, self._search = (
                Graph(folder / name, read_weights(weights, about["weights"][name]))
                for name in (presets.ENCODER_GRAPH, presets.SEARCH_GRAPH)
            )
            self._check(weights)
        except Exception as error:  # onnxruntime raises many types
            line = " ".join(str(error).split())[:200]
            raise PresetError(
                f"{folder}: its graphs do not fit ({line}); `captioner export` writes new ones"
            ) from error

    @classmethod
    def from_preset(cls, preset: str | PathLike[str], threads: int | None = None) -> Self:
        """Load a preset with graphs, by name or folder. `captioner export` adds graphs.

        Raises:
            PresetError: the preset is missing, has no graphs, or has files with other hashes.
        """
        if not presets.has_graphs(preset):
            raise PresetError(f"{preset}: has no graphs; `captioner export` adds them")
        folder = presets.verified(preset, (*presets.FILES, *presets.GRAPH_FILES))
        return cls(folder, presets.read_calibration(preset), threads)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the folder of the preset, which must exist where the captioner is unpickled."""
        return type(self), self._made_of

    def _check(self, weights: Path) -> None:
        """Compare the files of the preset with the graphs.

        Raises:
            ValueError: they do not match.
        """
        inputs = self._encoder.inputs | self._search.inputs
        with h5py.File(weights) as file:
            words = len(file["decoder/embedding/vars/0"])
        rows, columns = self.grid
        pairs = {
            "image_size": (self.config.image_size, inputs["photographs"][1]),
            "max_words": (self.config.max_words, inputs["uniform"][0] - 1),
            "questions": (self.answers, "questions" in inputs),
            "grid": (rows > 0 and rows * columns, self._search.outputs["attention"][-1]),
            "words": (len(self.vocabulary), words),
        }
        if self.answers:
            pairs["max_question_words"] = (self.config.max_question_words, inputs["questions"][-1])
        if self.calibration and self.calibration.photograph:  # a constant, then the channels
            channels = self._encoder.outputs["features"][-1]
            pairs["calibration"] = (len(self.calibration.photograph) - 1, channels)
        for name, (recorded, found) in pairs.items():
            if recorded != found:
                raise ValueError(f"{name}: the preset says {recorded}, its graphs {found}")

    def encode(self, photographs: np.ndarray) -> np.ndarray:
        """The features `float[B, R, C]` of photographs `uint8[B, S, S, 3]`."""
        parts = [photographs[i : i + 1] for i in range(len(photographs))]
        encoded = self._pool().map(lambda part: self._encoder({"photographs": part}), parts)
        return np.concatenate([outputs["features"] for outputs in encoded])

    def search(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of `captioner.generation.loop.Generator`, as arrays."""
        rows, groups = len(inputs["features"]), inputs["uniform"].shape[1]

        def search_part(start: int) -> dict[str, np.ndarray]:
            part = slice(start, start + SEARCHED)
            columns = slice(part.start * groups // rows, part.stop * groups // rows)
            some = {
                name: inputs[name][part] for name in ("features", "questions") if name in inputs
            }
            return self._search({**inputs, **some, "uniform": inputs["uniform"][:, columns]})

        found = list(self._pool().map(search_part, range(0, rows, SEARCHED)))
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}
