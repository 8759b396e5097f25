"""Soft attention: how strongly each region of a memory answers a query."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("captioner")
class AdditiveAttention(keras.layers.Layer):
    """The perceptron score of Bahdanau et al. (2015), used by Show, Attend and Tell (eq. 4-6).

    `e = v . tanh(W_a a + W_h h)`, `weights = softmax(e)` over the regions.

    Several sequences may look at one memory (the beams of a search, the five captions of a
    photograph): with N queries and B memories, N a multiple of B, query n reads memory
    n // (N / B). The keys are therefore computed and stored once for each photograph.

    Args:
        units: size A of the space in which queries and keys meet.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.key = keras.layers.Dense(units, name="key")
        self.query = keras.layers.Dense(units, use_bias=False, name="query")
        self.score = keras.layers.Dense(1, use_bias=False, name="score")

    def build(self, annotations_shape, query_shape):
        self.key.build(annotations_shape)
        self.query.build(query_shape)
        self.score.build((None, self.units))
        self.built = True

    def keys(self, annotations):
        """Project the annotation vectors `float[B, R, D]` to `float[B, R, A]`, once."""
        return self.key(annotations)

    def call(self, query, keys):
        """Attention weights `float[N, R]` of queries `float[N, H]` over keys `float[B, R, A]`."""
        regions = keys.shape[1]
        query = ops.reshape(self.query(query), (ops.shape(keys)[0], -1, 1, self.units))
        scores = self.score(ops.tanh(query + keys[:, None]))  # [B, N/B, R, 1]
        return ops.softmax(ops.reshape(scores, (-1, regions)))  # [N, R]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def attend(weights, annotations):
    """Context vectors `float[N, D]`: the mean of `float[B, R, D]` under weights `float[N, R]`."""
    batch, regions, size = ops.shape(annotations)[0], annotations.shape[1], annotations.shape[2]
    weights = ops.reshape(weights, (batch, -1, regions))  # [B, N/B, R]
    return ops.reshape(ops.matmul(weights, annotations), (-1, size))
