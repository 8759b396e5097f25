"""The captioner of a preset, without Keras."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np

from captioner import presets
from captioner.data.tokenizer import phrase, sentence
from captioner.data.vocabulary import Vocabulary
from captioner.generation.photographs import WritesAboutPhotographs
from captioner.models.config import CaptionerConfig
from captioner.presets import PresetError
from captioner.runtime.graph import Graph


class OnnxCaptioner(WritesAboutPhotographs):
    """Writes what the Keras `Captioner` of the same preset writes, and is there in an instant.

    It has the same `caption`, `answer` and `sample`; it cannot be trained.

    Args:
        folder: a preset with graphs; see `from_preset`.

    Example:
        >>> model = OnnxCaptioner.from_preset("everyday")
        >>> model.caption("photo.jpg").text
    """

    def __init__(self, folder: Path) -> None:
        self.config = presets.read_config(folder, CaptionerConfig)
        self.vocabulary = Vocabulary.load(folder / presets.VOCABULARY)
        about = json.loads((folder / presets.GRAPHS).read_text(encoding="utf-8"))
        self.grid = tuple(about["grid"])
        self._encoder, self._search = (
            Graph(folder / name, about["weights"][name], folder / presets.WEIGHTS)
            for name in (presets.ENCODER_GRAPH, presets.SEARCH_GRAPH)
        )

    @classmethod
    def from_preset(cls, preset: str | PathLike[str]) -> Self:
        """Load a preset, by its name or its folder, that `captioner export` has given graphs.

        Raises:
            PresetError: a preset that is missing, has no graphs, or whose files are not the ones
                that it lists.
        """
        if not presets.has_graphs(preset):
            raise PresetError(f"{preset}: has no graphs; `captioner export` makes them")
        return cls(presets.verified(preset, (*presets.FILES, *presets.GRAPH_FILES)))

    @property
    def answers(self) -> bool:
        """Whether it can be asked."""
        return bool(self.config.question_units)

    @property
    def steps(self) -> int:
        """T, the number of tokens of the longest sentence written, its end token included."""
        return self.config.max_words + 1

    def encode(self, photographs: np.ndarray) -> np.ndarray:
        """The features `float[B, R, C]` of photographs `uint8[B, S, S, 3]`."""
        return self._encoder({"photographs": photographs})["features"]

    def search(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What `captioner.generation.loop.Generator` writes, of arrays as arrays."""
        return self._search(inputs)

    def detokenize(self, words: Sequence[str], asked: bool) -> str:
        """The text of words written: an answer where a question was `asked`, else a sentence."""
        return phrase(words) if asked else sentence(words)
