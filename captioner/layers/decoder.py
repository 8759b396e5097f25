"""The decoder: a recurrent network with soft attention over a memory.

A step has three parts: `read` a word, `look` at the memory, and `logits` of the next word. Search
calls `step` in a loop. Teacher forcing (`unroll`) reads all words first and then looks once for all
steps, because no state depends on the attention.
"""

from typing import Any

import keras
from keras import ops

from captioner.layers.attention import attend, attention_layer
from captioner.layers.cells import flat_states, nested_states, recurrent_cell
from captioner.layers.memory import Concepts, Memory
from captioner.layers.tensor import Shape, Tensor

# Context vectors of the regions and of the concepts. None if the memory has no such vectors.
Contexts = tuple[Tensor | None, Tensor | None]


class WordDecoder(keras.layers.Layer):
    """The base of all decoders: word vectors, and concepts as words in the memory.

    Args:
        vocabulary_size: V, the number of tokens.
        embedding_size: E, the size of a word vector.
        concepts: whether the memory holds concepts in addition to regions.
    """

    def __init__(
        self, vocabulary_size: int, embedding_size: int, concepts: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size, self.embedding_size = vocabulary_size, embedding_size
        self.concepts = concepts
        self.embedding = keras.layers.ReversibleEmbedding(
            vocabulary_size, embedding_size, name="embedding"
        )
        if concepts:
            self.concept_score = keras.layers.Dense(embedding_size, name="concept_score")
            self.concept_norm = keras.layers.LayerNormalization(name="concept_norm")

    def build(self, tokens_shape: Shape, annotations_shape: tuple[Any, ...]) -> None:
        self.embedding.build(tokens_shape)
        if self.concepts:
            self.concept_score.build((None, None, 2))
            self.concept_norm.build((None, None, self.embedding_size))
        self.annotation_size = annotations_shape[-1]
        self.built = True

    def concept_slots(
        self, ids: Tensor, logits: Tensor, present: Tensor, regions: Tensor | None = None
    ) -> Concepts:
        """Encode concepts as vectors of the memory.

        Args:
            ids: `int[B, K]`, words of the vocabulary.
            logits: `float[B, K]`, of their presence.
            present: `bool[B, K]`, false for empty slots.
            regions: `float[B, K, R]`, the evidence for each concept by region. None without a
                photograph.
        """
        logits = ops.cast(logits, self.compute_dtype)
        # The same scale as in `TextEncoder`.
        words = self.embedding(ids) * self.embedding_size**0.5
        vectors = self.concept_norm(words + self.concept_score(logit_features(logits)))
        return Concepts(vectors, self.concept_keys(vectors), present, ids, logits, regions)

    def concept_keys(self, vectors: Tensor) -> Tensor | None:
        """Keys for a separate attention to concepts. None if the decoder has none."""
        return None


@keras.saving.register_keras_serializable("captioner")
class AttentionDecoder(WordDecoder):
    """Writes token ids with soft attention over annotation vectors.

    Soft attention and its gate follow Show, Attend and Tell (Xu et al., 2015). As in Lu et al.
    (2017, figure 2b), the query is the state after the previous word was read. So the attention of
    all steps can be computed at once.

    Args:
        vocabulary_size: V, the number of tokens.
        embedding_size: E, the size of a word vector.
        units: H, the size of the recurrent state.
        attention_size: A, the size of queries and keys.
        cell: the recurrent cell, see `captioner.layers.cells`.
        layers: the number of stacked cells.
        dropout: the rate on word vectors, outputs and the deep output.
        condition_size: C, the size of a conditioning vector such as an encoded question. 0 for
            none.
        attention: the kind of attention, see `captioner.layers.attention`.
        concepts: whether the memory holds concepts in addition to regions.
        fusion: how the deep output combines the condition with the other vectors: "sum" adds it.
            "product" also adds a low-rank bilinear product of the two (Kim et al., 2017).
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int = 256,
        units: int = 512,
        attention_size: int = 256,
        cell: str = "lstm",
        layers: int = 1,
        dropout: float = 0.4,
        condition_size: int = 0,
        attention: str = "additive",
        concepts: bool = False,
        fusion: str = "sum",
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary_size, embedding_size, concepts, **kwargs)
        self.units, self.condition_size = units, condition_size
        self.fusion = fusion if condition_size else "sum"

        dense = keras.layers.Dense
        # Word vectors that are also the output projection start small, so a cell with the usual
        # initial weights would ignore its word. The cell starts with weights sqrt(E) times as
        # large, and the overview as much smaller.
        cell_initializer, overview_initializer = (
            keras.initializers.VarianceScaling(scale, "fan_avg", "uniform")
            for scale in (embedding_size, 1 / embedding_size)
        )
        self.overview = dense(
            embedding_size, kernel_initializer=overview_initializer, name="overview"
        )
        self.recurrent = recurrent_cell(
            cell, units, layers, name="recurrent", kernel_initializer=cell_initializer
        )
        self.initial = [
            dense(size, activation="tanh", name=f"initial_{i}")
            for i, size in enumerate(flat_states(self.recurrent.state_size))
        ]
        self.attention = attention_layer(attention, attention_size, name="attention")
        self.gate = gate("gate")
        self.output_hidden = dense(embedding_size, name="output_hidden")
        self.output_context = dense(embedding_size, use_bias=False, name="output_context")
        if condition_size:
            self.output_condition = dense(embedding_size, use_bias=False, name="output_condition")
        if self.fusion == "product":
            # Without bias, so that the zero condition of a caption gives a zero product.
            self.fusion_condition, self.fusion_memory = (
                dense(units, activation="tanh", use_bias=False, name=f"fusion_{name}")
                for name in ("condition", "memory")
            )
            # Zero at first, so that a decoder that was trained with "sum" can be trained further.
            self.fusion_output = dense(
                embedding_size, use_bias=False, kernel_initializer="zeros", name="fusion_output"
            )
        if concepts:
            self.concept_attention = attention_layer(
                attention, attention_size, name="concept_attention"
            )
            self.concept_gate = gate("concept_gate")
            # The embedding is also the output projection. So with the identity, attention to a
            # concept raises the logit of its word from the start.
            self.output_concepts = dense(
                embedding_size,
                use_bias=False,
                kernel_initializer="identity",
                name="output_concepts",
            )
        self.output_norm = keras.layers.LayerNormalization(name="output_norm")
        self.drop = keras.layers.Dropout(dropout, name="drop")

    def build(self, tokens_shape: Shape, annotations_shape: tuple[Any, ...]) -> None:
        super().build(tokens_shape, annotations_shape)
        size, query = self.annotation_size, (None, self.units + self.condition_size)
        mean = size + self.embedding_size if self.concepts else size
        self.overview.build((None, mean))
        self.recurrent.build((None, self.embedding_size))
        for dense in self.initial:
            dense.build((None, mean + self.condition_size))
        self.attention.build(annotations_shape, query)
        self.gate.build((None, self.units))
        self.output_hidden.build((None, self.units))
        self.output_context.build((None, size))
        if self.condition_size:
            self.output_condition.build((None, self.condition_size))
        if self.fusion == "product":
            self.fusion_condition.build((None, self.condition_size))
            self.fusion_memory.build((None, self.embedding_size))
            self.fusion_output.build((None, self.units))
        if self.concepts:
            self.concept_attention.build((None, None, self.embedding_size), query)
            self.concept_gate.build((None, self.units))
            self.output_concepts.build((None, self.embedding_size))
        self.output_norm.build((None, self.embedding_size))

    def memory(
        self,
        annotations: Tensor | None,
        mask: Tensor | None = None,
        concepts: Any = None,
    ) -> Memory:
        """Build the `Memory`. Keys and overview are projected once for all steps.

        Args:
            annotations: `float[B, R, D]`, or None for a memory of concepts only.
            mask: `bool[B, R]`, false where the annotations are padding.
            concepts: `Concepts`, if the decoder uses them.
        """
        if annotations is None:
            rows, keys = ops.shape(concepts.vectors)[0], None
            mean = ops.zeros((rows, self.annotation_size), self.compute_dtype)
        else:
            keys, mean = self.attention.keys(annotations), masked_mean(annotations, mask)
        if self.concepts:
            named = masked_mean(concepts.vectors, concepts.present)
            mean = ops.concatenate([mean, named], axis=-1)
        return Memory(mean, self.overview(mean), annotations, keys, mask, concepts)

    def concept_keys(self, vectors: Tensor) -> Tensor:
        return self.concept_attention.keys(vectors)

    def initial_states(
        self, memory: Memory, sequences: int, condition: Tensor | None = None
    ) -> list[Tensor]:
        """The initial states, each projected from the mean of its memory.

        Args:
            memory: a `Memory` of B photographs.
            sequences: the number of sequences per photograph.
            condition: `float[N, C]`, N = B x sequences, if the decoder is conditioned.

        Returns:
            A flat list of `float[N, H]`.
        """
        mean = ops.repeat(memory.mean, sequences, axis=0)
        return [dense(joined(mean, condition)) for dense in self.initial]

    def read(
        self, words: Tensor, states: list[Tensor], memory: Memory, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Read one word and the overview of the memory.

        Args:
            words: `float[N, E]`, the vectors of the previous words.
            states: flat list of `float[N, H]`.
            memory: a `Memory` of B photographs, N a multiple of B.
            training: whether dropout is applied.

        Returns:
            The output `float[N, H]` and the new states.
        """
        sequences = ops.shape(words)[0] // ops.shape(memory.overview)[0]
        output, states = self.recurrent(
            words + ops.repeat(memory.overview, sequences, axis=0),
            nested_states(self.recurrent, states),
            training=training,
        )
        return output, flat_states(states)

    def look(
        self, outputs: Tensor, memory: Memory, condition: Tensor | None = None
    ) -> tuple[Contexts, Tensor | None]:
        """Attend to the memory for the next word.

        Args:
            outputs: `float[M, H]` of one or more steps, M a multiple of B.
            memory: a `Memory` of B photographs.
            condition: `float[M, C]`, if the decoder is conditioned.

        Returns:
            The gated context vectors: `float[M, D]` of regions and `float[M, E]` of concepts,
            or None. And the attention weights `float[M, R]`, or None without regions. Attention
            to a concept counts as attention to its evidence; the gates weight the two.
        """
        query, looks, regions, named = joined(outputs, condition), [], None, None
        if memory.keys is not None:
            weights, gate = self.attention(query, memory.keys, memory.mask), self.gate(outputs)
            regions = attend(weights, memory.annotations) * gate  # beta, section 4.2.1
            looks.append((weights, gate))
        if self.concepts:
            concepts, gate = memory.concepts, self.concept_gate(outputs)
            weights = self.concept_attention(query, concepts.keys, concepts.present)
            named = attend(weights, concepts.vectors) * gate
            if concepts.regions is not None:
                looks.append((attend(weights, concepts.regions), gate))
        if not looks:
            return (regions, named), None
        total = sum(weights * gate for weights, gate in looks)
        return (regions, named), total / sum(gate for _, gate in looks)

    def step(
        self,
        words: Tensor,
        states: list[Tensor],
        memory: Memory,
        condition: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Contexts, Tensor | None, list[Tensor]]:
        """`read` one word and `look` at the memory.

        Returns:
            The output `float[N, H]`, the context vectors, the attention weights `float[N, R]`
            and the new states.
        """
        output, states = self.read(words, states, memory, training)
        contexts, weights = self.look(output, memory, condition)
        return output, contexts, weights, states

    def logits(
        self,
        words: Tensor,
        outputs: Tensor,
        contexts: Contexts,
        condition: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        """Deep output (Xu et al., eq. 7): the logits `float[M, V]` of the next word.

        The output projection is the transposed embedding (Press and Wolf, 2017).
        """
        regions, named = contexts
        deep = words + self.output_hidden(outputs)
        if regions is not None:
            deep = deep + self.output_context(regions)
        if named is not None:
            deep = deep + self.output_concepts(named)
        if condition is not None:
            evidence, deep = deep, deep + self.output_condition(condition)
            if self.fusion == "product":
                product = self.fusion_memory(evidence) * self.fusion_condition(condition)
                deep = deep + self.fusion_output(product)
        deep = self.drop(self.output_norm(deep), training=training)
        return self.embedding(deep, reverse=True)

    def unroll(
        self,
        tokens: Tensor,
        states: list[Tensor],
        memory: Memory,
        condition: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor | None, list[Tensor]]:
        """Teacher forcing from given states: predict the next word at every step.

        Args:
            tokens: `int[N, T]`, the true words. T is static.
            states: flat list of `float[N, H]`.
            memory: a `Memory` of B photographs, N a multiple of B.
            condition: `float[N, C]`, if the decoder is conditioned.
            training: whether dropout is applied.

        Returns:
            Logits `float[N, T, V]`, attention weights `float[N, T, R]` (None without regions)
            and the final states.
        """
        steps = tokens.shape[1]
        words = self.drop(self.embedding(tokens), training=training)  # [N, T, E]
        outputs = []
        for t in range(steps):
            output, states = self.read(words[:, t], states, memory, training)
            outputs.append(output)
        # No state depends on the attention, so the attention of all steps is one product.
        outputs = ops.reshape(ops.stack(outputs, axis=1), (-1, self.units))  # [N * T, H]
        outputs = self.drop(outputs, training=training)
        if condition is not None:
            condition = ops.repeat(condition, steps, axis=0)
        contexts, weights = self.look(outputs, memory, condition)
        words = ops.reshape(words, (-1, self.embedding_size))
        logits = self.logits(words, outputs, contexts, condition, training)
        if weights is not None:
            weights = ops.reshape(weights, (-1, steps, weights.shape[-1]))
        return ops.reshape(logits, (-1, steps, self.vocabulary_size)), weights, states

    def call(
        self,
        tokens: Tensor,
        memory: Memory,
        condition: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Teacher forcing: `unroll` from the initial states, without the final ones."""
        sequences = ops.shape(tokens)[0] // ops.shape(memory.mean)[0]
        states = self.initial_states(memory, sequences, condition)
        logits, weights, _ = self.unroll(tokens, states, memory, condition, training)
        return logits, weights


def gate(name: str) -> keras.layers.Dense:
    """The weight `float[M, 1]` in 0..1 of a context vector (Xu et al., 2015, section 4.2.1).

    It starts open (bias 1). A closed gate would hide the memory early in training.
    """
    return keras.layers.Dense(1, activation="sigmoid", bias_initializer="ones", name=name)


def joined(vectors: Tensor, condition: Tensor | None) -> Tensor:
    """Concatenate vectors and the condition, if there is one."""
    return vectors if condition is None else ops.concatenate([vectors, condition], axis=-1)


def logit_features(logits: Tensor) -> Tensor:
    """Logits `float[..., K]` of concepts as input of a layer, `float[..., K, 2]`."""
    return ops.stack([ops.clip(logits, -8.0, 8.0) / 4.0, ops.sigmoid(logits)], axis=-1)


def masked_mean(vectors: Tensor, mask: Tensor | None) -> Tensor:
    """The mean `float[B, D]` of the vectors `float[B, R, D]` that the mask `bool[B, R]` keeps.

    Zero if it keeps none.
    """
    if mask is None:
        return ops.mean(vectors, axis=1)
    mask = ops.cast(mask, vectors.dtype)[..., None]
    return ops.sum(vectors * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
