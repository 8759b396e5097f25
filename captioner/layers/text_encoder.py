"""A sentence as a vector, or as a memory."""

from typing import Any

import keras

from captioner.layers.cells import recurrent_cell
from captioner.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("captioner")
class TextEncoder(keras.layers.Layer):
    """Reads word vectors with a recurrent network.

    Its last output stands for the sentence; of a sentence without words that is the zero vector.
    All outputs are a memory, of as many annotation vectors as there are words.

    Args:
        units: H, the size of the vector.
        cell: the recurrent cell, see `captioner.layers.cells`.
        layers: how many cells are stacked.
        bidirectional: whether a second network of the same kind reads backwards; each then has
            half of the units (Schuster and Paliwal, 1997).
        return_sequences: whether to return all outputs instead of the last one.

    Raises:
        ValueError: an odd number of units for two networks.
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
        self.cell = cell
        self.layers = layers
        self.bidirectional = bidirectional
        self.return_sequences = return_sequences
        if bidirectional and units % 2:
            raise ValueError(f"two directions share an even number of units, not {units}")
        stack = recurrent_cell(cell, units // 2 if bidirectional else units, layers)
        # Unrolled as the decoder's steps are, since a loop in the graph is slower on a CPU; but not
        # backwards, where Keras 3.15 loses the states of padded sentences when it unrolls.
        self.recurrent = keras.layers.RNN(
            stack, return_sequences=return_sequences, unroll=not bidirectional
        )
        if bidirectional:
            self.recurrent = keras.layers.Bidirectional(self.recurrent)

    def build(self, words_shape: Shape) -> None:
        self.recurrent.build(words_shape)
        self.built = True

    def call(self, words: Tensor, mask: Tensor, training: bool = False) -> Tensor:
        """`float[N, H]`, or `float[N, Q, H]` for all outputs, of the words of N sentences.

        Args:
            words: `float[N, Q, E]`, word vectors.
            mask: `bool[N, Q]`, false where a sentence is padded; what is returned there for
                all outputs means nothing.
            training: whether dropout is applied.
        """
        # Embeddings that are also the decoder's last projection are small; as they are they would
        # reach the gates too faintly to learn from (Vaswani et al., 2017, section 3.4).
        words = words * words.shape[-1] ** 0.5
        return self.recurrent(words, mask=mask, training=training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "cell": self.cell,
            "layers": self.layers,
            "bidirectional": self.bidirectional,
            "return_sequences": self.return_sequences,
        }
