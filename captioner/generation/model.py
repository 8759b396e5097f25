"""The common interface of all models, with or without Keras."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from captioner.data.vocabulary import Vocabulary
from captioner.generation.confidence import Calibration


class CaptionModel(Protocol):
    """A Keras model or an exported graph that can search and turn the results into text."""

    config: Any
    vocabulary: Vocabulary
    calibration: Calibration | None

    @property
    def answers(self) -> bool:
        """Whether it answers questions."""

    @property
    def steps(self) -> int:
        """T, the maximum number of tokens of a sentence, including the end token."""

    @property
    def grid(self) -> tuple[int, ...]:
        """The shape of the R attention weights of a word."""

    def encode(self, photographs: np.ndarray) -> np.ndarray:
        """The features `float[B, R, C]` of photographs `uint8[B, S, S, 3]`."""

    def search_inputs(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The inputs of `search` for B items, such as photographs."""

    def search(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The outputs of `captioner.generation.loop.Generator`, as arrays."""

    def detokenize(self, words: Sequence[str], is_answer: bool) -> str:
        """The text of words: an answer if `is_answer`, else a sentence."""
