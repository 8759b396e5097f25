"""Soft attention: how strongly each region of a memory answers a query."""

from typing import Any

import keras
from keras import ops

from captioner.layers.tensor import Shape, Tensor


class Attention(keras.layers.Layer):
    """What the kinds of attention have in common: a softmax over scores of the regions.

    Several sequences may look at one memory (the beams of a search, the five captions of a
    photograph): with N queries and B memories, N a multiple of B, query n reads memory
    n // (N / B). The keys are therefore computed and stored once for each memory.

    Args:
        units: size A of the space in which queries and keys meet.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.softmax = keras.layers.Softmax()

    def build(self, annotations_shape: Shape, query_shape: Shape) -> None:
        self.built = True

    def keys(self, annotations: Tensor) -> Tensor:
        """What queries are compared with, of annotation vectors `float[B, R, D]`, once."""
        raise NotImplementedError

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """`float[B, N/B, R]`: how well each region answers queries `float[N, H]`."""
        raise NotImplementedError

    def call(self, query: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention weights `float[N, R]`, which add up to 1 over the regions.

        Args:
            query: `float[N, H]`.
            keys: what `keys` made of B memories.
            mask: `bool[B, R]`, false where a memory is padded: the weights there are 0.
        """
        mask = None if mask is None else mask[:, None]
        return ops.reshape(self.softmax(self.scores(query, keys), mask=mask), (-1, keys.shape[1]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


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
    """Looks at all regions equally, whatever is asked: what attention is compared with."""

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
    """The attention of the given kind: "additive", "dot" or "mean".

    Raises:
        ValueError: an unknown kind of attention.
    """
    if attention not in ATTENTIONS:
        raise ValueError(
            f"unknown attention {attention!r}; there are {', '.join(sorted(ATTENTIONS))}"
        )
    return ATTENTIONS[attention](units, name=name)


def attend(weights: Tensor, annotations: Tensor) -> Tensor:
    """Context vectors `float[N, D]`: the mean of `float[B, R, D]` under weights `float[N, R]`."""
    sequences, batch = ops.shape(weights)[0], ops.shape(annotations)[0]
    weights = ops.reshape(weights, (batch, -1, annotations.shape[1]))  # [B, N/B, R]
    return ops.reshape(ops.matmul(weights, annotations), (sequences, annotations.shape[2]))
