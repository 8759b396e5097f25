"""Bootstrap intervals of scores, over photographs.

A score is a function of sums over captions or answers: of n-gram counts for BLEU, of values for a
mean. A resample draws all N photographs with replacement and computes the score of these sums
(Efron and Tibshirani, "An Introduction to the Bootstrap", 1993). The questions about a photograph
are drawn together, because their answers depend on each other. The document frequencies of CIDEr
stay the same.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95
SEED = 0

Interval = tuple[float, float]


def ratio(sums: np.ndarray) -> np.ndarray:
    """The ratio of two sums `float[..., 2]`."""
    return sums[..., 0] / sums[..., 1]


@dataclass(frozen=True)
class Measure:
    """A score and its terms.

    Attributes:
        rows: the F terms of each caption or answer, by id.
        function: from sums `float[..., F]` to scores `float[...]`.
    """

    rows: Mapping[Hashable, Sequence[float]]
    function: Callable[[np.ndarray], np.ndarray] = ratio

    @classmethod
    def mean(cls, values: Mapping[Hashable, float]) -> Self:
        """The mean of values by their ids."""
        return cls({i: (value, 1.0) for i, value in values.items()})

    @property
    def value(self) -> float:
        """The score over all rows."""
        return float(self.function(np.sum(list(self.rows.values()), axis=0)))


class Bootstrap:
    """Resamples of photographs. All measures share them, so differences are paired.

    Args:
        photographs: the photograph of each caption or answer, by id.
    """

    def __init__(self, photographs: Mapping[Hashable, Hashable]) -> None:
        numbers = {name: i for i, name in enumerate(dict.fromkeys(photographs.values()))}
        self._numbers = {i: numbers[name] for i, name in photographs.items()}
        self.count = len(numbers)
        even = np.full(self.count, 1 / self.count)
        times = np.random.default_rng(SEED).multinomial(self.count, even, RESAMPLES)
        self._times = times.astype(float)  # count of each photograph, [RESAMPLES, P]

    def interval(self, measure: Measure) -> Interval:
        """The central interval with `LEVEL` of the resampled scores."""
        return _middle(self._scores(measure))

    def difference(self, measure: Measure, other: Measure) -> Interval:
        """The interval of the difference of two measures of the same photographs."""
        return _middle(self._scores(measure) - self._scores(other))

    def _scores(self, measure: Measure) -> np.ndarray:
        """The resampled scores `float[RESAMPLES]`. NaN if a resample contains no row."""
        rows = np.array(list(measure.rows.values()), float)
        sums = np.zeros((self.count, rows.shape[1]))
        np.add.at(sums, [self._numbers[i] for i in measure.rows], rows)
        with np.errstate(invalid="ignore"):
            return measure.function(self._times @ sums)


def _middle(scores: np.ndarray) -> Interval:
    outside = (1 - LEVEL) / 2
    low, high = np.nanquantile(scores, [outside, 1 - outside])
    return float(low), float(high)
