"""Concepts: the words that a head over the encoder detects, their targets, loss and score."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.tokenizer import tokenize
from captioner.layers.tensor import Tensor
from captioner.models.captioner import Captioner
from captioner.training.batches import Photograph, ReadOne, ShuffledPhotographs
from captioner.training.features import ReadRows

# All of these are choices, not measured.
ABSENCE = (0.05, 0.4, 0.7, 1.0)  # weight of the target 0, for 0, 1, 2, or more captions
LABEL, LABEL_BESIDE_CAPTIONS = 0.8, 0.5  # targets of a label
HEAD_EPOCHS, HEAD_RATE, HEAD_BATCH = 12, 1e-3, 64  # of the head alone
BATCH = 64  # dev photographs that are scored together


def choose(caption_lists: Iterable[Sequence[str]], count: int) -> tuple[str, ...]:
    """The words that occur in the captions of the most photographs.

    Args:
        caption_lists: the captions of each photograph.
        count: the most words. Function words, and words of two letters except "tv", are left out.
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
    """The targets of the head, and their weights in its loss.

    Args:
        captions: the captions of each of N photographs, or groups of sentences.
        objects: the names of objects in each.
        concepts: the C words.

    Returns:
        `float32[N, C, 2]`: the share of captions that contain a concept, or the target of a label;
        and its weight, which is small for a word that is missing from few captions.
    """
    places = {word: i for i, word in enumerate(concepts)}
    wanted = np.zeros((len(captions), len(concepts), 2), "float32")
    for row, sentences, labels in zip(wanted, captions, objects, strict=True):
        for caption in sentences:
            for word in {word for word in tokenize(caption) if word in places}:
                row[places[word], 0] += 1 / len(sentences)
        row[:, 1] = ABSENCE[min(len(sentences), len(ABSENCE) - 1)]
        label_target = LABEL_BESIDE_CAPTIONS if sentences else LABEL
        for word in {word for label in labels for word in tokenize(label) if word in places}:
            row[places[word], 0] = max(row[places[word], 0], label_target)
        found = np.flatnonzero(row[:, 0])
        row[found, 1] = 1
        if not sentences:  # a label is in the singular, even if there are several
            for word in (concepts[int(i)] for i in found):
                for other in (f"{word}s", f"{word}es", word.removesuffix("s")):
                    if other in places and not row[places[other], 0]:
                        row[places[other], 1] = 0
    return wanted


def train_last(encoder: keras.Model, count: int) -> None:
    """Train only the last `count` layers with weights of an encoder; 0 trains all.

    The first layers work on the largest maps and take most of the time. The edges and textures that
    they detect change least.
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
    """The encoder and the head of a captioner as one model, with the same weights: from photographs
    `float[B, S, S, 3]` to the logits `float[B, C]` of all concepts."""
    photographs = keras.Input(model.encoder.input_shape[1:])
    maps = model.encoder(photographs, training=False)  # as in `Captioner.features`
    features = ops.reshape(maps, (-1, model.regions, maps.shape[-1]))
    return keras.Model(
        photographs, model.concept_logits(model.concept_head(features)), name="detector"
    )


def weighted_cross_entropy(wanted: Tensor, logits: Tensor) -> Tensor:
    """The loss `float[B]`: weighted binary cross-entropy, summed over the concepts.

    Args:
        wanted: `float[B, C, 2]`, see `targets`.
        logits: `float[B, C]`.
    """
    losses = ops.binary_crossentropy(wanted[..., 0], logits, from_logits=True)
    return ops.sum(losses * wanted[..., 1], axis=-1)


def fit_head(model: Captioner, features: np.ndarray, wanted: np.ndarray, seed: int) -> None:
    """Fit a new head to mean features of the encoder, `float[N, C]`.

    This takes seconds. So the encoder is then trained with a head that already detects something.
    """
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


class ConceptBatches(ShuffledPhotographs):
    """Shuffled batches of photographs `float32[B, S, S, 3]` with their concepts.

    Args:
        photographs: a list of `Photograph`.
        wanted: `float32[N, C, 2]`, see `targets`.
        read: as in `captioner.training.batches.Batches`.
        batch_size: photographs in a batch.
        seed: an integer.
        workers: threads that read photographs.
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
        super().__init__(photographs, batch_size, seed, workers=workers)
        self.wanted, self.read = wanted, read

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows, rng = self.rows(index)
        images = [self.read(i, bool(rng.integers(2)), rng) for i in rows]
        return np.stack(images).astype("float32"), self.wanted[rows]


def all_logits(model: Captioner, features: np.ndarray) -> np.ndarray:
    """The logits `float32[B, C]` of all concepts, from features `float[B, R, C]`."""
    logits = model.concept_logits(model.concept_head(features.astype("float32")))
    return ops.convert_to_numpy(logits)


class ConceptScores(keras.callbacks.Callback):
    """Adds to the logs how well the head ranks the dev photographs, `val_average_precision`.

    Args:
        model: the `Captioner`.
        photographs: the dev photographs; those without captions are left out.
        read: a function of a slice of them that returns features `float[B, R, C]`.
    """

    def __init__(self, model: Captioner, photographs: Sequence[Photograph], read: ReadRows) -> None:
        super().__init__()
        self.captioner, self.photographs, self.read = model, photographs, read

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        captioned = np.array([bool(p.captions) for p in self.photographs])
        wanted = targets(
            [p.captions for p in self.photographs],
            [p.objects for p in self.photographs],
            self.captioner.config.concepts,
        )[..., 0]
        logits = [
            all_logits(self.captioner, self.read(slice(start, start + BATCH)))
            for start in range(0, len(captioned), BATCH)
        ]
        precision = average_precision(wanted[captioned], np.concatenate(logits)[captioned])
        logs["val_average_precision"] = logs["val_score"] = precision


def average_precision(wanted: np.ndarray, logits: np.ndarray, least: int = 5) -> float:
    """The mean over concepts of the average precision of the ranking of photographs.

    Args:
        wanted: `float[N, C]`, above 0 where a photograph shows a concept.
        logits: `float[N, C]`.
        least: concepts in fewer photographs are left out. Without any concept the result is 0.
    """
    found = []
    for shown, ranks in zip((wanted > 0).T, logits.T, strict=True):
        if shown.sum() >= least:
            hits = shown[np.argsort(-ranks, kind="stable")]
            found.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    return float(np.mean(found)) if found else 0.0
