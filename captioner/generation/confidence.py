"""How likely what was written is to be right, of what the search thought of its words.

The confidence is a product of two logistic regressions: how likely the picture is to be a
photograph at all, of the features of the encoder, and how likely what is written of a photograph is
to be right.
"""

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
    """Weights of logistic regressions (Platt, 1999); None where nothing was there to fit to.

    Attributes:
        captions: for captions, on what `features` gives. That one is right means what
            `captioner.evaluation.calibration` says.
        answers: for answers, on the same.
        photograph: for pictures, on a constant and the mean features of all regions,
            `float[1 + C]`; without it every picture counts as a photograph.
    """

    captions: tuple[float, ...] | None = None
    answers: tuple[float, ...] | None = None
    photograph: tuple[float, ...] | None = None

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read what `vars` of one gave.

        Raises:
            ValueError: it is not that.
        """
        if not isinstance(content, dict) or any(
            weights is not None and len(weights) != FEATURES
            for task, weights in content.items()
            if task != "photograph"
        ):
            raise ValueError(f"not {FEATURES} weights for captions and for answers")
        return cls(**{task: weights and tuple(weights) for task, weights in content.items()})

    def confidence(self, caption: "Caption", asked: bool, photograph: float = 1.0) -> float | None:
        """In 0..1, of a caption, or of an answer where a question was `asked`.

        Args:
            caption: what was written.
            asked: whether it answers a question.
            photograph: how likely the picture is to be a photograph.
        """
        weights = self.answers if asked else self.captions
        if weights is None:
            return None
        return photograph * float(logistic(features(caption) @ np.array(weights)))

    def is_photograph(self, maps: np.ndarray) -> np.ndarray:
        """How likely pictures are to be photographs, `float[B]`, of features `float[B, R, C]`."""
        if self.photograph is None:
            return np.ones(len(maps))
        constant, *weights = self.photograph
        return logistic(constant + maps.mean(axis=1, dtype=float) @ np.array(weights))


def logistic(odds: np.ndarray) -> np.ndarray:
    """Probabilities of log-odds, both `float[...]`."""
    return 0.5 + 0.5 * np.tanh(0.5 * odds)  # exp would overflow


def features(caption: "Caption") -> np.ndarray:
    """`float[5]`: a constant, the score, the log-probability of the least likely word, and how
    likely the concepts are that it names, in the mean and the least of them."""
    seen = {concept.word: concept.probability for concept in caption.concepts}
    named = [seen.get(w.word, UNSEEN) for w in caption.words if w.word not in FUNCTION_WORDS]
    named = named or [UNSEEN]
    least = np.log(min(word.probability for word in caption.words))
    return np.array([1.0, caption.score, least, np.mean(named), min(named)])
