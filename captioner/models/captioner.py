"""The captioner: an encoder of photographs and a decoder of captions and answers."""

import math
import re
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
from keras import ops

from captioner.data.vocabulary import END, PAD, Vocabulary
from captioner.generation.rules import Rules
from captioner.layers.decoder import logit_features
from captioner.layers.image_encoder import build_encoder
from captioner.layers.memory import Memory, take
from captioner.layers.tensor import Tensor
from captioner.layers.text_encoder import TextEncoder
from captioner.models.base import ConditionalLanguageModel, Inputs
from captioner.models.config import CaptionerConfig
from captioner.models.photographs import PhotographMixin

# Augmentation of concepts in training: the share of empty slots, and the standard deviation of the
# noise on their logits.
CONCEPT_DROPOUT, CONCEPT_NOISE = 0.2, 0.7
# Names of inputs with target sequences, see `Captioner.call`.
SEQUENCES = re.compile(r"(captions|answers|texts|text_answers)(_\d+)?")


@keras.saving.register_keras_serializable("captioner")
class Captioner(PhotographMixin, ConditionalLanguageModel):
    """Show, Attend and Tell (Xu et al., 2015) with soft attention over the regions of a CNN.

    The memory can also hold concepts: the most probable words of a head over the encoder, each with
    the regions that support it (You et al., 2016). With concepts, the decoder can also learn from
    sentences without photographs.

    A row of a batch is one photograph with K sequences. So the encoder and the keys of the
    attention are computed once for all of them.

    Args:
        vocabulary: a `Vocabulary`, or its list of words.
        config: a `CaptionerConfig`. By default its defaults.
        encoder_weights: None, "imagenet" or a file, see `build_encoder`. It is not part of the
            configuration.

    Examples:
        >>> model = Captioner.from_preset("everyday")
        >>> model.caption("photo.jpg").text
    """

    config_class = CaptionerConfig
    config: CaptionerConfig
    question_concept: keras.layers.Dense | None = None  # None if questions do not read concepts

    def __init__(
        self,
        vocabulary: Vocabulary | Iterable[str],
        config: CaptionerConfig | None = None,
        encoder_weights: str | PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary, config, **kwargs)
        config = self.config
        self.rules = Rules.of(self.vocabulary, config.caption_words)
        self.encoder = build_encoder(
            config.encoder, config.image_size, encoder_weights, config.encoder_settings
        )
        self.project = keras.layers.Dense(config.annotation_size, name="project")
        self.norm = keras.layers.LayerNormalization(name="norm")
        # Features do not contain the position, but "left of the bed" needs it. These vectors start
        # as large as the normalised features that they are added to; smaller ones have no effect.
        self.position = keras.layers.Embedding(
            self.regions,
            config.annotation_size,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="position",
        )
        self.drop = keras.layers.Dropout(config.dropout, name="drop")
        self.attention_penalty = config.attention_penalty  # self-critical training scales it
        self.decoder = self.new_decoder(bool(config.concepts), config.question_fusion)
        if config.concepts:
            self.concept_head = keras.layers.Dense(len(config.concepts), name="concept_head")
            ids = {word: i for i, word in enumerate(self.vocabulary.words)}
            self.concept_ids = np.array([ids[word] for word in config.concepts], "int32")
            self.seed = keras.random.SeedGenerator(0)
        if config.question_units:
            self.question_encoder = TextEncoder(
                config.question_units,
                config.cell,
                config.question_layers,
                config.question_bidirectional,
                name="question_encoder",
            )
            if config.concepts and config.question_fusion == "product":
                # Zero at first, so that a model that was trained with "sum" can be trained further.
                self.question_concept = keras.layers.Dense(
                    config.embedding_size,
                    use_bias=False,
                    kernel_initializer="zeros",
                    name="question_concept",
                )
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Create the weights of all layers."""
        config = self.config
        _, _, _, channels = self.encoder.output_shape
        self.project.build((None, self.regions, channels))
        self.norm.build((None, self.regions, config.annotation_size))
        self.position.build((self.regions,))
        self.decoder.build((None, self.steps), (None, self.regions, config.annotation_size))
        if config.concepts:
            self.concept_head.build((None, self.regions, channels))
        if self.question_encoder is not None:
            self.question_encoder.build((None, config.max_question_words, config.embedding_size))
        if self.question_concept is not None:
            self.question_concept.build((None, config.max_question_words, 2))
        self.built = True

    @property
    def grid(self) -> tuple[int, ...]:
        """`(h, w)`: rows and columns of regions; region r is in row r // w and column r % w."""
        return self.encoder.output_shape[1:3]

    @property
    def regions(self) -> int:
        """R, the number of regions of a photograph."""
        return self.grid[0] * self.grid[1]

    def encode(self, photographs: np.ndarray) -> np.ndarray:
        """The compiled version of `features`, from an array `uint8[B, S, S, 3]` to an array."""
        maps = self.compiled_functions.encoder.predict_on_batch(photographs.astype("float32"))
        return maps.reshape(len(maps), self.regions, -1)

    def features(self, photographs: Tensor) -> Tensor:
        """`float[B, R, C]`: the last feature map of RGB photographs `[B, S, S, 3]` in 0..255."""
        # Batch normalisation stays in inference mode even while the encoder is fine-tuned: batches
        # are small, so the ImageNet statistics are better estimates.
        maps = self.encoder(ops.cast(photographs, self.compute_dtype), training=False)
        return ops.reshape(maps, (-1, self.regions, maps.shape[-1]))

    def annotations(self, features: Tensor, training: bool = False) -> Tensor:
        """The annotation vectors `float[B, R, D]`: projected, normalised features plus a learned
        position vector for each region."""
        annotations = self.norm(self.project(ops.cast(features, self.compute_dtype)))
        return self.drop(annotations + self.position(ops.arange(self.regions)), training=training)

    def concept_logits(self, scores: Tensor) -> Tensor:
        """The logits `float[B, C]` of concepts, from the scores `float[B, R, C]` of the regions.

        Log-sum-exp pooling over the regions (Pinheiro and Collobert, 2015).
        """
        return ops.logsumexp(scores, axis=1) - math.log(self.regions)

    def concepts(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The most probable concepts of photographs.

        Args:
            features: `float[B, R, C]`.

        Returns:
            K indices into `config.concepts` `int[B, K]`, their logits `float[B, K]`, and the share
            of each region in the evidence for each concept, `float[B, K, R]`.
        """
        scores = self.concept_head(ops.cast(features, self.compute_dtype))
        best, ids = ops.top_k(self.concept_logits(scores), self.config.concept_slots)
        scores = ops.take_along_axis(ops.transpose(scores, (0, 2, 1)), ids[..., None], axis=1)
        return ids, best, ops.softmax(scores, axis=-1)

    def memory(self, inputs: Inputs, training: bool = False) -> Memory:
        """The `Memory` of the "photographs" or "features" in a dict of inputs."""
        if "features" in inputs:
            features = inputs["features"]
        else:
            features = self.features(inputs["photographs"])
        annotations, slots = self.annotations(features, training), None
        if self.config.concepts:
            # The head learns from labels only, in the phase concepts.
            ids, logits, regions = map(ops.stop_gradient, self.concepts(features))
            present = ops.ones(ops.shape(ids), "bool")
            if training:
                # The logits of training photographs are more certain than those of others.
                shape = ops.shape(logits)
                logits = logits + CONCEPT_NOISE * keras.random.normal(
                    shape, dtype=logits.dtype, seed=self.seed
                )
                present = keras.random.uniform(shape, seed=self.seed) >= CONCEPT_DROPOUT
            ids = ops.take(ops.convert_to_tensor(self.concept_ids), ids)
            slots = self.decoder.concept_slots(ids, logits, present, regions)
        return self.decoder.memory(annotations, concepts=slots)

    def text_memory(self, inputs: Inputs) -> Memory:
        """The `Memory` of sentences without a photograph: only concepts, from the inputs "concepts"
        `int[B, K]`, words of the vocabulary or padding, and "logits" `float[B, K]`."""
        ids = inputs["concepts"]
        slots = self.decoder.concept_slots(ids, inputs["logits"], ids != PAD)
        return self.decoder.memory(None, concepts=slots)

    def question_words(self, questions: Tensor, memory: Memory) -> Tensor:
        """The vectors of the words. That of a concept in the memory also contains its logit, so
        that "is there a dog?" can be answered from the detected "dog"."""
        words = super().question_words(questions, memory)
        if self.question_concept is None:
            return words
        concepts, count = memory.concepts, ops.shape(questions)[0]
        ids, present, scores = (
            ops.repeat(values, count // ops.shape(values)[0], axis=0)
            for values in (concepts.ids, concepts.present, logit_features(concepts.logits))
        )
        same = ops.equal(ops.expand_dims(questions, -1), ops.expand_dims(ids, 1))  # [N, Q, K]
        same = ops.cast(same & ops.expand_dims(present, 1), self.compute_dtype)
        return words + self.question_concept(ops.matmul(same, scores))

    def call(self, inputs: Inputs, training: bool = False) -> dict[str, Tensor]:
        """Teacher-forced logits of captions, of answers, or of both.

        Args:
            inputs: a dict with "photographs" `[B, S, S, 3]` in 0..255, or "features"
                `float[B, R, C]`; for sentences without photographs also "concepts" and "logits",
                see `text_memory`. And the previous words: "captions" `int[B, K, T]`, "answers"
                `int[B, M, U]` to "questions" `int[B, M, Q]`, "texts" `int[G, K, T]`. Or groups of
                sequences of one length: "captions_12" `int[N, 12]` about the photographs
                "captions_12_rows" `int[N]`; likewise "answers_2" with "answers_2_questions"
                `int[N, Q]`, "texts_12" and "text_answers_2".
            training: whether dropout is applied, and noise on the concepts.

        Returns:
            A dict with the logits of the next words by the same names: "captions"
            `float[B, K, T, V]`, "captions_12" `float[N, 12, V]`.
        """
        memory = self.memory(inputs, training)
        texts = self.text_memory(inputs) if "concepts" in inputs else memory
        logits, looks = {}, []
        # Sorted, so that runs with one seed have the same dropout.
        for name in sorted(filter(SEQUENCES.fullmatch, inputs)):
            shape = inputs[name].shape
            tokens = ops.reshape(inputs[name], (-1, shape[-1]))
            question = inputs.get(f"{name}_questions", inputs.get("questions"))
            question = {"questions": question} if "answers" in name else {}
            read = texts if name.startswith("text") else memory
            if f"{name}_rows" in inputs:
                read = take(read, inputs[f"{name}_rows"])
            condition = self.condition(question, ops.shape(tokens)[0], read, training)
            found, attention = self.decoder(tokens, read, condition, training=training)
            logits[name] = ops.reshape(found, (-1, *shape[1:], found.shape[-1]))
            # The penalty is for sentences: an answer of one word may attend to one region.
            if name.startswith("captions"):
                looks.append((attention, (tokens != PAD) & (tokens != END)))  # nothing follows END
        if training and looks and self.attention_penalty:
            self.add_loss(self.attention_penalty * doubly_stochastic(looks))
        return logits


def doubly_stochastic(looks: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """The penalty of Xu et al. (2015), eq. 14, for regions with unequal total attention.

    The paper compares the total attention of a region with 1. Here the constant is length / R, so
    even attention has no penalty. The totals of a sentence always add up to its length, so the
    constant does not change the gradient.

    Args:
        looks: for each group of N sequences their attention `float[N, T, R]`, summing to 1 over R,
            and `bool[N, T]`, false where a sequence is padded.

    Returns:
        `float[]` in float32: the squared difference, averaged over regions and over the sequences
        with words.
    """
    squares, spoken = 0.0, 0.0
    for attention, words in looks:
        attention, words = ops.cast(attention, "float32"), ops.cast(words, "float32")
        totals = ops.sum(attention * words[..., None], axis=1)  # [N, R]
        lengths = ops.sum(words, axis=1, keepdims=True)
        regions = attention.shape[-1]
        squares += ops.sum(ops.square(totals - lengths / regions)) / regions
        spoken += ops.sum(ops.cast(lengths > 0, "float32"))
    return squares / ops.maximum(spoken, 1.0)
