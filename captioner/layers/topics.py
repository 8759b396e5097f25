"""What each sentence of a paragraph is about, before any is written."""

from typing import Any

import keras
from keras import ops

from captioner.layers.cells import recurrent_cell
from captioner.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("captioner")
class TopicNetwork(keras.layers.Layer):
    """The sentence network of a hierarchical decoder (Krause et al., 2017).

    It reads the same vector once for every sentence; its output gives a sentence its topic, which a
    decoder is conditioned on, and says whether the sentence is the last.

    Args:
        units: H, the size of its state.
        topic_size: C, the size of a topic.
        sentences: M, the most sentences of a paragraph.
        cell: the recurrent cell, see `captioner.layers.cells`.
    """

    def __init__(
        self, units: int, topic_size: int, sentences: int, cell: str = "lstm", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.topic_size = topic_size
        self.sentences = sentences
        self.cell = cell
        self.recurrent = keras.layers.RNN(
            recurrent_cell(cell, units), return_sequences=True, unroll=True
        )
        self.hidden = keras.layers.Dense(topic_size, activation="tanh", name="hidden")
        self.topic = keras.layers.Dense(topic_size, name="topic")
        self.last = keras.layers.Dense(1, name="last")

    def build(self, shape: Shape) -> None:
        self.recurrent.build((None, self.sentences, shape[-1]))
        self.hidden.build((None, self.sentences, self.units))
        self.topic.build((None, self.sentences, self.topic_size))
        self.last.build((None, self.sentences, self.units))
        self.built = True

    def call(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Topics `float[B, M, C]`, and the logits `float[B, M]` that a sentence is the last.

        Args:
            vectors: `float[B, D]`, what there is to say something about.
        """
        read = ops.repeat(vectors[:, None], self.sentences, axis=1)
        outputs = self.recurrent(read)
        return self.topic(self.hidden(outputs)), self.last(outputs)[..., 0]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "topic_size": self.topic_size,
            "sentences": self.sentences,
            "cell": self.cell,
        }
