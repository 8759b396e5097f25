"""The base class of the models: configuration, memory, search and presets."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import ops

from captioner import presets
from captioner.data.vocabulary import PAD, Vocabulary
from captioner.generation.confidence import Calibration
from captioner.generation.rules import Rules
from captioner.layers.decoder import AttentionDecoder
from captioner.layers.memory import Memory
from captioner.layers.tensor import Tensor
from captioner.layers.text_encoder import TextEncoder
from captioner.layers.transformer_decoder import TransformerDecoder
from captioner.models.compiled import CompiledFunctions
from captioner.models.config import Config

Inputs = Mapping[str, Tensor]


class ConditionalLanguageModel(keras.Model):
    """Writes words from a memory, conditioned on a question if there is one.

    A subclass creates its layers, including the `decoder`, from its configuration and defines the
    `memory`. The configuration determines all shapes. So a new model can load weights at once,
    without a first batch.

    Args:
        vocabulary: a `Vocabulary` of all words in inputs and outputs, or its list of words.
        config: the settings, an instance of `config_class`. By default its defaults.
    """

    config_class: ClassVar[type[Config]]

    config: Any  # an instance of config_class
    decoder: AttentionDecoder | TransformerDecoder
    drop: keras.layers.Dropout
    rules: Rules | None = None  # None for a model without rules
    calibration: Calibration | None = None  # None without a calibration
    question_encoder: TextEncoder | None = None  # None without questions

    def __init__(
        self, vocabulary: Vocabulary | Iterable[str], config: Config | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary = Vocabulary(vocabulary)
        self.config = self.config_class() if config is None else config

    def new_decoder(
        self, concepts: bool = False, fusion: str = "sum"
    ) -> AttentionDecoder | TransformerDecoder:
        """Create the decoder of a captioner or a translator.

        Raises:
            ValueError: an unknown kind of decoder.
        """
        config = self.config
        common: dict[str, Any] = {
            "vocabulary_size": len(self.vocabulary),
            "embedding_size": config.embedding_size,
            "units": config.units,
            "layers": config.layers,
            "dropout": config.dropout,
            "condition_size": config.question_units,
            "concepts": concepts,
            "name": "decoder",
        }
        if config.decoder == "transformer":
            return TransformerDecoder(
                steps=self.steps, heads=config.heads, positional=config.positional, **common
            )
        if config.decoder != "recurrent":
            raise ValueError(f"unknown decoder {config.decoder!r}; give recurrent or transformer")
        return AttentionDecoder(
            attention_size=config.attention_size,
            cell=config.cell,
            attention=config.attention,
            fusion=fusion,
            **common,
        )

    @functools.cached_property
    def compiled_functions(self) -> CompiledFunctions:
        """The compiled functions of this model. They are created at first use."""
        return CompiledFunctions(self)

    def search(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of `captioner.generation.loop.Generator`, as arrays."""
        return self.compiled_functions.generator.predict_on_batch(dict(inputs))

    @property
    def answers(self) -> bool:
        """Whether the model answers questions."""
        return self.question_encoder is not None

    @property
    def grid(self) -> tuple[int, ...]:
        """The shape of the R attention weights of a word."""
        raise NotImplementedError

    @property
    def steps(self) -> int:
        """T, the maximum number of tokens of a sentence, including the end token."""
        return self.config.max_words + 1

    def memory(self, inputs: Inputs) -> Memory:
        """The memory for the decoder, from a dict of inputs."""
        raise NotImplementedError

    def condition(
        self, inputs: Inputs, sequences: int, memory: Memory, training: bool = False
    ) -> Tensor | None:
        """The condition of the decoder, `float[N, C]`: the encoded questions.

        Args:
            inputs: a dict with "questions" `int[..., Q]`, N in total, or without.
            sequences: N.
            memory: a `Memory` of B inputs, N a multiple of B.
            training: whether dropout is applied.

        Returns:
            The encoded questions. Without questions, the zero vector, which is also the encoding of
            an empty question and means a caption. None for a model without questions.
        """
        if self.question_encoder is None:
            return None
        if "questions" not in inputs:
            return ops.zeros((sequences, self.question_encoder.units))
        questions = ops.reshape(inputs["questions"], (-1, inputs["questions"].shape[-1]))
        words = self.drop(self.question_words(questions, memory), training=training)
        return self.question_encoder(words, questions != PAD, training=training)

    def question_words(self, questions: Tensor, memory: Memory) -> Tensor:
        """The vectors `float[N, Q, E]` of the words of questions `int[N, Q]`."""
        return self.decoder.embedding(questions)

    def detokenize(self, words: Sequence[str], is_answer: bool) -> str:
        """The text of words: an answer if `is_answer`, else a sentence."""
        raise NotImplementedError

    @classmethod
    def from_preset(cls, preset: str | PathLike[str]) -> Self:
        """Load a model from a shipped preset, by name, or from a folder.

        Raises:
            PresetError: the preset is missing, damaged, or belongs to another model.
        """
        folder = presets.verified(preset)
        config = presets.read_config(folder, cls.config_class.from_json)
        vocabulary = presets.read_vocabulary(folder)
        try:
            model = cls(vocabulary, config)
            model.load_weights(folder / presets.WEIGHTS)
        except Exception as error:  # Keras raises many types
            line = " ".join(str(error).split())[:200]
            raise presets.PresetError(f"{folder}: cannot be loaded ({line})") from error
        model.calibration = presets.read_calibration(preset)
        return model

    def save_to_preset(
        self, path: str | PathLike[str], metadata: dict[str, Any] | None = None
    ) -> None:
        """Write the folder for `from_preset`. It replaces an older preset in one step.

        Args:
            path: of the folder.
            metadata: the training of the weights, and their scores.

        Raises:
            OSError: the folder cannot be written, for example for lack of space. An older preset is
                kept.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        with presets.replacement(folder) as new:
            presets.write_json(new / presets.CONFIG, self.config.to_json())
            self.vocabulary.save(new / presets.VOCABULARY)
            full = new / "full.weights.h5"
            presets.require_space(folder, 6 * self.count_params())  # as float32, then as float16
            self.save_weights(full)
            presets.write_half(full, new / presets.WEIGHTS)
            full.unlink()
            hashes = {name: presets.sha256(new / name) for name in presets.FILES}
            presets.write_json(new / presets.METADATA, {"sha256": hashes, **(metadata or {})})

    def get_config(self) -> dict[str, Any]:
        """The settings for `keras.Model.save`."""
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary.words,
            "config": asdict(self.config),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Create a model from the result of `get_config`."""
        return cls(**{**config, "config": cls.config_class(**config["config"])})
