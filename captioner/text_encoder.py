"""A sentence as a vector."""

import keras

from captioner.cells import recurrent_cell


@keras.saving.register_keras_serializable("captioner")
class TextEncoder(keras.layers.Layer):
    """Reads word vectors with a recurrent network; its last output stands for the sentence.

    A sentence without words is the zero vector.

    Args:
        units: H, the size of the vector.
        cell: the recurrent cell, see `captioner.cells`.
        layers: how many cells are stacked.
        bidirectional: whether a second network of the same kind reads backwards; each then has
            half of the units (Schuster and Paliwal, 1997).
    """

    def __init__(self, units, cell="lstm", layers=1, bidirectional=False, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = cell
        self.layers = layers
        self.bidirectional = bidirectional
        width = units // 2 if bidirectional else units
        # Unrolled as the decoder's steps are: a loop in the graph is slower on a CPU.
        self.recurrent = keras.layers.RNN(recurrent_cell(cell, width, layers), unroll=True)
        if bidirectional:
            self.recurrent = keras.layers.Bidirectional(self.recurrent)

    def build(self, words_shape):
        self.recurrent.build(words_shape)
        self.built = True

    def call(self, words, written, training=False):
        """`float[N, H]` of word vectors `float[N, Q, E]`, where `written` `bool[N, Q]` is true."""
        return self.recurrent(words, mask=written, training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "cell": self.cell,
            "layers": self.layers,
            "bidirectional": self.bidirectional,
        }
