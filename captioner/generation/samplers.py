"""How words are chosen: by beam search, of which greedy search is the narrowest, or by drawing.

A sampler is nothing but the inputs that it gives to the loop (`captioner.generation.loop`),
so that one compilation, or one exported graph, serves all of them.
"""

from dataclasses import dataclass

import numpy as np

from captioner.generation import BEAM_WIDTH

Seed = int | np.random.Generator | None


@dataclass(frozen=True)
class Beam:
    """Beam search: the `width` best beginnings go on; 1 is greedy search."""

    width: int = BEAM_WIDTH

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"a beam is 1 wide or more, not {self.width}")

    def inputs(self, steps: int, groups: int, seed: Seed = None) -> dict[str, np.ndarray]:
        """What the loop is told; see `Sampling.inputs`. Nothing is drawn: the numbers are 0."""
        return _inputs(np.zeros((steps, groups, self.width)), temperature=0.0, top_p=1.0)


@dataclass(frozen=True)
class Sampling:
    """`width` sequences drawn word by word, each on its own."""

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
        """What the loop is told.

        Args:
            steps: T, the most tokens of a sequence.
            groups: G, of how many things is written.
            seed: an integer for numbers that repeat, None for others each time, or a
                `numpy.random.Generator` that goes on.

        Returns:
            A dict of "uniform" `float32[T, G, K]`, random numbers in [0, 1), of which K is the
            width; and "temperature" and "top_p", `float32[]`. A temperature of 0 is beam search.
        """
        # What a group draws depends on its place, not on how many others there are.
        drawn = np.random.default_rng(seed).random((groups, steps, self.width), "float32")
        return _inputs(drawn.transpose(1, 0, 2), self.temperature, self.top_p)


def _inputs(uniform: np.ndarray, temperature: float, top_p: float) -> dict[str, np.ndarray]:
    return {
        "uniform": np.ascontiguousarray(uniform, "float32"),
        "temperature": np.array(temperature, "float32"),
        "top_p": np.array(top_p, "float32"),
    }
