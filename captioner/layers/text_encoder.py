"""A recurrent encoder of sentences."""

from typing import Any

import keras

from captioner.layers.cells import recurrent_cell
from captioner.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("captioner")
class TextEncoder(keras.layers.Layer):
    """Encodes a sentence with a recurrent network.

    The last output is the sentence vector; it is zero for an empty sentence. With
    `return_sequences`, the outputs are the annotation vectors of a memory, one per word.

    Args:
        units: H, the size of the vector.
        cell: the recurrent cell, see `captioner.layers.cells`.
        layers: the number of stacked cells.
        bidirectional: whether a second network reads backwards (Schuster and Paliwal, 1997). Each
            network then has half of the units.
        return_sequences: whether to return all outputs instead of the last one.

    Raises:
        ValueError: an odd number of units with `bidirectional`.
    """

    def __init__(
        self,
        units: int,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = False,
        return_sequences: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        if bidirectional and units % 2:
            raise ValueError(f"two directions share an even number of units, not {units}")
        stack = recurrent_cell(cell, units // 2 if bidirectional else units, layers)
        # Unrolled, because a loop in the graph is slower on a CPU. The backward network is not:
        # when Keras 3.15 unrolls it, it loses the states of padded sentences.
        self.recurrent = keras.layers.RNN(
            stack, return_sequences=return_sequences, unroll=not bidirectional
        )
        if bidirectional:
            self.recurrent = keras.layers.Bidirectional(self.recurrent)

    def build(self, words_shape: Shape) -> None:
        self.recurrent.build(words_shape)
        self.built = True

    def call(self, words: Tensor, mask: Tensor, training: bool = False) -> Tensor:
        """Encode N sentences as `float[N, H]`, or as `float[N, Q, H]` with `return_sequences`.

        Args:
            words: `float[N, Q, E]`, word vectors.
            mask: `bool[N, Q]`, false for padding. The outputs there are undefined.
            training: whether dropout is applied.
        """
        # Word vectors that are also the decoder's output projection are too small for the gates
        # (Vaswani et al., 2017, section 3.4).
        words = words * words.shape[-1] ** 0.5
        return self.recurrent(words, mask=mask, training=training)
