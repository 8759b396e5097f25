"""What is written: words, candidates and captions, made of token ids."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from captioner.data.vocabulary import PAD, Vocabulary
from captioner.generation.confidence import Calibration

# Of a concept. What it learned from is the share of captions that name a thing, and few things are
# named by half of the people who see them.
LIKELY = 0.3
OUTPUTS = ("tokens", "log_probs", "attention")  # of a search


class Writer(Protocol):
    """What gives token ids their words."""

    vocabulary: Vocabulary
    calibration: Calibration | None

    @property
    def grid(self) -> tuple[int, ...]:
        """The shape in which the R attention weights of a word are given."""

    def detokenize(self, words: Sequence[str], is_answer: bool) -> str:
        """The text of words: an answer if `is_answer`, else a sentence."""


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
    The photograph is its path, or a small JPEG of what was given without one; None if neither is
    known. A notebook shows it, and where the word under the mouse looked.
    """

    text: str
    score: float
    words: list[Word]
    candidates: list[Candidate]
    confidence: float | None = None
    concepts: tuple[Concept, ...] = ()
    photograph: Any = None

    def _repr_html_(self) -> str | None:
        """The photograph with hoverable words, for notebooks."""
        if self.photograph is None or not self.words:
            return None
        from captioner.overlay.page import shown

        return shown(self.photograph, self.words, self.text)


def caption_of(
    model: Writer,
    is_answer: bool,
    tokens: np.ndarray,
    log_probs: np.ndarray,
    attention: np.ndarray,
    concepts: tuple[Concept, ...] = (),
    photograph: float = 1.0,
) -> Caption:
    """What one search has found, as a `Caption` of all its candidates.

    Args:
        model: the model that wrote, for its `vocabulary`, `calibration`, `grid` and `detokenize`.
        is_answer: whether this answers a question: then it is a phrase, otherwise a sentence.
        tokens: `int[K, T]`, padded with 0.
        log_probs: `float[K, T]` of these tokens.
        attention: `float[K, T, R]`.
        concepts: of the photograph.
        photograph: how likely it is to be one.
    """
    lengths = (tokens != PAD).sum(axis=-1)
    best_first = np.argsort(-log_probs.sum(axis=-1) / lengths, kind="stable")
    candidates = [
        _candidate(model, is_answer, tokens[i], log_probs[i], attention[i]) for i in best_first
    ]
    if model.calibration is None:
        return Caption(*candidates[0], candidates, None, concepts)
    if not is_answer:
        candidates = model.calibration.ranked(candidates, concepts)
    caption = Caption(*candidates[0], candidates, None, concepts)
    return caption._replace(confidence=model.calibration.confidence(caption, is_answer, photograph))


def concepts_of(model: Writer, ids: np.ndarray, logits: np.ndarray) -> tuple[Concept, ...]:
    """The likeliest `Concept`s of a photograph, the likeliest first.

    Args:
        model: for its `vocabulary`.
        ids: `int[C]`.
        logits: `float[C]`, in descending order.
    """
    found = zip(ids, 1 / (1 + np.exp(-logits)), strict=True)
    return tuple(Concept(model.vocabulary.words[i], float(p)) for i, p in found if p > LIKELY)


def _candidate(
    model: Writer, is_answer: bool, tokens: np.ndarray, log_probs: np.ndarray, attention: np.ndarray
) -> Candidate:
    words = [
        # A copy: a view would keep the attention of a whole batch.
        Word(word, float(np.exp(log_prob)), weights.reshape(model.grid).copy())
        for word, log_prob, weights in zip(
            model.vocabulary.decode(tokens), log_probs, attention, strict=False
        )
    ]
    score = float(log_probs[tokens != PAD].mean())
    return Candidate(model.detokenize([word.word for word in words], is_answer), score, words)


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
