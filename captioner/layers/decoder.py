"""The decoder: a recurrent network that looks at a memory for every word that it writes.

One step is written once: `read` a word, `look`, and the `logits` of the next word. The
teacher-forced pass reads all words first, then looks for all of them at once; every search is a
loop over `step`.
"""

from typing import Any

import keras
from keras import ops

from captioner.layers.attention import attend, attention_layer
from captioner.layers.cells import (
    flat_states,
    nested_states,
    recurrent_cell,
)
from captioner.layers.memory import Concepts, Memory
from captioner.layers.tensor import Shape, Tensor

# What was seen of the regions, and of the concepts; None of what the memory lacks.
Contexts = tuple[Tensor | None, Tensor | None]


class WordDecoder(keras.layers.Layer):
    """What every decoder has: word vectors, and concepts as words of its memory.

    Args:
        vocabulary_size: V, the number of tokens.
        embedding_size: E, the size of a word vector.
        concepts: whether the memory offers concepts beside the regions.
    """

    def __init__(
        self, vocabulary_size: int, embedding_size: int, concepts: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
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
        """The `Concepts` of words and how likely they are to be there.

        Args:
            ids: `int[B, K]`, words of the vocabulary.
            logits: `float[B, K]`, of their presence.
            present: `bool[B, K]`, false where a slot is empty.
            regions: `float[B, K, R]`, where the evidence lies; None without a photograph.
        """
        logits = ops.cast(logits, self.compute_dtype)
        scores = ops.stack([ops.clip(logits, -8.0, 8.0) / 4.0, ops.sigmoid(logits)], axis=-1)
        # Scaled as word vectors are where they are read, see `TextEncoder`.
        words = self.embedding(ids) * self.embedding_size**0.5
        vectors = self.concept_norm(words + self.concept_score(scores))
        return Concepts(vectors, self.concept_keys(vectors), present, ids, logits, regions)

    def concept_keys(self, vectors: Tensor) -> Tensor | None:
        """What an attention to concepts alone compares with, if there is one."""
        return None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_size": self.embedding_size,
            "concepts": self.concepts,
        }


