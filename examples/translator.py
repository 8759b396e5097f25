"""Sequence to sequence: the decoder of the captioner over the words of another sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from captioner.data.tokenizer import phrase
from captioner.data.vocabulary import PAD, Vocabulary
from captioner.generation import BEAM_WIDTH
from captioner.generation.batching import stream
from captioner.generation.results import Caption
from captioner.generation.samplers import Beam
from captioner.layers.memory import Memory
from captioner.layers.tensor import Shape, Tensor
from captioner.layers.text_encoder import TextEncoder
from captioner.layers.transformer import TransformerLayer, position_vectors
from captioner.models.base import ConditionalLanguageModel, Inputs
from captioner.models.config import Config


@dataclass(frozen=True, kw_only=True)
class TranslatorConfig(Config):
    """The settings of a `Translator`.

    Attributes:
        embedding_size: E, the size of word vectors.
        units: H, the size of the recurrent state and of the annotation vectors.
        attention_size: A, the size of queries and keys.
        attention: the kind of attention, see `captioner.layers.attention`.
        decoder: "recurrent", or "transformer" for a `TransformerEncoder` and a
            `TransformerDecoder`, which ignore `attention`, `cell` and `bidirectional`.
        cell: the recurrent cell of encoder and decoder, see `captioner.layers.cells`.
        layers: the number of stacked cells or Transformer layers in each.
        heads: the number of heads of a Transformer layer. They share the units.
        positional: whether a Transformer adds position vectors.
        bidirectional: whether the encoder also reads backwards.
        dropout: rate on word vectors and the deep output.
        max_source_words: Q, the maximum length of an input, in words. Longer ones are cut.
        max_words: the maximum length of an output, in words.
        question_units: C, the size of an encoded question about the input. 0 for a model without
            questions.
        max_question_words: the maximum length of a question, in words. Longer ones are cut.
    """

    model: ClassVar[str] = "Translator"

    embedding_size: int = 64
    units: int = 128
    attention_size: int = 64
    attention: str = "additive"
    decoder: str = "recurrent"
    cell: str = "lstm"
    layers: int = 1
    heads: int = 4
    positional: bool = True
    bidirectional: bool = True
    dropout: float = 0.0
    max_source_words: int = 20
    max_words: int = 20
    question_units: int = 0
    max_question_words: int = 10


@keras.saving.register_keras_serializable("captioner")
class TransformerEncoder(keras.layers.Layer):
    """Self-attention over all words of a sentence. The output is a memory for a decoder.

    Args:
        units: H.
        heads: of each layer.
        layers: the number of layers.
        dropout: the rate on the output of each sub-layer.
        positional: whether position vectors are added.
    """

    def __init__(
        self,
        units: int,
        heads: int,
        layers: int,
        dropout: float = 0.0,
        positional: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.positional = units, positional
        self.enter = keras.layers.Dense(units, name="enter")
        self.stack = [
            TransformerLayer(units, heads, dropout, False, name=f"layer_{i}") for i in range(layers)
        ]

    def build(self, words_shape: Shape) -> None:
        self.enter.build(words_shape)
        for layer in self.stack:
            layer.build()
        self.built = True

    def call(self, words: Tensor, mask: Tensor, training: bool = False) -> Tensor:
        """`float[N, Q, H]` of word vectors `float[N, Q, E]`.

        Args:
            words: `float[N, Q, E]`; Q is static.
            mask: `bool[N, Q]`, false for padding. The output there is undefined.
            training: whether dropout is applied.
        """
        x = self.enter(words * words.shape[-1] ** 0.5)  # see `TextEncoder`
        if self.positional:
            x = x + ops.cast(position_vectors(words.shape[1], self.units), x.dtype)
        for layer in self.stack:
            x, _ = layer(x, layer.keys(x), mask[:, None, None], training=training)
        return x


@keras.saving.register_keras_serializable("captioner")
class Translator(ConditionalLanguageModel):
    """Encoder and decoder with attention (Bahdanau et al., 2015): translates, or answers.

    Args:
        vocabulary: a `Vocabulary` of the words in inputs and outputs, or its list of words.
        config: a `TranslatorConfig`. By default its defaults.
    """

    config_class = TranslatorConfig
    config: TranslatorConfig

    def __init__(
        self,
        vocabulary: Vocabulary | Iterable[str],
        config: TranslatorConfig | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary, config, **kwargs)
        config = self.config
        self.drop = keras.layers.Dropout(config.dropout, name="drop")
        self.text_encoder = self._new_encoder()
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.decoder = self.new_decoder()
        words = config.max_source_words
        self.text_encoder.build((None, words, config.embedding_size))
        self.norm.build((None, words, config.units))
        self.decoder.build((None, self.steps), (None, words, config.units))
        if config.question_units:
            self.question_encoder = TextEncoder(
                config.question_units, config.cell, name="question_encoder"
            )
            self.question_encoder.build((None, config.max_question_words, config.embedding_size))
        self.built = True

    def _new_encoder(self) -> TextEncoder | TransformerEncoder:
        config, name = self.config, "text_encoder"
        if config.decoder == "transformer":
            sizes = (config.units, config.heads, config.layers, config.dropout, config.positional)
            return TransformerEncoder(*sizes, name=name)
        stack = (config.cell, config.layers, config.bidirectional)
        return TextEncoder(config.units, *stack, return_sequences=True, name=name)

    @property
    def grid(self) -> tuple[int, ...]:
        """`(Q,)`: the attention of a word is a row of weights over the input words."""
        return (self.config.max_source_words,)

    def encode(self, sources: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Annotation vectors `float[B, Q, H]` of sentences `int[B, Q]`, and the mask of words.

        The vectors are layer-normalised, as for photographs.
        """
        mask = sources != PAD
        words = self.drop(self.decoder.embedding(sources), training=training)
        return self.norm(self.text_encoder(words, mask, training=training)), mask

    def memory(self, inputs: Inputs) -> Memory:
        """The `Memory` of the "sources" `int[B, Q]`."""
        return self.decoder.memory(*self.encode(inputs["sources"]))

    def search_inputs(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The "sources" `int[B, Q]` of B sentences `int[Q]`."""
        return {"sources": np.stack(arrays)}

    def detokenize(self, words: Sequence[str], is_answer: bool) -> str:
        """The text of words."""
        return phrase(words)

    def call(self, inputs: Inputs, training: bool = False) -> Tensor:
        """Teacher-forced logits `float[B, T, V]`.

        Args:
            inputs: a dict of "sources" `int[B, Q]`, padded; "tokens" `int[B, T]`, the previous
                words; and, for answers, "questions" `int[B, 1, Q]`.
            training: whether dropout is applied.
        """
        memory = self.decoder.memory(*self.encode(inputs["sources"], training))
        tokens = inputs["tokens"]
        condition = self.condition(inputs, ops.shape(tokens)[0], memory, training)
        logits, _ = self.decoder(tokens, memory, condition, training=training)
        return logits

    def inputs_of(
        self, sources: Sequence[str], questions: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The inputs of `call` for sentences and, optionally, a question about each.

        Raises:
            ValueError: a sentence has no words.
        """
        inputs = {"sources": self._encoded(sources, self.config.max_source_words)}
        if questions is not None:
            inputs["questions"] = self._encoded(questions, self.config.max_question_words)[:, None]
        return inputs

    def _encoded(self, sentences: Sequence[str], length: int) -> np.ndarray:
        rows = np.stack([self.vocabulary.encode_question(text, length) for text in sentences])
        for text, row in zip(sentences, rows, strict=True):
            if row[0] == PAD:
                raise ValueError(f"a sentence has words, not {text!r}")
        return rows

    def batch_of(
        self, sources: Sequence[str], targets: Sequence[str], questions: Sequence[str] | None = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The inputs and the targets `int32[B, T]` for `fit`."""
        tokens = np.stack([self.vocabulary.encode(text, self.steps) for text in targets])
        return {**self.inputs_of(sources, questions), "tokens": tokens[:, :-1]}, tokens[:, 1:]

    def translate(
        self,
        sources: Sequence[str],
        questions: Sequence[str] | None = None,
        beam_width: int = BEAM_WIDTH,
    ) -> list[Caption]:
        """Translate sentences, or answer questions about them, by beam search.

        The attention of a word is `float[Q]`, with 0 for padding.

        Args:
            sources: a list of sentences.
            questions: one question about each sentence, for answers.
            beam_width: the number of beams. 1 is greedy search.

        Raises:
            ValueError: a sentence has no words.
        """
        rows = self.inputs_of(sources, questions)["sources"]
        asked: Sequence[str | None] = questions or [None] * len(rows)
        items = zip(rows, ([text] for text in asked), strict=True)
        return [row[0] for row in stream(self, items, sampler=Beam(beam_width))]
