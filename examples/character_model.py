"""A language model: the decoder of the captioner without anything to read, over characters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from captioner.data.vocabulary import SPECIAL, START, Vocabulary
from captioner.generation.batching import stream
from captioner.generation.results import Caption
from captioner.generation.samplers import Sampling
from captioner.layers.decoder import AttentionDecoder
from captioner.layers.memory import Memory
from captioner.layers.tensor import Tensor
from captioner.models.base import ConditionalLanguageModel, Inputs
from captioner.models.config import Config


@dataclass(frozen=True, kw_only=True)
class CharacterModelConfig(Config):
    """The settings of a `CharacterModel`.

    Attributes:
        embedding_size: E, the size of the vectors of characters.
        units: H, the size of the recurrent state.
        cell: the recurrent cell, see `captioner.layers.cells`.
        layers: the number of stacked cells.
        dropout: rate on the vectors of characters and the deep output.
        streams: S, the batch size in training.
        max_characters: the maximum length of an output.
    """

    model: ClassVar[str] = "CharacterModel"

    embedding_size: int = 64
    units: int = 256
    cell: str = "lstm"
    layers: int = 1
    dropout: float = 0.0
    streams: int = 32
    max_characters: int = 300


@keras.saving.register_keras_serializable("captioner")
class CharacterModel(ConditionalLanguageModel):
    """Predicts the next character; learns by truncated back-propagation through time.

    A text is read in windows. The states that a window ends with are those the next one begins
    with, but no gradient flows from window to window (Williams and Peng, 1990). A batch holds the
    same window of S streams, which are stretches of the text; where a stream begins, with the
    start token, so do the states.

    Args:
        vocabulary: a `Vocabulary` of characters, or their list; see `vocabulary_of`.
        config: a `CharacterModelConfig`; by default its defaults.
    """

    config_class = CharacterModelConfig
    config: CharacterModelConfig

    def __init__(
        self,
        vocabulary: Vocabulary | Iterable[str],
        config: CharacterModelConfig | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary, config, **kwargs)
        config = self.config
        self.decoder = AttentionDecoder(
            len(self.vocabulary),
            config.embedding_size,
            config.units,
            attention_size=0,  # nothing is compared
            cell=config.cell,
            layers=config.layers,
            dropout=config.dropout,
            attention="mean",  # of the only annotation vector, a zero
            name="decoder",
        )
        self.decoder.build((config.streams, None), (config.streams, 1, 1))
        self.states = [
            self.add_weight((config.streams, dense.units), "zeros", trainable=False, name="state")
            for dense in self.decoder.initial
        ]
        self.built = True

    @staticmethod
    def vocabulary_of(text: str) -> Vocabulary:
        """The `Vocabulary` of the characters of a text."""
        return Vocabulary([*SPECIAL, *sorted(set(text))])

    @property
    def grid(self) -> tuple[int, ...]:
        """`(1,)`: the shape of the attention of a character, which says nothing."""
        return (1,)

    @property
    def steps(self) -> int:
        """T, the number of tokens of the longest text written, its end token included."""
        return self.config.max_characters + 1

    def memory(self, inputs: Inputs) -> Memory:
        """The `Memory` of the "annotations" `float[B, 1, 1]`, zeros: they say nothing."""
        return self.decoder.memory(ops.cast(inputs["annotations"], self.compute_dtype))

    def search_inputs(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The "annotations" of `memory`, of B arrays `float[1, 1]`."""
        return {"annotations": np.stack(arrays)}

    def detokenize(self, words: Sequence[str], is_answer: bool) -> str:
        """The text of characters written."""
        return "".join(words)

    def call(self, tokens: Tensor, training: bool = False) -> Tensor:
        """Logits `float[S, T, V]` of what follows the characters `int[S, T]` of a window."""
        memory = self.decoder.memory(ops.zeros((self.config.streams, 1, 1), self.compute_dtype))
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

    def windows(self, text: str, length: int) -> tuple[np.ndarray, np.ndarray]:
        """A text as inputs and targets `int32[N, T]` for `fit`, N / S windows of each stream.

        They come in the order in which `fit` must read them, with `batch_size=S, shuffle=False`.
        The rest that does not fill a window of each stream is dropped.

        Args:
            text: characters of the vocabulary.
            length: T, the number of characters in a window.
        """
        ids = {character: i for i, character in enumerate(self.vocabulary.words)}
        count = len(text) // (self.config.streams * length)
        tokens = np.array([ids[character] for character in text], "int32")
        tokens = tokens[: self.config.streams * count * length].reshape(self.config.streams, -1)
        before = np.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=START)

        def cut(rows: np.ndarray) -> np.ndarray:
            rows = rows.reshape(self.config.streams, count, length)
            return rows.transpose(1, 0, 2).reshape(-1, length)

        return cut(before), cut(tokens)

    def sample(
        self, temperature: float = 1.0, samples: int = 1, seed: int | None = None
    ) -> list[Caption]:
        """Texts drawn from the model's distribution.

        Args:
            temperature: below 1 for likelier, above 1 for more surprising characters.
            samples: how many.
            seed: an integer for texts that repeat.
        """
        items = [(np.zeros((1, 1), "float32"), [None])] * samples
        return [row[0] for row in stream(self, items, sampler=Sampling(temperature), seed=seed)]
