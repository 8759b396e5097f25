"""The Transformer (Vaswani et al., 2017): attention instead of recurrence.

Each word attends to the words before it. So training computes all positions of a sentence at once;
a recurrent network has to wait for the previous state. During search, the state is the keys and
values of the words written so far.

Normalisation comes before each sub-layer (Xiong et al., 2020). So training needs no long warm-up.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from captioner.layers.tensor import Tensor

INNER = 4  # width of the feed-forward sub-layer, relative to H (section 3.3)
Keys = tuple[Tensor, Tensor]  # keys and values, each float[B, R, H]


def position_vectors(length: int, size: int) -> np.ndarray:
    """`float32[T, H]`: sines and cosines of the position, section 3.5."""
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(0, size, 2) / size)
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return waves.reshape(length, -1)[:, :size].astype("float32")


@keras.saving.register_keras_serializable("captioner")
class MultiHeadAttention(keras.layers.Layer):
    """`softmax(q k^T / sqrt(d)) v` in several heads, section 3.2.2.

    As in `captioner.layers.attention`, several sequences may attend to one memory: with N queries
    and B memories, N a multiple of B, query n attends to memory n // (N / B). Keys are computed
    once per memory and kept between steps. `keras.layers.MultiHeadAttention` computes the same
    function but supports neither.

    Args:
        units: H, the size of inputs and outputs.
        heads: h, each of size d = H / h.

    Raises:
        ValueError: H is no multiple of h.
    """

    def __init__(self, units: int, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units % heads:
            raise ValueError(f"{heads} heads share a multiple of {heads} units, not {units}")
        self.units, self.heads = units, heads
        self.query = keras.layers.Dense(units, name="query")
        self.key = keras.layers.Dense(units, name="key")
        self.value = keras.layers.Dense(units, name="value")
        self.output_heads = keras.layers.Dense(units, name="output_heads")
        self.softmax = keras.layers.Softmax()

    def build(self, size: int) -> None:
        """Create the weights for memory vectors of the given size."""
        self.query.build((None, None, self.units))
        self.key.build((None, None, size))
        self.value.build((None, None, size))
        self.output_heads.build((None, None, self.units))
        self.built = True

    def keys(self, memory: Tensor) -> Keys:
        """Keys and values of vectors `float[B, R, D]`."""
        return self.key(memory), self.value(memory)

    def call(self, queries: Tensor, keys: Keys, mask: Tensor | None = None) -> Keys:
        """Attend.

        Args:
            queries: `float[N, T, H]`.
            keys: the result of `keys` for B memories.
            mask: `bool[B or 1, 1, T or 1, R]`, false for vectors that must not be attended to.

        Returns:
            `float[N, T, H]` and the attention weights `float[N, T, h, R]`.
        """
        found, values = (self._split(x, (-1, x.shape[1])) for x in keys)
        shape, memories = ops.shape(queries), ops.shape(found)[0]
        split_queries = self._split(self.query(queries), (memories, -1))  # [B, h, N/B * T, d]
        scores = ops.matmul(split_queries, ops.transpose(found, (0, 1, 3, 2)))
        scores = scores / (self.units / self.heads) ** 0.5
        weights = self.softmax(scores, mask=mask)
        seen = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        weights = ops.transpose(weights, (0, 2, 1, 3))
        return (
            self.output_heads(ops.reshape(seen, (-1, shape[1], self.units))),
            ops.reshape(weights, (-1, shape[1], self.heads, weights.shape[-1])),
        )

    def _split(self, x: Tensor, shape: tuple[Any, Any]) -> Tensor:
        """Split vectors into heads: `float[B, h, L, d]` for the shape `[B, L]`."""
        x = ops.reshape(x, (*shape, self.heads, self.units // self.heads))
        return ops.transpose(x, (0, 2, 1, 3))


@keras.saving.register_keras_serializable("captioner")
class TransformerLayer(keras.layers.Layer):
    """Self-attention, optional attention to a memory, and a feed-forward network, with residual
    connections.

    Args:
        units: H.
        heads: of each attention.
        dropout: the rate on the output of each sub-layer.
        memory: whether the layer attends to a memory.
    """

    def __init__(self, units: int, heads: int, dropout: float, memory: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.memory = units, memory
        norm = keras.layers.LayerNormalization
        self.self_norm = norm(name="self_norm")
        self.self_attention = MultiHeadAttention(units, heads, name="self_attention")
        if memory:
            self.memory_norm = norm(name="memory_norm")
            self.memory_attention = MultiHeadAttention(units, heads, name="memory_attention")
        self.inner_norm = norm(name="inner_norm")
        self.inner = keras.layers.Dense(INNER * units, activation="relu", name="inner")
        self.outer = keras.layers.Dense(units, name="outer")
        self.drop = keras.layers.Dropout(dropout, name="drop")

    def build(self, input_shape: Any = None) -> None:
        shape = (None, None, self.units)
        self.self_norm.build(shape)
        self.self_attention.build(self.units)
        if self.memory:
            self.memory_norm.build(shape)
            self.memory_attention.build(self.units)
        self.inner_norm.build(shape)
        self.inner.build(shape)
        self.outer.build((None, None, INNER * self.units))
        self.built = True

    def keys(self, x: Tensor) -> Keys:
        """Keys and values of words `float[N, T, H]` for the self-attention."""
        return self.self_attention.keys(self.self_norm(x))

    def call(
        self,
        x: Tensor,
        keys: Keys,
        mask: Tensor,
        memory: Keys | None = None,
        memory_mask: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Apply the layer.

        Args:
            x: `float[N, T, H]`.
            keys: the result of `keys` for these words and the ones before.
            mask: of these, see `MultiHeadAttention`.
            memory: keys and values of B memories, N a multiple of B.
            memory_mask: of the memory.
            training: whether dropout is applied.

        Returns:
            `float[N, T, H]` and the attention weights `float[N, T, h, R]` to the memory, or to the
            words if there is no memory.
        """
        found, weights = self.self_attention(self.self_norm(x), keys, mask)
        x = x + self.drop(found, training=training)
        if self.memory:
            found, weights = self.memory_attention(self.memory_norm(x), memory, memory_mask)
            x = x + self.drop(found, training=training)
        found = self.outer(self.inner(self.inner_norm(x)))
        return x + self.drop(found, training=training), weights
