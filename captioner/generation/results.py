"""The results of a search: words, candidates and captions."""

from typing import Any, NamedTuple

import numpy as np

# Of a concept. What it learned from is the share of captions that name a thing, and few things are
# named by half of the people who see them.
LIKELY = 0.3
OUTPUTS = ("tokens", "log_probs", "attention")  # of a search


class Word(NamedTuple):
    """A word, the probability the model gave it, and where it looked (`float[h, w]`)."""

    word: str
    probability: float
    attention: np.ndarray


class Concept(NamedTuple):
    """A word that may be worth saying of a photograph, and how likely that is."""

    word: str
    probability: float


class Candidate(NamedTuple):
    """A sentence, its score (the mean log-probability of its tokens) and its words.

    The tokens are the words and, where the sentence has ended, its end.
    """

    text: str
    score: float
    words: list[Word]


class Caption(NamedTuple):
    """The best candidate, and all of them, best first.

    Its confidence is how likely it is to be right, see `captioner.generation.confidence`; None if
    that was never measured. The concepts are what is likely to be in the photograph, said or not.
    The photograph is for display: its path or a small JPEG; None if it is unknown.
    """

    text: str
    score: float
    words: list[Word]
    candidates: list[Candidate]
    confidence: float | None = None
    concepts: tuple[Concept, ...] = ()
    photograph: Any = None


def record_of(caption: Caption, kind: str) -> dict[str, Any]:
    """A caption as JSON tells it.

    Args:
        caption: a `Caption`.
        kind: "caption" or "answer", which is what it is called.
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
