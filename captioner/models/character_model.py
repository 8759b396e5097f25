"""A language model: the decoder of the captioner without anything to read, over characters."""

import keras
import numpy as np
from keras import ops

from captioner.data.vocabulary import SPECIAL, START, Vocabulary
from captioner.generation import loop
from captioner.layers.decoder import AttentionDecoder


@keras.saving.register_keras_serializable("captioner")
class CharacterModel(keras.Model):
    """Predicts the next character; learns by truncated back-propagation through time.

    A text is read in windows. The states that a window ends with are those the next one begins
    with, but no gradient flows from window to window (Williams and Peng, 1990). A batch holds the
    same window of S streams, which are stretches of the text; where a stream begins, with the
    start token, so do the states.

    Args:
        vocabulary: a `Vocabulary` of characters, or their list; see `vocabulary_of`.
        embedding_size: E, the size of the vectors of characters.
        units: H, the size of the recurrent state.
        cell: the recurrent cell, see `captioner.layers.cells`.
        layers: the number of stacked cells.
        dropout: rate on the vectors of characters and the deep output.
        streams: S, the size of every batch that it trains on.
        max_characters: the longest text that it writes.
    """

    def __init__(
        self,
        vocabulary,
        embedding_size=64,
        units=256,
        cell="lstm",
        layers=1,
        dropout=0.0,
        streams=32,
        max_characters=300,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary = Vocabulary(vocabulary)
        self.streams = streams
        self.max_characters = max_characters
        self.decoder = AttentionDecoder(
            len(vocabulary),
            embedding_size,
            units,
            attention_size=0,  # nothing is compared
            cell=cell,
            layers=layers,
            dropout=dropout,
            attention="mean",  # of the only annotation vector, a zero
            name="decoder",
        )
        self.decoder.build((streams, None), (streams, 1, 1))
        self.states = [
            self.add_weight((streams, dense.units), "zeros", trainable=False, name="state")
            for dense in self.decoder.initial
        ]
        self.built = True

    @staticmethod
    def vocabulary_of(text):
        """The `Vocabulary` of the characters of a text."""
        return Vocabulary([*SPECIAL, *sorted(set(text))])

    @property
    def grid(self):
        """`(1,)`: the shape of the attention of a character, which says nothing."""
        return (1,)

    @property
    def steps(self):
        """T, the number of tokens of the longest text written, its end token included."""
        return self.max_characters + 1

    def memory_of(self, inputs):
        """The `Memory` of the "annotations" `float[B, 1, 1]`, zeros: they say nothing."""
        return self.decoder.memory(inputs["annotations"])

    def condition_of(self, inputs, sequences):
        """Nothing: the decoder is not conditioned."""
        return None

    def detokenize(self, characters, asked):
        """The text of characters written."""
        return "".join(characters)

    def call(self, tokens, training=False):
        """Logits `float[S, T, V]` of what follows the characters `int[S, T]` of a window."""
        memory = self.decoder.memory(ops.zeros((self.streams, 1, 1)))
        states = [
            ops.where(tokens[:, :1] == START, initial, ops.convert_to_tensor(state))
            for initial, state in zip(
                self.decoder.initial_states(memory, 1), self.states, strict=True
            )
        ]
        logits, _, states = self.decoder.unroll(tokens, states, memory, training=training)
        for variable, state in zip(self.states, states, strict=True):
            variable.assign(state)
        return logits

    def windows(self, text, length):
        """A text as inputs and targets `int32[N, T]` for `fit`, N / S windows of each stream.

        They come in the order in which `fit` must read them, with `batch_size=S, shuffle=False`.
        What does not fill the last window of every stream is left out.

        Args:
            text: characters of the vocabulary.
            length: T, the number of characters in a window.
        """
        ids = {character: i for i, character in enumerate(self.vocabulary.words)}
        count = len(text) // (self.streams * length)
        tokens = np.array([ids[character] for character in text], "int32")
        tokens = tokens[: self.streams * count * length].reshape(self.streams, -1)
        before = np.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=START)

        def cut(rows):
            rows = rows.reshape(self.streams, count, length)
            return rows.transpose(1, 0, 2).reshape(-1, length)

        return cut(before), cut(tokens)

    def sample(self, temperature=1.0, samples=1, seed=None):
        """Texts drawn from the model's distribution, as a list of `Candidate`.

        Args:
            temperature: below 1 for likelier, above 1 for more surprising characters.
            samples: how many.
            seed: an integer for texts that repeat.
        """
        inputs = {"annotations": np.zeros((samples, 1, 1), "float32")}
        found = loop.generate(self, inputs, loop.Sampling(temperature), seed)
        return [candidates[0] for candidates in found]

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary.words,
            "embedding_size": self.decoder.embedding_size,
            "units": self.decoder.units,
            "cell": self.decoder.cell,
            "layers": self.decoder.layers,
            "dropout": self.decoder.dropout,
            "streams": self.streams,
            "max_characters": self.max_characters,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
