"""The confidence: the probability that a caption or an answer is right.

It is the product of two logistic regressions: the probability that the picture is a photograph,
from the features of the encoder, and the probability that the text is right, from the
probabilities of its words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from captioner.data.function_words import FUNCTION_WORDS
from captioner.generation import reranking
from captioner.generation.reranking import UNSEEN
from captioner.generation.results import Candidate, Caption, Concept

FEATURES = 5
# Numbers of weights. The number for photographs depends on the encoder.
LENGTHS = {"captions": FEATURES, "answers": FEATURES, "ranking": len(reranking.FEATURES)}


@dataclass(frozen=True)
class Calibration:
    """Weights of logistic regressions (Platt, 1999). None if there were no data for them.

    Attributes:
        captions: for captions, on `features`. `captioner.evaluation.calibration` defines when a
            caption is right.
        answers: for answers, on the same features.
        photograph: for pictures, on a constant and the mean features of all regions,
            `float[1 + C]`. Without it, every picture counts as a photograph.
        ranking: for the candidates of a caption, see `captioner.generation.reranking`. Without it,
            the candidate with the best score comes first.
    """

    captions: tuple[float, ...] | None = None
    answers: tuple[float, ...] | None = None
    photograph: tuple[float, ...] | None = None
    ranking: tuple[float, ...] | None = None

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read a calibration that was written as the dict of its attributes.

        Raises:
            ValueError: the content is something else.
        """
        if not isinstance(content, dict) or not all(
            _are_weights(value, LENGTHS.get(task)) for task, value in content.items()
        ):
            raise ValueError(f"not the weights that there are for {', '.join(LENGTHS)}")
        return cls(**{task: weights and tuple(weights) for task, weights in content.items()})

    def confidence(
        self, caption: Caption, is_answer: bool, photograph: float = 1.0
    ) -> float | None:
        """In 0..1, of a caption, or of an answer if `is_answer`.

        Args:
            caption: a `Caption` without confidence.
            is_answer: whether it answers a question.
            photograph: the probability that the picture is a photograph.
        """
        weights = self.answers if is_answer else self.captions
        if weights is None:
            return None
        return photograph * float(logistic(features(caption) @ np.array(weights)))

    def ranked(self, candidates: list[Candidate], concepts: Sequence[Concept]) -> list[Candidate]:
        """The candidates of a caption, the best first."""
        if self.ranking is None or len(candidates) == 1:
            return candidates
        found = reranking.features(candidates, concepts)
        return [candidates[i] for i in reranking.order(self.ranking, found)]

    def is_photograph(self, maps: np.ndarray) -> np.ndarray:
        """The probability `float[B]` of being a photograph, from features `float[B, R, C]`."""
        if self.photograph is None:
            return np.ones(len(maps))
        constant, *weights = self.photograph
        return logistic(constant + maps.mean(axis=1, dtype=float) @ np.array(weights))


def logistic(logits: np.ndarray) -> np.ndarray:
    """Probabilities `float[...]` of logits `float[...]`."""
    return 0.5 + 0.5 * np.tanh(0.5 * logits)  # exp would overflow


def _are_weights(value: Any, length: int | None) -> bool:
    """Whether a value of JSON is None or a list of numbers, of a length if one is given."""
    if not isinstance(value, list | tuple):
        return value is None
    numbers = all(type(number) in (int, float) for number in value)
    return numbers and length in (None, len(value))


def features(caption: Caption) -> np.ndarray:
    """`float[5]`: a constant, the score, the log-probability of the least likely word, and how
    likely the concepts are that it names, in the mean and the least of them."""
    seen = {concept.word: concept.probability for concept in caption.concepts}
    named = [seen.get(w.word, UNSEEN) for w in caption.words if w.word not in FUNCTION_WORDS]
    named = named or [UNSEEN]
    least = np.log(min(word.probability for word in caption.words))
    return np.array([1.0, caption.score, least, np.mean(named), min(named)])
