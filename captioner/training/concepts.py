"""Concepts: which words a head over the encoder looks for, and how it learns to find them."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np
from keras import ops

from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.tokenizer import tokenize
from captioner.layers.tensor import Tensor
from captioner.models.captioner import Captioner
from captioner.training.batches import Photograph, ReadOne

# How much it weighs that a word is not among what 0, 1, 2, or more captions say.
ABSENCE = (0.05, 0.4, 0.7, 1.0)
LABEL = 0.8  # how sure a label is; beside captions, which would have said it, 0.5
HEAD_EPOCHS, HEAD_RATE, HEAD_BATCH = 12, 1e-3, 64  # of the head alone


def choose(caption_lists: Iterable[Sequence[str]], count: int) -> tuple[str, ...]:
    """The words that may be concepts: those said of the most photographs.

    Args:
        caption_lists: the captions of each photograph.
        count: how many words at most; function words and shorter words than "tv" are none.
    """
    counts = Counter(
        word
        for captions in caption_lists
        for word in {word for caption in captions for word in tokenize(caption)}
        if word not in FUNCTION_WORDS and (len(word) > 2 or word == "tv") and word[0].isalpha()
    )
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return tuple(ranked[:count])


def targets(
    captions: Sequence[Sequence[str]], objects: Sequence[Sequence[str]], concepts: Sequence[str]
) -> np.ndarray:
    """What the head is to find, and how much it matters.

    Args:
        captions: of each of N photographs, or groups of sentences.
        objects: names of what is known to be in each.
        concepts: the C words.

    Returns:
        `float32[N, C, 2]`: the share of captions that name a concept, or how sure a label is; and
        its weight, which is small where a word is absent from the little that is said.
    """
    places = {word: i for i, word in enumerate(concepts)}
    wanted = np.zeros((len(captions), len(concepts), 2), "float32")
    for row, spoken, labels in zip(wanted, captions, objects, strict=True):
        for caption in spoken:
            for word in {word for word in tokenize(caption) if word in places}:
                row[places[word], 0] += 1 / len(spoken)
        row[:, 1] = ABSENCE[min(len(spoken), len(ABSENCE) - 1)]
        for word in {word for label in labels for word in tokenize(label) if word in places}:
            row[places[word], 0] = max(row[places[word], 0], 0.5 if spoken else LABEL)
        found = np.flatnonzero(row[:, 0])
        row[found, 1] = 1
        if not spoken:  # a label is in the singular, whatever the photograph shows
            for word in (concepts[int(i)] for i in found):
                for other in (f"{word}s", f"{word}es", word.removesuffix("s")):
                    if other in places and not row[places[other], 0]:
                        row[places[other], 1] = 0
    return wanted


def train_last(encoder: keras.Model, count: int) -> None:
    """Let the last `count` layers with weights of an encoder learn, and no other; 0 for all.

    The first layers work on the largest maps and take most of the time; the edges and textures that
    they find change least.
    """
    for layer in list(_layers(encoder))[: -count if count else 0]:
        layer.trainable = False


def _layers(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers with weights, in the order of the forward pass."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        elif layer.weights:
            yield layer


def detector(model: Captioner) -> keras.Model:
    """The encoder and the head of a captioner as a model that shares their weights: of photographs
    `float[B, S, S, 3]` the logits `float[B, C]` of all concepts."""
    photographs = keras.Input(model.encoder.input_shape[1:])
    maps = model.encoder(photographs, training=False)  # as in `Captioner.features`
    features = ops.reshape(maps, (-1, model.regions, maps.shape[-1]))
    return keras.Model(
        photographs, model.concept_logits(model.concept_head(features)), name="detector"
    )


def weighted_cross_entropy(wanted: Tensor, logits: Tensor) -> Tensor:
    """The loss `float[B]`: binary cross-entropy, weighted, summed over the concepts.

    Args:
        wanted: `float[B, C, 2]`, see `targets`.
        logits: `float[B, C]`.
    """
    losses = ops.binary_crossentropy(wanted[..., 0], logits, from_logits=True)
    return ops.sum(losses * wanted[..., 1], axis=-1)


def fit_head(model: Captioner, features: np.ndarray, wanted: np.ndarray, seed: int) -> None:
    """Fit the head to mean features of the encoder, `float[N, C]`, which takes seconds: what is
    trained with the encoder then need not begin with nothing."""
    head = model.concept_head
    prior = (wanted[..., 0] * wanted[..., 1]).sum(0) / np.maximum(wanted[..., 1].sum(0), 1e-3)
    prior = np.clip(prior, 1e-4, 0.9)
    kernel = np.zeros((features.shape[1], wanted.shape[1]), "float32")
    head.set_weights([kernel, np.log(prior / (1 - prior)).astype("float32")])
    probe = keras.Sequential([keras.Input(features.shape[1:]), keras.layers.Dropout(0.2), head])
    steps = HEAD_EPOCHS * math.ceil(len(features) / HEAD_BATCH)
    rate = keras.optimizers.schedules.CosineDecay(HEAD_RATE, steps)
    probe.compile(keras.optimizers.AdamW(rate, weight_decay=0.02), weighted_cross_entropy)
    rng = np.random.default_rng(seed)
    for _ in range(HEAD_EPOCHS):
        order = rng.permutation(len(features))
        for start in range(0, len(order), HEAD_BATCH):
            rows = order[start : start + HEAD_BATCH]
            probe.train_on_batch(features[rows], wanted[rows])


class ConceptBatches(keras.utils.PyDataset):
    """Shuffled batches of photographs `[B, S, S, 3]` with what is in them, `float32[B, C, 2]`.

    Args:
        photographs: a list of `Photograph`.
        wanted: see `targets`.
        read: as of `captioner.training.batches.Batches`.
        batch_size: photographs in a batch.
        seed: an integer, with which a batch always draws the same.
    """

    def __init__(
        self,
        photographs: Sequence[Photograph],
        wanted: np.ndarray,
        read: ReadOne,
        batch_size: int,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__(workers=workers)
        self.wanted, self.read = wanted, read
        self.indices = np.repeat(np.arange(len(photographs)), [p.times for p in photographs])
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0

    def __len__(self) -> int:
        return math.ceil(len(self.indices) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.indices)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        rows = order[index * self.batch_size : (index + 1) * self.batch_size]
        read = [self.read(i, bool(rng.integers(2)), rng) for i in rows]
        return np.stack(read).astype("float32"), self.wanted[rows]


def average_precision(wanted: np.ndarray, logits: np.ndarray, least: int = 5) -> float:
    """The mean over concepts of the average precision with which photographs are ranked.

    Args:
        wanted: `float[N, C]`, above 0 where a photograph shows a concept.
        logits: `float[N, C]`.
        least: photographs that must show a concept, or it is left out; of no concept it is 0.
    """
    found = []
    for shown, ranks in zip((wanted > 0).T, logits.T, strict=True):
        if shown.sum() >= least:
            hits = shown[np.argsort(-ranks, kind="stable")]
            found.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    return float(np.mean(found)) if found else 0.0
