"""The results of a search: words, candidates and captions."""

from typing import Any, NamedTuple

import numpy as np

# Probability of a concept. Concepts are trained on the share of captions that name a thing, and
# few things are named in half of the captions.
LIKELY = 0.3
OUTPUTS = ("tokens", "log_probs", "attention")  # of a search


class Word(NamedTuple):
    """A word, its probability and its attention weights `float[h, w]`."""

    word: str
    probability: float
    attention: np.ndarray


class Concept(NamedTuple):
    """A word that may fit the photograph, and its probability."""

    word: str
    probability: float


class Candidate(NamedTuple):
    """A sentence, its score (the mean log-probability of its tokens) and its words.

    The tokens are the words and the end token, if the sentence is complete.
    """

    text: str
    score: float
    words: list[Word]


class Caption(NamedTuple):
    """The best candidate, and all of them, best first.

    The confidence is the probability that the caption is right, see
    `captioner.generation.confidence`; None if it was not calibrated. The concepts are probable
    objects in the photograph, mentioned or not. The photograph is for display: its path or a small
    JPEG, or None.
    """

    text: str
    score: float
    words: list[Word]
    candidates: list[Candidate]
    confidence: float | None = None
    concepts: tuple[Concept, ...] = ()
    photograph: Any = None


def record_of(caption: Caption, kind: str) -> dict[str, Any]:
    """A caption as a JSON object.

    Args:
        caption: a `Caption`.
        kind: "caption" or "answer", the name of the text.
    """
    record = {
        kind: caption.text,
        "score": caption.score,
        "words": [{"word": w.word, "probability": w.probability} for w in caption.words],
        "candidates": [{kind: c.text, "score": c.score} for c in caption.candidates],
    }
    if caption.confidence is not None:
        record["confidence"] = caption.confidence
        record["concepts"] = [concept._asdict() for concept in caption.concepts]
    return record
