"""How likely what was written is to be right, of what the search thought of its words."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from captioner.data.function_words import FUNCTION_WORDS

if TYPE_CHECKING:
    from captioner.generation.results import Caption

FEATURES = 5
UNSEEN = 0.1  # the probability of what is no concept, or not a likely one


@dataclass(frozen=True)
class Calibration:
    """Weights of a logistic regression (Platt, 1999) on what `features` gives.

    Attributes:
        captions: for captions; None where none were there to fit to. That one is right means what
            `captioner.evaluation.calibration` says.
        answers: for answers.
    """

    captions: tuple[float, ...] | None = None
    answers: tuple[float, ...] | None = None

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read what `vars` of one gave.

        Raises:
            ValueError: it is not that.
        """
        if not isinstance(content, dict) or not all(map(_are_weights, content.values())):
            raise ValueError(f"not {FEATURES} weights for captions and for answers")
        return cls(**{task: weights and tuple(weights) for task, weights in content.items()})

    def confidence(self, caption: "Caption", asked: bool) -> float | None:
        """In 0..1, of a caption, or of an answer where a question was `asked`."""
        weights = self.answers if asked else self.captions
        if weights is None:
            return None
        return float(1 / (1 + np.exp(-features(caption) @ np.array(weights))))


def _are_weights(value: Any) -> bool:
    """Whether a value of JSON is what `Calibration` has for captions, or for answers."""
    if not isinstance(value, list | tuple):
        return value is None
    return len(value) == FEATURES and all(type(number) in (int, float) for number in value)


def features(caption: "Caption") -> np.ndarray:
    """`float[5]`: a constant, the score, the log-probability of the least likely word, and how
    likely the concepts are that it names, in the mean and the least of them."""
    seen = {concept.word: concept.probability for concept in caption.concepts}
    named = [seen.get(w.word, UNSEEN) for w in caption.words if w.word not in FUNCTION_WORDS]
    named = named or [UNSEEN]
    least = np.log(min(word.probability for word in caption.words))
    return np.array([1.0, caption.score, least, np.mean(named), min(named)])
