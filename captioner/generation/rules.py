"""Rules for captions, as masks over the vocabulary that the search applies.

A small model repeats itself ("a black hat and black hat"), stops early ("a man on a") and uses
words of answers in captions ("7 7 7 7" for a dining room).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from keras import ops

from captioner.data.function_words import CANNOT_END, FUNCTION_WORDS
from captioner.data.vocabulary import END, PAD, SPECIAL, Vocabulary
from captioner.layers.tensor import Tensor

LONGEST_PHRASE = 3  # words; phrases up to this length do not occur twice in a row
# Names of one thing. People use two of them in less than 1 % of the captions with one.
_SYNONYMS = (
    "tv television",
    "tvs televisions",
    "couch sofa",
    "couches sofas",
    "fridge refrigerator",
    "fridges refrigerators",
    "bike bicycle",
    "bikes bicycles",
    "motorbike motorcycle",
    "motorbikes motorcycles",
    "plane airplane aeroplane",
    "planes airplanes aeroplanes",
    "phone cellphone telephone",
    "phones cellphones telephones",
    "tub bathtub",
    "tubs bathtubs",
    "donut doughnut",
    "donuts doughnuts",
    "photo photograph",
    "photos photographs",
    "kid child",
    "kids children",
)


@dataclass(frozen=True, eq=False)
class Rules:
    """Masks `bool[V]` over a vocabulary.

    A caption contains only words of captions, each content word at most once, and one name for each
    thing. It contains no phrase of up to three words twice in a row and does not end with a word
    that cannot end a sentence. For answers, only the rule about phrases applies.
    """

    of_captions: np.ndarray  # the words that captions may contain
    content: np.ndarray
    cannot_end: np.ndarray
    senses: np.ndarray  # int[V]: the first word with the same meaning

    @classmethod
    def of(cls, vocabulary: Vocabulary, caption_words: int | None = None) -> Self:
        """The rules for a `Vocabulary`. Captions may use its first `caption_words` ids."""
        words = vocabulary.words
        special = np.isin(words, SPECIAL)
        return cls(
            np.arange(len(words)) < (caption_words or len(words)),
            ~special & ~np.isin(words, sorted(FUNCTION_WORDS)),
            np.isin(words, sorted(CANNOT_END)),
            _senses(words),
        )

    def nothing_said(self, groups: Tensor, beams: int) -> tuple[Tensor, Tensor]:
        """The initial `used` and `recent` of `broken_by`."""
        return (
            ops.zeros((groups, beams, len(self.content)), "bool"),
            ops.zeros((groups, beams, 2 * LONGEST_PHRASE - 1), "int32"),
        )

    def mark_used(self, used: Tensor, token: Tensor) -> Tensor:
        """Add tokens `int[B, K]` and their synonyms to the used words `bool[B, K, V]`."""
        senses = ops.convert_to_tensor(self.senses)
        return ops.logical_or(used, senses == ops.expand_dims(ops.take(senses, token), -1))

    def broken_by(
        self, used: Tensor, recent: Tensor, last_step: Tensor, has_question: Tensor
    ) -> Tensor:
        """The tokens that would break a rule, `bool[B, K, V]`.

        Args:
            used: `bool[B, K, V]`, the words of each sequence so far.
            recent: `int[B, K, 2 * LONGEST_PHRASE - 1]`, the last tokens of each sequence.
            last_step: `bool[]`, whether the next token is the last possible one.
            has_question: `bool[B]`, true for answers.
        """
        ids = ops.arange(len(self.content))
        cannot_end = ops.convert_to_tensor(self.cannot_end)
        after_function_word = ops.take(cannot_end, recent[..., -1])
        broken = ops.logical_or(~ops.convert_to_tensor(self.of_captions), self.content & used)
        broken = broken | (ops.expand_dims(after_function_word, -1) & (ids == END))
        broken = broken | ops.logical_and(last_step, cannot_end)
        broken = broken & ~ops.expand_dims(has_question, (1, 2))
        for length in range(1, LONGEST_PHRASE + 1):
            # The first phrase is complete; the second one lacks only its last word.
            again = recent[..., -length] != PAD
            for i in range(1, length):
                again = again & (recent[..., -i] == recent[..., -i - length])
            broken = broken | (
                ops.expand_dims(again, -1) & (ids == ops.expand_dims(recent[..., -length], -1))
            )
        return broken


def _senses(words: Sequence[str]) -> np.ndarray:
    names = {name: group for group in _SYNONYMS for name in group.split()}
    first: dict[str, int] = {}
    senses = [first.setdefault(names.get(word, word), i) for i, word in enumerate(words)]
    return np.array(senses, "int32")
