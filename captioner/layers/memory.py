"""What a decoder reads while it writes."""

from typing import Any, NamedTuple

import keras
from keras import ops

from captioner.layers.tensor import Tensor


class Concepts(NamedTuple):
    """Words that may be worth saying, as slots of their own (You et al., 2016)."""

    vectors: Tensor  # float[B, K, E]
    keys: Tensor | None  # what an attention to them alone compares with, float[B, K, A]
    present: Tensor  # bool[B, K], false where a slot is empty
    ids: Tensor  # int[B, K], words of the vocabulary
    logits: Tensor  # float[B, K], of the presence of each concept
    regions: Tensor | None = None  # float[B, K, R], where the evidence for each lies


class Memory(NamedTuple):
    """Computed once for a photograph, whatever is written about it.

    Its R annotation vectors are those of image regions or of the words of a sentence. Where a
    single zero is all it holds, the decoder is a language model; where there are concepts but no
    regions, it writes about what no photograph shows.
    """

    mean: Tensor  # float[B, M], the mean annotation vector and the mean concept
    overview: Tensor | None = None  # float[B, E], what of the mean every step reads
    annotations: Tensor | None = None  # float[B, R, D]
    keys: Any = None  # what the attention compares with, float[B, R, A]; of each layer if several
    mask: Tensor | None = None  # bool[B, R], false where padded; None where nothing is
    concepts: Any = None  # `Concepts`, where the decoder looks at them


def take(memory: Memory, rows: Tensor) -> Memory:
    """The memory of N sequences: of each the row `int[N]` of a memory of B photographs."""
    return keras.tree.map_structure(
        lambda values: None if values is None else ops.take(values, rows, axis=0), memory
    )
