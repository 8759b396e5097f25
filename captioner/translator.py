"""Sequence to sequence: the decoder of the captioner over the words of another sentence."""

import keras
import numpy as np

from captioner import search
from captioner.decoder import AttentionDecoder
from captioner.text import PAD, Vocabulary, phrase
from captioner.text_encoder import TextEncoder


@keras.saving.register_keras_serializable("captioner")
class Translator(keras.Model):
    """Encoder and decoder with attention (Bahdanau et al., 2015).

    Args:
        vocabulary: a `Vocabulary` of the words read and the words written, or its list of words.
        embedding_size: E, the size of word vectors.
        units: H, the size of the recurrent state and of the annotation vectors.
        attention_size: A, the size of the space of the attention.
        cell: the recurrent cell of encoder and decoder, see `captioner.cells`.
        layers: the number of stacked cells in each.
        bidirectional: whether the encoder reads backwards as well.
        attention: the kind of attention, see `captioner.attention`.
        dropout: rate on word vectors and the deep output.
        max_source_words: Q, the longest sentence read, in words; what is longer is cut.
        max_words: the longest sentence written, in words.
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
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(vocabulary, Vocabulary):
            vocabulary = Vocabulary(vocabulary)
        self.vocabulary = vocabulary
        self.max_source_words = max_source_words
        self.max_words = max_words
        self.text_encoder = TextEncoder(
            units, cell, layers, bidirectional, return_sequences=True, name="text_encoder"
        )
        self.decoder = AttentionDecoder(
            len(vocabulary),
            embedding_size,
            units,
            attention_size,
            cell,
            layers,
            dropout,
            attention=attention,
            name="decoder",
        )
        self.text_encoder.build((None, max_source_words, embedding_size))
        self.decoder.build((None, self.steps), (None, max_source_words, units))
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
        """Annotation vectors `float[B, Q, H]` of sentences `int[B, Q]`, and what is no padding."""
        written = sources != PAD
        words = self.decoder.embedding(sources)
        return self.text_encoder(words, written, training=training), written

    def memory_of(self, inputs):
        """What the decoder reads: the `Memory` of the "sources" `int[B, Q]`."""
        return self.decoder.memory(*self.encode(inputs["sources"]))

    def condition_of(self, inputs, sequences):
        """Nothing: the decoder is not conditioned."""
        return None

    def detokenize(self, words, inputs):
        """The text of words written."""
        return phrase(words)

    def call(self, inputs, training=False):
        """Teacher-forced logits `float[B, T, V]`.

        Args:
            inputs: a dict of "sources" `int[B, Q]`, padded, and of "tokens" `int[B, T]`, the words
                before.
        """
        annotations, written = self.encode(inputs["sources"], training)
        logits, _ = self.decoder(inputs["tokens"], annotations, written=written, training=training)
        return logits

    def encode_sources(self, sentences):
        """`int32[B, Q]`: the words of sentences, as `call` reads them.

        Raises:
            ValueError: a sentence without words.
        """
        encode, length = self.vocabulary.encode_question, self.max_source_words
        sources = np.stack([encode(text, length) for text in sentences])
        for text, row in zip(sentences, sources, strict=True):
            if row[0] == PAD:
                raise ValueError(f"a sentence has words, not {text!r}")
        return sources

    def encode_pairs(self, pairs):
        """Inputs and targets `int32[B, T]` for `fit`, of (source, target) sentences."""
        sources, targets = zip(*pairs, strict=True)
        tokens = np.stack([self.vocabulary.encode(text, self.steps) for text in targets])
        return {"sources": self.encode_sources(sources), "tokens": tokens[:, :-1]}, tokens[:, 1:]

    def translate(self, sentences, beam_width=3):
        """The best `Candidate` for each of a list of sentences, by beam search.

        The attention of its words is `float[Q]`, 0 beyond the sentence read.

        Raises:
            ValueError: a sentence without words.
        """
        sources = self.encode_sources(sentences)
        found = []
        for start in range(0, len(sources), search.BATCH):
            batch = {"sources": sources[start : start + search.BATCH]}
            found += search.generate(self, batch, search.Beam(beam_width))
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
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
