"""What is written: words, candidates and captions, made of token ids."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from captioner.data.vocabulary import PAD, Vocabulary

OUTPUTS = ("tokens", "log_probs", "attention")  # of a search


class Writer(Protocol):
    """What gives token ids their words."""

    vocabulary: Vocabulary

    @property
    def grid(self) -> tuple[int, ...]:
        """The shape in which the R attention weights of a word are given."""

    def detokenize(self, words: Sequence[str], asked: bool) -> str:
        """The text of words written, as an answer where a question was `asked`."""


class Word(NamedTuple):
    """A word, the probability the model gave it, and where it looked (`float[h, w]`)."""

    word: str
    probability: float
    attention: np.ndarray


class Candidate(NamedTuple):
    """A sentence, its score (the mean log-probability of its tokens) and its words.

    The tokens are the words and, where the sentence has ended, its end. The search ranks by it.
    """

    text: str
    score: float
    words: list[Word]


class Caption(NamedTuple):
    """The best candidate, and all of them, best first."""

    text: str
    score: float
    words: list[Word]
    candidates: list[Candidate]


def caption_of(
    model: Writer, asked: bool, tokens: np.ndarray, log_probs: np.ndarray, attention: np.ndarray
) -> Caption:
    """What one search has found, as a `Caption` of all its candidates.

    Args:
        model: the model that wrote, for its `vocabulary`, `grid` and `detokenize`.
        asked: whether this answers a question: then it is a phrase, otherwise a sentence.
        tokens: `int[K, T]`, padded with 0.
        log_probs: `float[K, T]` of these tokens.
        attention: `float[K, T, R]`.
    """
    lengths = (tokens != PAD).sum(axis=-1)
    best_first = np.argsort(-log_probs.sum(axis=-1) / lengths, kind="stable")
    candidates = [
        _candidate(model, asked, tokens[i], log_probs[i], attention[i]) for i in best_first
    ]
    return Caption(*candidates[0], candidates)


def _candidate(
    model: Writer, asked: bool, tokens: np.ndarray, log_probs: np.ndarray, attention: np.ndarray
) -> Candidate:
    words = [
        Word(word, float(np.exp(log_prob)), weights.reshape(model.grid))
        for word, log_prob, weights in zip(
            model.vocabulary.decode(tokens), log_probs, attention, strict=False
        )
    ]
    score = float(log_probs[tokens != PAD].mean())
    return Candidate(model.detokenize([word.word for word in words], asked), score, words)
