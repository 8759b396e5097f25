"""Makes captions from the arrays of a search."""

import numpy as np

from captioner.data.vocabulary import PAD
from captioner.generation.model import CaptionModel
from captioner.generation.results import LIKELY, Candidate, Caption, Concept, Word


def caption_of(
    model: CaptionModel,
    is_answer: bool,
    tokens: np.ndarray,
    log_probs: np.ndarray,
    attention: np.ndarray,
    concepts: tuple[Concept, ...] = (),
    photograph: float = 1.0,
) -> Caption:
    """Make a `Caption` from the candidates of a search.

    Args:
        model: the model of the search.
        is_answer: whether the text is an answer (a phrase) or a caption (a sentence).
        tokens: `int[K, T]`, padded with 0.
        log_probs: `float[K, T]` of these tokens.
        attention: `float[K, T, R]`.
        concepts: of the photograph.
        photograph: the probability that the image is a photograph.
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


def concepts_of(model: CaptionModel, ids: np.ndarray, logits: np.ndarray) -> tuple[Concept, ...]:
    """The probable `Concept`s of a photograph, most probable first.

    Args:
        model: the model of the search.
        ids: `int[C]`.
        logits: `float[C]`, in descending order.
    """
    found = zip(ids, 1 / (1 + np.exp(-logits)), strict=True)
    return tuple(Concept(model.vocabulary.words[i], float(p)) for i, p in found if p > LIKELY)


def _candidate(
    model: CaptionModel,
    is_answer: bool,
    tokens: np.ndarray,
    log_probs: np.ndarray,
    attention: np.ndarray,
) -> Candidate:
    words = [
        # A copy, because a view keeps the attention of the whole batch in memory.
        Word(word, float(np.exp(log_prob)), weights.reshape(model.grid).copy())
        for word, log_prob, weights in zip(
            model.vocabulary.decode(tokens), log_probs, attention, strict=False
        )
    ]
    score = float(log_probs[tokens != PAD].mean())
    return Candidate(model.detokenize([word.word for word in words], is_answer), score, words)
