"""The interface of every model that writes, with Keras or without."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from captioner.data.vocabulary import Vocabulary
from captioner.generation.confidence import Calibration


class CaptionModel(Protocol):
    """A Keras model, or an exported graph: a search, and what makes text of its results."""

    config: Any
    vocabulary: Vocabulary
    calibration: Calibration | None

    @property
    def answers(self) -> bool:
        """Whether it answers questions."""

    @property
    def steps(self) -> int:
        """T, the number of tokens of the longest sentence written, its end token included."""

    @property
    def grid(self) -> tuple[int, ...]:
        """The shape in which the R attention weights of a word are given."""

    def encode(self, photographs: np.ndarray) -> np.ndarray:
        """The features `float[B, R, C]` of photographs `uint8[B, S, S, 3]`, if it reads those."""

    def search_inputs(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The inputs of `search` for B items that the model reads, such as photographs."""

    def search(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The outputs of `captioner.generation.loop.Generator`, of arrays as arrays."""

    def detokenize(self, words: Sequence[str], is_answer: bool) -> str:
        """The text of words: an answer if `is_answer`, else a sentence."""
