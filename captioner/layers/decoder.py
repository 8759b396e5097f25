"""The decoder: a recurrent network that reads a memory while it writes.

Show, Attend and Tell (Xu et al., 2015), the soft variant. One step is written once, in
`AttentionDecoder.step`; the teacher-forced pass and every search are loops over it.
"""

from typing import NamedTuple

import keras
from keras import ops

from captioner.layers.attention import attend, attention_layer
from captioner.layers.cells import flat_states, nested_states, recurrent_cell, top_hidden_state


class Memory(NamedTuple):
    """What the decoder reads; computed once for a photograph, whatever is written about it.

    Its R annotation vectors are those of image regions or of the words of a sentence. Where a
    single zero is all it holds, the decoder is a language model.
    """

    annotations: object  # float[B, R, D]
    keys: object  # what the attention compares with, float[B, R, A]
    written: object = None  # bool[B, R], false where padded; None where nothing is


@keras.saving.register_keras_serializable("captioner")
class AttentionDecoder(keras.layers.Layer):
    """Writes token ids with soft attention over annotation vectors.

    Args:
        vocabulary_size: V, the number of tokens.
        embedding_size: E, the size of a word vector.
        units: H, the size of the recurrent state.
        attention_size: A, the size of the space in which state and regions are compared.
        cell: the recurrent cell, see `captioner.layers.cells`.
        layers: how many cells are stacked.
        dropout: rate on word vectors and on the deep output.
        condition_size: C, the size of a vector that conditions what is written, such as an
            encoded question; 0 for none.
        attention: the kind of attention, see `captioner.layers.attention`.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_size=256,
        units=512,
        attention_size=256,
        cell="lstm",
        layers=1,
        dropout=0.4,
        condition_size=0,
        attention="additive",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.units = units
        self.attention_size = attention_size
        self.cell = cell
        self.layers = layers
        self.dropout = dropout
        self.condition_size = condition_size
        self.attention_name = attention

        self.embedding = keras.layers.ReversibleEmbedding(
            vocabulary_size, embedding_size, name="embedding"
        )
        self.recurrent = recurrent_cell(cell, units, layers, name="recurrent")
        self.attention = attention_layer(attention, attention_size, name="attention")
        self.initial = [
            keras.layers.Dense(size, activation="tanh", name=f"initial_{i}")
            for i, size in enumerate(flat_states(self.recurrent.state_size))
        ]
        # Initial bias 1: the gate begins open, or the photograph is ignored early in training.
        self.gate = keras.layers.Dense(
            1, activation="sigmoid", bias_initializer="ones", name="gate"
        )
        self.output_hidden = keras.layers.Dense(embedding_size, name="output_hidden")
        self.output_context = keras.layers.Dense(
            embedding_size, use_bias=False, name="output_context"
        )
        if condition_size:
            self.output_condition = keras.layers.Dense(
                embedding_size, use_bias=False, name="output_condition"
            )
        self.output_norm = keras.layers.LayerNormalization(name="output_norm")
        self.drop = keras.layers.Dropout(dropout, name="drop")

    def build(self, tokens_shape, annotations_shape):
        size = annotations_shape[-1]
        self.embedding.build(tokens_shape)
        self.attention.build(annotations_shape, (None, self.units + self.condition_size))
        for dense in self.initial:
            dense.build((None, size + self.condition_size))
        self.recurrent.build((None, self.embedding_size + size))
        self.gate.build((None, self.units))
        self.output_hidden.build((None, self.units))
        self.output_context.build((None, size))
        if self.condition_size:
            self.output_condition.build((None, self.condition_size))
        self.output_norm.build((None, self.embedding_size))
        self.built = True

    def memory(self, annotations, written=None):
        """Project the keys of annotation vectors `float[B, R, D]`, once for each photograph.

        Args:
            annotations: `float[B, R, D]`.
            written: `bool[B, R]`, false where the annotations are padding.
        """
        return Memory(annotations, self.attention.keys(annotations), written)

    def initial_states(self, memory, sequences, condition=None):
        """States of B x `sequences` sequences, each from its memory's mean annotation.

        Args:
            memory: a `Memory` of B photographs.
            sequences: how many sequences are written about each.
            condition: `float[N, C]`, N = B x sequences, where the decoder is conditioned.

        Returns:
            A flat list of `float[N, H]`.
        """
        annotations, written = memory.annotations, memory.written
        if written is None:
            mean = ops.mean(annotations, axis=1)
        else:
            written = ops.cast(written, annotations.dtype)[..., None]
            mean = ops.sum(annotations * written, axis=1) / ops.sum(written, axis=1)
        mean = ops.repeat(mean, sequences, axis=0)
        return [dense(_joined(mean, condition)) for dense in self.initial]

    def step(self, words, states, memory, condition=None, training=False):
        """Read one word and look once.

        Args:
            words: `float[N, E]`, the vector of the word before.
            states: flat list of `float[N, H]`.
            memory: a `Memory` of B photographs, N a multiple of B.
            condition: `float[N, C]`, where the decoder is conditioned.

        Returns:
            The output `float[N, H]`, the gated context vector `float[N, D]`, the attention
            weights `float[N, R]`, and the new states.
        """
        before = top_hidden_state(self.recurrent, states)
        weights = self.attention(_joined(before, condition), memory.keys, memory.written)
        context = attend(weights, memory.annotations) * self.gate(before)  # beta, section 4.2.1
        output, states = self.recurrent(
            ops.concatenate([words, context], axis=-1),
            nested_states(self.recurrent, states),
            training=training,
        )
        return output, context, weights, flat_states(states)

    def logits(self, words, outputs, contexts, condition=None, training=False):
        """Deep output (eq. 7): `float[..., V]` from word before, state, context vector and, where
        the decoder is conditioned, `float[..., C]`.

        The last projection is the embedding itself, transposed (Press and Wolf, 2017).
        """
        deep = words + self.output_hidden(outputs) + self.output_context(contexts)
        if condition is not None:
            deep = deep + self.output_condition(condition)
        deep = self.drop(self.output_norm(deep), training=training)
        return self.embedding(deep, reverse=True)

    def unroll(self, tokens, states, memory, condition=None, training=False):
        """Read the true words from given states on, predict the next one at every step.

        Args:
            tokens: `int[N, T]`, the words read; T is static.
            states: flat list of `float[N, H]`.
            memory: a `Memory` of B photographs, N a multiple of B.
            condition: `float[N, C]`, where the decoder is conditioned.

        Returns:
            Logits `float[N, T, V]`, attention weights `float[N, T, R]`, and the states after.
        """
        words = self.drop(self.embedding(tokens), training=training)  # [N, T, E]
        outputs, contexts, weights = [], [], []
        for t in range(tokens.shape[1]):
            output, context, weight, states = self.step(
                words[:, t], states, memory, condition, training
            )
            outputs.append(output)
            contexts.append(context)
            weights.append(weight)
        # The widest product of the model, done once for all steps rather than once a step.
        outputs, contexts = ops.stack(outputs, axis=1), ops.stack(contexts, axis=1)
        if condition is not None:
            condition = condition[:, None]
        logits = self.logits(words, outputs, contexts, condition, training)
        return logits, ops.stack(weights, axis=1), states

    def call(self, tokens, annotations, condition=None, written=None, training=False):
        """Teacher forcing: `unroll` from the initial states.

        Args:
            tokens: `int[N, T]`, each sequence from the start token on; T is static.
            annotations: `float[B, R, D]`, N a multiple of B.
            condition: `float[N, C]`, where the decoder is conditioned.
            written: `bool[B, R]`, false where the annotations are padding.

        Returns:
            Logits `float[N, T, V]` and attention weights `float[N, T, R]`.
        """
        memory = self.memory(annotations, written)
        sequences = ops.shape(tokens)[0] // ops.shape(annotations)[0]
        states = self.initial_states(memory, sequences, condition)
        logits, weights, _ = self.unroll(tokens, states, memory, condition, training)
        return logits, weights

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_size": self.embedding_size,
            "units": self.units,
            "attention_size": self.attention_size,
            "cell": self.cell,
            "layers": self.layers,
            "dropout": self.dropout,
            "condition_size": self.condition_size,
            "attention": self.attention_name,
        }


def _joined(vectors, condition):
    return vectors if condition is None else ops.concatenate([vectors, condition], axis=-1)
