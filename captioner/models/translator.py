"""Sequence to sequence: the decoder of the captioner over the words of another sentence."""

import keras
import numpy as np
from keras import ops

from captioner.data.tokenizer import phrase
from captioner.data.vocabulary import PAD, Vocabulary
from captioner.generation import loop
from captioner.layers.decoder import AttentionDecoder
from captioner.layers.text_encoder import TextEncoder
from captioner.models.captioner import Captioner


@keras.saving.register_keras_serializable("captioner")
class Translator(keras.Model):
    """Encoder and decoder with attention (Bahdanau et al., 2015): translates, or answers.

    Args:
        vocabulary: a `Vocabulary` of the words read and the words written, or its list of words.
        embedding_size: E, the size of word vectors.
        units: H, the size of the recurrent state and of the annotation vectors.
        attention_size: A, the size of the space of the attention.
        cell: the recurrent cell of encoder and decoder, see `captioner.layers.cells`.
        layers: the number of stacked cells in each.
        bidirectional: whether the encoder reads backwards as well.
        attention: the kind of attention, see `captioner.layers.attention`.
        dropout: rate on word vectors and the deep output.
        max_source_words: Q, the longest sentence read, in words; what is longer is cut.
        max_words: the longest sentence written, in words.
        question_units: C, the size of an encoded question about the sentence read; 0 for a model
            that is asked none.
        max_question_words: the longest question, in words; what is longer is cut.
    """

    def __init__(
        self,
        vocabulary,
        embedding_size=64,
        units=128,
        attention_size=64,
        cell="lstm",
        layers=1,
        bidirectional=True,
        attention="additive",
        dropout=0.0,
        max_source_words=20,
        max_words=20,
        question_units=0,
        max_question_words=10,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary = Vocabulary(vocabulary)
        self.max_source_words = max_source_words
        self.max_words = max_words
        self.question_units = question_units
        self.max_question_words = max_question_words
        self.drop = keras.layers.Dropout(dropout, name="drop")
        self.text_encoder = TextEncoder(
            units, cell, layers, bidirectional, return_sequences=True, name="text_encoder"
        )
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.decoder = AttentionDecoder(
            len(vocabulary),
            embedding_size,
            units,
            attention_size,
            cell,
            layers,
            dropout,
            question_units,
            attention,
            name="decoder",
        )
        self.text_encoder.build((None, max_source_words, embedding_size))
        self.norm.build((None, max_source_words, units))
        self.decoder.build((None, self.steps), (None, max_source_words, units))
        if question_units:
            self.question_encoder = TextEncoder(question_units, cell, name="question_encoder")
            self.question_encoder.build((None, max_question_words, embedding_size))
        self.built = True

    @property
    def grid(self):
        """`(Q,)`: the attention of a word is a row of weights over the words read."""
        return (self.max_source_words,)

    @property
    def steps(self):
        """T, the number of tokens of the longest sentence written, its end token included."""
        return self.max_words + 1

    def encode(self, sources, training=False):
        """Annotation vectors `float[B, Q, H]` of sentences `int[B, Q]`, and what is no padding.

        They are layer-normalised, as those of photographs are.
        """
        written = sources != PAD
        words = self.drop(self.decoder.embedding(sources), training=training)
        return self.norm(self.text_encoder(words, written, training=training)), written

    def memory_of(self, inputs):
        """What the decoder reads: the `Memory` of the "sources" `int[B, Q]`."""
        return self.decoder.memory(*self.encode(inputs["sources"]))

    condition_of = Captioner.condition_of  # questions about a sentence as about a photograph

    def detokenize(self, words, asked):
        """The text of words written."""
        return phrase(words)

    def call(self, inputs, training=False):
        """Teacher-forced logits `float[B, T, V]`.

        Args:
            inputs: a dict of "sources" `int[B, Q]`, padded; "tokens" `int[B, T]`, the words
                before; and, for answers, "questions" `int[B, 1, Q]`.
        """
        annotations, written = self.encode(inputs["sources"], training)
        tokens = inputs["tokens"]
        condition = self.condition_of(inputs, ops.shape(tokens)[0], training)
        logits, _ = self.decoder(tokens, annotations, condition, written, training=training)
        return logits

    def inputs_of(self, sources, questions=None):
        """Sentences, and a question about each if any, as `call` reads them.

        Raises:
            ValueError: a sentence without words.
        """
        inputs = {"sources": self._encoded(sources, self.max_source_words)}
        if questions is not None:
            inputs["questions"] = self._encoded(questions, self.max_question_words)[:, None]
        return inputs

    def _encoded(self, sentences, length):
        rows = np.stack([self.vocabulary.encode_question(text, length) for text in sentences])
        for text, row in zip(sentences, rows, strict=True):
            if row[0] == PAD:
                raise ValueError(f"a sentence has words, not {text!r}")
        return rows

    def batch_of(self, sources, targets, questions=None):
        """Inputs, and the `int32[B, T]` that is to be written about them, for `fit`."""
        tokens = np.stack([self.vocabulary.encode(text, self.steps) for text in targets])
        return {**self.inputs_of(sources, questions), "tokens": tokens[:, :-1]}, tokens[:, 1:]

    def translate(self, sources, questions=None, beam_width=3):
        """The best `Candidate` for each of a list of sentences, by beam search.

        The attention of its words is `float[Q]`, 0 beyond the sentence read.

        Args:
            sources: a list of sentences.
            questions: a list of questions, one about each, for answers.
            beam_width: number of beams; 1 is greedy search.

        Raises:
            ValueError: a sentence without words.
        """
        inputs, found = self.inputs_of(sources, questions), []
        for start in range(0, len(sources), loop.BATCH):
            batch = {name: rows[start : start + loop.BATCH] for name, rows in inputs.items()}
            found += loop.generate(self, batch, loop.Beam(beam_width))
        return [candidates[0] for candidates in found]

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary.words,
            "embedding_size": self.decoder.embedding_size,
            "units": self.decoder.units,
            "attention_size": self.decoder.attention_size,
            "cell": self.decoder.cell,
            "layers": self.decoder.layers,
            "bidirectional": self.text_encoder.bidirectional,
            "attention": self.decoder.attention_name,
            "dropout": self.decoder.dropout,
            "max_source_words": self.max_source_words,
            "max_words": self.max_words,
            "question_units": self.question_units,
            "max_question_words": self.max_question_words,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
