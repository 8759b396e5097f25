"""The memory that a decoder attends to."""

from typing import Any, NamedTuple

import keras
from keras import ops

from captioner.layers.tensor import Tensor


class Concepts(NamedTuple):
    """Words that are likely to fit the photograph, as vectors (You et al., 2016)."""

    vectors: Tensor  # float[B, K, E]
    keys: Tensor | None  # float[B, K, A], for a separate attention to concepts
    present: Tensor  # bool[B, K], false for empty slots
    ids: Tensor  # int[B, K], words of the vocabulary
    logits: Tensor  # float[B, K], of the presence of each concept
    regions: Tensor | None = None  # float[B, K, R], the evidence by region


class Memory(NamedTuple):
    """Everything the decoder needs to know of a photograph. Computed once for all its sequences.

    The R annotation vectors belong to image regions, or to the words of a sentence. With a single
    zero vector, the decoder is a language model. With concepts but no regions, it learns from
    sentences without photographs.
    """

    mean: Tensor  # float[B, M], the mean annotation vector and the mean concept
    overview: Tensor | None = None  # float[B, E], the part of the mean that every step reads
    annotations: Tensor | None = None  # float[B, R, D]
    keys: Any = None  # float[B, R, A]; a list for several layers
    mask: Tensor | None = None  # bool[B, R], false for padding; None without padding
    concepts: Any = None  # `Concepts`, if the decoder uses them


def take(memory: Memory, rows: Tensor) -> Memory:
    """Select the rows `int[N]` of a memory of B photographs, one for each of N sequences."""
    return keras.tree.map_structure(
        lambda values: None if values is None else ops.take(values, rows, axis=0), memory
    )
