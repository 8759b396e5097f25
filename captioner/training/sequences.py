"""Token sequences of a batch, in groups of similar length, so that few positions are padding.

Padded to one length, a batch of captions and answers has three times as many positions as words
(`python benchmarks/training.py` measures it).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import keras
import numpy as np

from captioner.data.vocabulary import PAD

Arrays = dict[str, np.ndarray]

# The longest sequence of each group in steps, the end token included. The mean caption has 11.3
# steps, the mean answer 2.2. The number of groups is a choice: each group is a call of the decoder.
STEPS = (2, 5, 10, 12, 15)


@dataclass(frozen=True)
class TokenSequence:
    """A target sequence.

    Attributes:
        tokens: `int32[T + 1]` with the start token, possibly padded at the end.
        row: the index in the batch of its photograph, or of its group of texts.
        weight: its share in the loss, relative to the other sequences of its kind.
        advantage: the factor of its loss in self-critical training.
        question: `int32[Q]`, the question, if the sequence is an answer.
    """

    tokens: np.ndarray
    row: int
    weight: float = 1.0
    advantage: float = 1.0
    question: np.ndarray | None = None


# A name, its sequences, the steps of the longest in the data set, the most sequences of a batch.
Kind = tuple[str, Sequence[TokenSequence], int, int]


def kind_of(group: str) -> str:
    """The kind of sequences in a group: "captions" for "captions_12"."""
    return re.sub(r"_\d+$", "", group)


def grouped(
    name: str, sequences: Sequence[TokenSequence], steps: int, count: int
) -> tuple[Arrays, Arrays, Arrays]:
    """Sequences of one kind as inputs, targets and weights of a `Captioner`.

    Args:
        name: the kind, such as "captions".
        sequences: all sequences of a batch.
        steps: T, of the longest sequence of the data set.
        count: the most sequences of a batch.

    Returns:
        For each group of N sequences of up to S steps the inputs "captions_S" `int32[N, S]` and
        "captions_S_rows" `int32[N]`, for answers also "answers_S_questions" `int32[N, Q]`; the
        targets "captions_S" `int32[N, S]` and their weights `float32[N, S]`. Without advantages,
        the weights of a kind add up to 1; those of padding are 0. JAX compiles anew for each
        shape. So on JAX there is one group of `count` sequences, filled up with padding.
    """
    longest = [s for s in STEPS if s < steps] + [steps]
    if keras.backend.backend() == "jax":
        longest = [steps]
    lengths = [int((s.tokens != PAD).sum()) - 1 for s in sequences]
    inputs, targets, weights, total = {}, {}, {}, 0.0
    for shorter, limit in pairwise((-1, *longest)):
        group = [s for s, n in zip(sequences, lengths, strict=True) if shorter < n <= limit]
        # A group without sequences has one row of padding, since no tensor may be empty.
        rows = count if keras.backend.backend() == "jax" else max(len(group), 1)
        tokens = np.full((rows, limit + 1), PAD, "int32")
        shares, advantages = np.zeros((2, rows, 1), "float32")
        places = np.zeros(rows, "int32")
        for i, sequence in enumerate(group):
            tokens[i, : len(sequence.tokens)] = sequence.tokens[: limit + 1]
            shares[i], places[i] = sequence.weight, sequence.row
            advantages[i] = sequence.advantage
        key = f"{name}_{limit}"
        inputs[key], inputs[f"{key}_rows"] = tokens[:, :-1], places
        targets[key] = tokens[:, 1:]
        words = (targets[key] != PAD) * shares
        weights[key] = words * advantages
        total += float(words.sum())
        if encoded := [s.question for s in sequences if s.question is not None]:
            questions = np.full((rows, len(encoded[0])), PAD, "int32")
            for i, sequence in enumerate(group):
                questions[i] = sequence.question
            inputs[f"{key}_questions"] = questions
    total = max(total, 1e-3)
    return inputs, targets, {key: (w / total).astype("float32") for key, w in weights.items()}
