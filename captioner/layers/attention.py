"""Soft attention: a distribution over the regions of a memory, given a query."""

from typing import Any

import keras
from keras import ops

from captioner.layers.tensor import Shape, Tensor


class Attention(keras.layers.Layer):
    """The base class: a softmax over the scores of the regions.

    Several sequences may attend to one memory (the beams of a search, the five captions of a
    photograph): with N queries and B memories, N a multiple of B, query n attends to memory
    n // (N / B). So keys are computed and stored once per memory.

    Args:
        units: A, the size of queries and keys.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.softmax = keras.layers.Softmax()

    def build(self, annotations_shape: Shape, query_shape: Shape) -> None:
        self.built = True

    def keys(self, annotations: Tensor) -> Tensor:
        """The keys `float[B, R, A]` of annotation vectors `float[B, R, D]`."""
        raise NotImplementedError

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """The scores `float[B, N/B, R]` of all regions for queries `float[N, H]`."""
        raise NotImplementedError

    def call(self, query: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """The attention weights `float[N, R]`. They sum to 1 over the regions.

        Args:
            query: `float[N, H]`.
            keys: the result of `keys` for B memories.
            mask: `bool[B, R]`, false for padding. The weights there are 0.
        """
        mask = None if mask is None else mask[:, None]
        return ops.reshape(self.softmax(self.scores(query, keys), mask=mask), (-1, keys.shape[1]))


@keras.saving.register_keras_serializable("captioner")
class AdditiveAttention(Attention):
    """The perceptron score of Bahdanau et al. (2015), used by Show, Attend and Tell (eq. 4-6).

    `e = v . tanh(W_a a + W_h h)`, `weights = softmax(e)` over the regions; see `Attention`.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.key = keras.layers.Dense(units, name="key")
        self.query = keras.layers.Dense(units, use_bias=False, name="query")
        self.score = keras.layers.Dense(1, use_bias=False, name="score")

    def build(self, annotations_shape: Shape, query_shape: Shape) -> None:
        self.key.build(annotations_shape)
        self.query.build(query_shape)
        self.score.build((None, self.units))
        self.built = True

    def keys(self, annotations: Tensor) -> Tensor:
        return self.key(annotations)  # [B, R, A]

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        query = ops.reshape(self.query(query), (ops.shape(keys)[0], -1, 1, self.units))
        return self.score(ops.tanh(query + keys[:, None]))[..., 0]


@keras.saving.register_keras_serializable("captioner")
class DotAttention(Attention):
    """The scaled dot product of Vaswani et al. (2017), eq. 1, with one head.

    `e = (W_a a) . (W_h h) / sqrt(A)`, `weights = softmax(e)` over the regions; see `Attention`.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.key = keras.layers.Dense(units, use_bias=False, name="key")
        self.query = keras.layers.Dense(units, use_bias=False, name="query")

    def build(self, annotations_shape: Shape, query_shape: Shape) -> None:
        self.key.build(annotations_shape)
        self.query.build(query_shape)
        self.built = True

    def keys(self, annotations: Tensor) -> Tensor:
        return self.key(annotations)  # [B, R, A]

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        query = ops.reshape(self.query(query), (ops.shape(keys)[0], -1, self.units))
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1))) / self.units**0.5


@keras.saving.register_keras_serializable("captioner")
class MeanAttention(Attention):
    """Equal weights for all regions: the baseline for the other kinds of attention."""

    def keys(self, annotations: Tensor) -> Tensor:
        return annotations

    def call(self, query: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            mask = ops.ones(ops.shape(keys)[:2])
        mask = ops.cast(mask, query.dtype)
        weights = mask / ops.sum(mask, axis=1, keepdims=True)
        return ops.repeat(weights, ops.shape(query)[0] // ops.shape(keys)[0], axis=0)


ATTENTIONS: dict[str, type[Attention]] = {
    "additive": AdditiveAttention,
    "dot": DotAttention,
    "mean": MeanAttention,
}


def attention_layer(attention: str, units: int, name: str | None = None) -> Attention:
    """Create the attention layer "additive", "dot" or "mean".

    Raises:
        ValueError: an unknown kind of attention.
    """
    if attention not in ATTENTIONS:
        raise ValueError(f"unknown attention {attention!r}; choose {', '.join(sorted(ATTENTIONS))}")
    return ATTENTIONS[attention](units, name=name)


def attend(weights: Tensor, annotations: Tensor) -> Tensor:
    """Context vectors `float[N, D]`: the mean of `float[B, R, D]` under weights `float[N, R]`."""
    sequences, batch = ops.shape(weights)[0], ops.shape(annotations)[0]
    weights = ops.reshape(weights, (batch, -1, annotations.shape[1]))  # [B, N/B, R]
    return ops.reshape(ops.matmul(weights, annotations), (sequences, annotations.shape[2]))
