"""The decoder of the Transformer (Vaswani et al., 2017)."""

from typing import Any

import keras
import numpy as np
from keras import ops

from captioner.layers.attention import attend
from captioner.layers.decoder import WordDecoder, masked_mean
from captioner.layers.memory import Memory
from captioner.layers.tensor import Shape, Tensor
from captioner.layers.transformer import Keys, TransformerLayer, position_vectors


@keras.saving.register_keras_serializable("captioner")
class TransformerDecoder(WordDecoder):
    """A replacement for `captioner.layers.decoder.AttentionDecoder` without recurrence.

    Regions and concepts are vectors of one memory. All heads of all layers attend to it.

    Args:
        vocabulary_size: V, the number of tokens.
        steps: T, the maximum number of tokens of a sentence.
        embedding_size: E, the size of a word vector.
        units: H, the size of the layers.
        heads: of each layer.
        layers: the number of layers.
        dropout: the rate on word vectors and on the output of each sub-layer.
        condition_size: C, the size of a conditioning vector such as an encoded question. 0 for
            none.
        concepts: whether the memory holds concepts in addition to regions.
        positional: whether position vectors are added.
    """

    def __init__(
        self,
        vocabulary_size: int,
        steps: int,
        embedding_size: int = 256,
        units: int = 256,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.1,
        condition_size: int = 0,
        concepts: bool = False,
        positional: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary_size, embedding_size, concepts, **kwargs)
        self.steps, self.units, self.layers = steps, units, layers
        self.condition_size, self.positional = condition_size, positional
        dense = keras.layers.Dense
        self.enter = dense(units, name="enter")
        self.enter_regions = dense(units, name="enter_regions")
        if concepts:
            self.enter_concepts = dense(units, name="enter_concepts")
        if condition_size:
            self.enter_condition = dense(units, use_bias=False, name="enter_condition")
        self.stack = [
            TransformerLayer(units, heads, dropout, True, name=f"layer_{i}") for i in range(layers)
        ]
        self.output_norm = keras.layers.LayerNormalization(name="output_norm")
        self.leave = dense(embedding_size, name="leave")
        self.drop = keras.layers.Dropout(dropout, name="drop")

    def build(self, tokens_shape: Shape, annotations_shape: tuple[Any, ...]) -> None:
        super().build(tokens_shape, annotations_shape)
        self.enter.build((None, None, self.embedding_size))
        self.enter_regions.build(annotations_shape)
        if self.concepts:
            self.enter_concepts.build((None, None, self.embedding_size))
        if self.condition_size:
            self.enter_condition.build((None, self.condition_size))
        for layer in self.stack:
            layer.build()
        self.output_norm.build((None, None, self.units))
        self.leave.build((None, self.units))

    def memory(
        self, annotations: Tensor | None, mask: Tensor | None = None, concepts: Any = None
    ) -> Memory:
        """Build the `Memory`; see `AttentionDecoder.memory`."""
        vectors, masks = [], []
        if annotations is not None:
            vectors.append(self.enter_regions(annotations))
            masks.append(ops.ones(ops.shape(annotations)[:2], "bool") if mask is None else mask)
        if self.concepts:
            vectors.append(self.enter_concepts(concepts.vectors))
            masks.append(concepts.present)
        slots, mask = ops.concatenate(vectors, axis=1), ops.concatenate(masks, axis=1)
        keys = [layer.memory_attention.keys(slots) for layer in self.stack]
        return Memory(masked_mean(slots, mask), None, annotations, keys, mask, concepts)

    def initial_states(
        self, memory: Memory, sequences: int, condition: Tensor | None = None
    ) -> list[Tensor]:
        """The states of B x `sequences` empty sequences.

        Returns:
            A flat list: the position `int[N]`, then keys and values `float[N, T, H]` of each
            layer.
        """
        rows = ops.shape(memory.mean)[0] * sequences
        empty = ops.zeros((rows, self.steps, self.units), self.compute_dtype)
        return [ops.zeros((rows,), "int32"), *([empty] * (2 * self.layers))]

    def step(
        self,
        words: Tensor,
        states: list[Tensor],
        memory: Memory,
        condition: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, tuple[None, None], Tensor | None, list[Tensor]]:
        """Read one word; see `AttentionDecoder.step`. The output includes the contexts."""
        position, *kept = states
        now = ops.expand_dims(position, -1) == ops.arange(self.steps)  # [N, T]
        before = ops.expand_dims(position, -1) >= ops.arange(self.steps)
        x = self._entered(ops.expand_dims(words, 1), now, condition)
        weights = None
        for i, layer in enumerate(self.stack):
            for part, new in enumerate(layer.keys(x)):
                kept[2 * i + part] = ops.where(ops.expand_dims(now, -1), new, kept[2 * i + part])
            seen = ops.expand_dims(before, (1, 2))
            x, weights = self._look(i, x, (kept[2 * i], kept[2 * i + 1]), seen, memory, training)
        looked = self._looked(weights, memory)
        output = ops.reshape(x, (-1, self.units))
        return output, (None, None), looked, [position + 1, *kept]

    def logits(
        self,
        words: Tensor,
        outputs: Tensor,
        contexts: Any = None,
        condition: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        """The logits `float[..., V]` of outputs `float[..., H]`. The other arguments are unused."""
        deep = self.drop(self.leave(self.output_norm(outputs)), training=training)
        return self.embedding(deep, reverse=True)

    def looks(
        self,
        tokens: Tensor,
        memory: Memory,
        condition: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        """Teacher forcing, all positions at once.

        Args:
            tokens: `int[N, T]`, starting with the start token. T is static.
            memory: a `Memory` of B photographs, N a multiple of B.
            condition: `float[N, C]`, if the decoder is conditioned.
            training: whether dropout is applied.

        Returns:
            The outputs `float[N, T, H]` and, for each layer, the attention weights
            `float[N, T, h, S]` to the memory: regions, then concepts.
        """
        steps = tokens.shape[1]
        words = self.drop(self.embedding(tokens), training=training)
        positions = np.eye(steps, self.steps, dtype="float32")[None]
        x, looks = self._entered(words, positions, condition), []
        before = ops.convert_to_tensor(np.tri(steps, dtype=bool)[None, None])
        for i, layer in enumerate(self.stack):
            x, weights = self._look(i, x, layer.keys(x), before, memory, training)
            looks.append(weights)
        return x, looks

    def call(
        self,
        tokens: Tensor,
        memory: Memory,
        condition: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Teacher forcing; see `looks`.

        Returns:
            Logits `float[N, T, V]` and attention weights `float[N, T, R]`: the mean over the heads
            of the last layer, or None without regions.
        """
        x, looks = self.looks(tokens, memory, condition, training)
        weights = self._looked(looks[-1], memory)
        if weights is not None:
            weights = ops.reshape(weights, (-1, tokens.shape[1], weights.shape[-1]))
        return self.logits(None, x, training=training), weights

    def _entered(self, words: Tensor, positions: Tensor, condition: Tensor | None) -> Tensor:
        """The input `float[N, L, H]` of the first layer.

        Word vectors are `float[N, L, E]`, one-hot positions `[N or 1, L, T]`, or `[N, T]` for one
        word each.
        """
        x = self.enter(words * self.embedding_size**0.5)
        if self.positional:
            vectors = ops.cast(position_vectors(self.steps, self.units), x.dtype)
            where = ops.matmul(ops.cast(positions, x.dtype), vectors)
            x = x + (where if len(positions.shape) == 3 else ops.expand_dims(where, 1))
        if condition is not None:
            x = x + ops.expand_dims(self.enter_condition(condition), 1)
        return x

    def _look(
        self, i: int, x: Tensor, keys: Keys, mask: Tensor, memory: Memory, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Apply layer `i`."""
        slots = ops.expand_dims(memory.mask, (1, 2))
        return self.stack[i](x, keys, mask, memory.keys[i], slots, training=training)

    def _looked(self, weights: Tensor, memory: Memory) -> Tensor | None:
        """The mean over heads, `float[M, R]`. Attention to a concept counts as attention to its
        evidence."""
        if memory.annotations is None:
            return None
        weights = ops.mean(weights, axis=2)
        weights = ops.reshape(weights, (-1, weights.shape[-1]))
        regions = memory.annotations.shape[1]
        if memory.concepts is None or memory.concepts.regions is None:
            return weights[:, :regions]
        return weights[:, :regions] + attend(weights[:, regions:], memory.concepts.regions)
