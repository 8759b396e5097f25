"""Beam search, greedy search (a beam of width 1) and random sampling.

A sampler only provides inputs for the loop (`captioner.generation.loop`). So one compilation or
one exported graph serves all samplers.
"""

from dataclasses import dataclass

import numpy as np

from captioner.generation import BEAM_WIDTH

Seed = int | np.random.Generator | None


@dataclass(frozen=True)
class Beam:
    """Beam search with `width` beams. 1 is greedy search."""

    width: int = BEAM_WIDTH

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"a beam width is 1 or more, not {self.width}")

    def inputs(self, steps: int, groups: int, seed: Seed = None) -> dict[str, np.ndarray]:
        """The inputs of the loop, see `Sampling.inputs`. All random numbers are 0."""
        return _inputs(np.zeros((steps, groups, self.width)), temperature=0.0, top_p=1.0)


@dataclass(frozen=True)
class Sampling:
    """Sample `width` independent sequences, word by word."""

    temperature: float = 1.0
    top_p: float = 1.0
    width: int = 1

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 < self.top_p <= 1 or self.width < 1:
            raise ValueError(
                "sampling takes a temperature above 0, a top_p above 0 and up to 1, and 1 or more "
                f"samples, not {self.temperature}, {self.top_p} and {self.width}"
            )

    def inputs(self, steps: int, groups: int, seed: Seed = None) -> dict[str, np.ndarray]:
        """The inputs of the loop.

        Args:
            steps: T, the maximum number of tokens.
            groups: G, the number of captions or answers.
            seed: an integer, None for new numbers each time, or a `numpy.random.Generator`.

        Returns:
            A dict of "uniform" `float32[T, G, K]`, random numbers in [0, 1) where K is the width,
            and "temperature" and "top_p" `float32[]`. A temperature of 0 means beam search.
        """
        # The numbers of a group depend on its index, not on the number of groups.
        drawn = np.random.default_rng(seed).random((groups, steps, self.width), "float32")
        return _inputs(drawn.transpose(1, 0, 2), self.temperature, self.top_p)


def _inputs(uniform: np.ndarray, temperature: float, top_p: float) -> dict[str, np.ndarray]:
    return {
        "uniform": np.ascontiguousarray(uniform, "float32"),
        "temperature": np.array(temperature, "float32"),
        "top_p": np.array(top_p, "float32"),
    }