@keras.saving.register_keras_serializable("captioner")
class AttentionDecoder(WordDecoder):
    """Writes token ids with soft attention over annotation vectors.

    Soft attention and its gate are those of Show, Attend and Tell (Xu et al., 2015); as in Lu et
    al. (2017, figure 2b), the state that has read the word before is what looks, so that it looks
    for the word that follows, and no look waits for another one.

    Args:
        vocabulary_size: V, the number of tokens.
        embedding_size: E, the size of a word vector.
        units: H, the size of the recurrent state.
        attention_size: A, the size of the space in which state and regions are compared.
        cell: the recurrent cell, see `captioner.layers.cells`.
        layers: how many cells are stacked.
        dropout: rate on word vectors, on outputs and on the deep output.
        condition_size: C, the size of a vector that conditions what is written, such as an
            encoded question; 0 for none.
        attention: the kind of attention, see `captioner.layers.attention`.
        concepts: whether the memory offers concepts, which are looked at beside the regions.
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
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary_size, embedding_size, concepts, **kwargs)
        self.units = units
        self.attention_size = attention_size
        self.cell = cell
        self.layers = layers
        self.dropout = dropout
        self.condition_size = condition_size
        self.attention_name = attention

        dense = keras.layers.Dense
        # Embeddings that are also the last projection are small: at first no cell would hear which
        # word it reads. So it begins to listen as closely as it would to vectors sqrt(E) as large,
        # and what it reads beside the word begins as small as the word.
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
        if concepts:
            self.concept_attention = attention_layer(
                attention, attention_size, name="concept_attention"
            )
            self.concept_gate = gate("concept_gate")
            # The embedding is the last projection too, so that at first to look at a word is to
            # say it.
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
        """The `Memory` of annotation vectors: keys and overview are projected once.

        Args:
            annotations: `float[B, R, D]`, or None for a memory of concepts alone.
            mask: `bool[B, R]`, false where the annotations are padding.
            concepts: `Concepts`, for a decoder that looks at them.
        """
        if annotations is None:
            keys = None
            mean = ops.zeros((ops.shape(concepts.vectors)[0], self.annotation_size))
            mean = ops.cast(mean, self.compute_dtype)
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
        """States of B x `sequences` sequences, each from the mean of its memory.

        Args:
            memory: a `Memory` of B photographs.
            sequences: how many sequences are written about each.
            condition: `float[N, C]`, N = B x sequences, where the decoder is conditioned.

        Returns:
            A flat list of `float[N, H]`.
        """
        mean = ops.repeat(memory.mean, sequences, axis=0)
        return [dense(joined(mean, condition)) for dense in self.initial]

    def read(
        self, words: Tensor, states: list[Tensor], memory: Memory, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Read one word, and what the memory holds on the whole.

        Args:
            words: `float[N, E]`, the vector of the word before.
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
        """Look at the memory for the word that follows.

        Args:
            outputs: `float[M, H]`, M a multiple of B: of one step or of several.
            memory: a `Memory` of B photographs.
            condition: `float[M, C]`, where the decoder is conditioned.

        Returns:
            The gated context vectors, `float[M, D]` of the regions and, with concepts,
            `float[M, E]` of these; None for what the memory lacks. And the attention weights
            `float[M, R]`, None without regions: to look at a concept is to look where the
            evidence for it lies, and the gates say how much each look counts.
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
        """Read one word and look once.

        Args:
            words: `float[N, E]`, the vector of the word before.
            states: flat list of `float[N, H]`.
            memory: a `Memory` of B photographs, N a multiple of B.
            condition: `float[N, C]`, where the decoder is conditioned.
            training: whether dropout is applied.

        Returns:
            The output `float[N, H]`, the context vectors and attention weights `float[N, R]` that
            `look` returns, and the new states.
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
        """Deep output (Xu et al., eq. 7): `float[M, V]` from the word before, the output, the
        context vectors and, where the decoder is conditioned, `float[M, C]`.

        The last projection is the embedding itself, transposed (Press and Wolf, 2017).
        """
        regions, named = contexts
        deep = words + self.output_hidden(outputs)
        if regions is not None:
            deep = deep + self.output_context(regions)
        if named is not None:
            deep = deep + self.output_concepts(named)
        if condition is not None:
            deep = deep + self.output_condition(condition)
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
        """Read the true words from given states on, predict the next one at every step.

        Args:
            tokens: `int[N, T]`, the words read; T is static.
            states: flat list of `float[N, H]`.
            memory: a `Memory` of B photographs, N a multiple of B.
            condition: `float[N, C]`, where the decoder is conditioned.
            training: whether dropout is applied.

        Returns:
            Logits `float[N, T, V]`, attention weights `float[N, T, R]` (None without regions),
            and the states after.
        """
        steps = tokens.shape[1]
        words = self.drop(self.embedding(tokens), training=training)  # [N, T, E]
        outputs = []
        for t in range(steps):
            output, states = self.read(words[:, t], states, memory, training)
            outputs.append(output)
        # Nothing that is looked at is read again: the looks of all steps are one product.
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
        """Teacher forcing: `unroll` from the initial states.

        Args:
            tokens: `int[N, T]`, each sequence from the start token on; T is static.
            memory: a `Memory` of B photographs, N a multiple of B.
            condition: `float[N, C]`, where the decoder is conditioned.
            training: whether dropout is applied.

        Returns:
            Logits `float[N, T, V]` and attention weights `float[N, T, R]`.
        """
        sequences = ops.shape(tokens)[0] // ops.shape(memory.mean)[0]
        states = self.initial_states(memory, sequences, condition)
        logits, weights, _ = self.unroll(tokens, states, memory, condition, training)
        return logits, weights

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "attention_size": self.attention_size,
            "cell": self.cell,
            "layers": self.layers,
            "dropout": self.dropout,
            "condition_size": self.condition_size,
            "attention": self.attention_name,
        }


def gate(name: str) -> keras.layers.Dense:
    """How much a look counts, `float[M, 1]` in 0..1. It begins open (bias 1), or what it lets
    through is ignored early in training."""
    return keras.layers.Dense(1, activation="sigmoid", bias_initializer="ones", name=name)


def joined(vectors: Tensor, condition: Tensor | None) -> Tensor:
    """The vectors, and beside each what the decoder is conditioned on."""
    return vectors if condition is None else ops.concatenate([vectors, condition], axis=-1)


def masked_mean(vectors: Tensor, mask: Tensor | None) -> Tensor:
    """`float[B, D]`: the mean of `float[B, R, D]` where `bool[B, R]`, if given, is true; zero where
    nothing is."""
    if mask is None:
        return ops.mean(vectors, axis=1)
    mask = ops.cast(mask, vectors.dtype)[..., None]
    return ops.sum(vectors * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
