"""The answers that a model learns, and how they are encoded."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from captioner.data.vocabulary import UNKNOWN
from captioner.evaluation.answer_metrics import items, normalize
from captioner.models.captioner import Captioner

ANSWER_WORDS = 4  # a choice: longer answers are explanations, and rarely repeated

# A question `int32[Q]`, and its answers `int32[U + 1]`.
EncodedQuestion = tuple[np.ndarray, list[np.ndarray]]


def learned_answers(references: Sequence[str]) -> list[str]:
    """The answers to learn from, normalised as the VQA evaluation does ("Three." is "3").

    Each item of a list ("book, lamp") is one answer, since the model names one object. If several
    people gave the same answer, answers of only one person are left out.
    """
    answers = [item for reference in references for item in items(reference) or [reference]]
    # "none" would become "0", which is no answer to "what is on the table?".
    answers = [a if a == "none" else normalize(a) or a for a in answers]
    counts = Counter(answers)
    least = min(2, max(counts.values(), default=0))
    return [answer for answer in answers if counts[answer] >= least]


def encode_questions(
    questions: Iterable[tuple[str, Sequence[str]]], model: Captioner, steps: int
) -> list[EncodedQuestion]:
    """Questions with those of their `learned_answers` that consist of known words.

    Args:
        questions: pairs of a question and its answers in the data.
        model: the `Captioner`, for its vocabulary.
        steps: U, see `answer_steps`.

    Returns:
        The questions that have such an answer.
    """
    vocabulary, words = model.vocabulary, model.config.max_question_words
    found = []
    for question, answers in questions:
        written = [
            vocabulary.encode(answer, steps)
            for answer in learned_answers(answers)
            if UNKNOWN not in (ids := vocabulary.ids(answer)) and len(ids) < steps
        ]
        if written:
            found.append((vocabulary.encode_question(question, words), written))
    return found


def answer_steps(model: Captioner) -> int:
    """U, the steps of the longest answer, its end token included."""
    return min(ANSWER_WORDS + 1, model.steps)
