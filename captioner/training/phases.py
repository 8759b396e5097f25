"""The phases that a recipe may have, each a function that carries it out."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from captioner.data.images import sound_images
from captioner.generation.batching import batched
from captioner.models.captioner import Captioner
from captioner.training import concepts, reinforce, retrieval, texts
from captioner.training.batches import Batches, Photograph, ReadOne
from captioner.training.data import Data
from captioner.training.dev_scores import DevScores
from captioner.training.features import ReadRows, cached_readers, photograph_readers
from captioner.training.fit import (
    Progress,
    averages,
    check_losses,
    compile_model,
    fit,
    new_optimizer,
)
from captioner.training.recipe import Phase
from captioner.training.tensorboard_log import TensorBoardLogger

CORES = os.cpu_count() or 1  # photographs take longer to load than to be gone through


class AveragePrecision(keras.callbacks.Callback):
    """Adds to the logs how well the head ranks the dev photographs, `val_average_precision`.

    Args:
        model: the `Captioner`.
        photographs: the dev photographs; those without captions are left out.
        read: a function of a slice of them that returns features `float[B, R, C]`.
    """

    def __init__(self, model: Captioner, photographs: Sequence[Photograph], read: ReadRows) -> None:
        super().__init__()
        self.captioner, self.photographs, self.read = model, photographs, read

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None  # as Keras calls it
        spoken = np.array([bool(p.captions) for p in self.photographs])
        wanted = concepts.targets(
            [p.captions for p in self.photographs],
            [p.objects for p in self.photographs],
            self.captioner.config.concepts,
        )[..., 0]
        size = 64
        logits = [
            all_logits(self.captioner, self.read(slice(start, start + size)))
            for start in range(0, len(spoken), size)
        ]
        precision = concepts.average_precision(wanted[spoken], np.concatenate(logits)[spoken])
        logs["val_average_precision"] = logs["val_score"] = precision


@dataclass(frozen=True)
class PhaseContext:
    """What a phase is given to do.

    Attributes:
        model: the `Captioner`, as the phase before left it.
        phase: the `Phase`.
        data: the `Data`.
        output: the folder of the run.
        provenance: that of the weights, of which the last of "phases" is this one.
        best: the score that a preset must exceed to be kept.
    """

    model: Captioner
    phase: Phase
    data: Data
    output: Path
    provenance: dict[str, Any]
    best: float

    def progress(self, read_dev: ReadRows) -> Progress:
        """How far it has come, where every epoch is scored by captions and answers."""
        swap = averages(self.phase)
        scores = DevScores(
            self.model,
            self.data.dev,
            self.data.dev_photographs,
            read_dev,
            *(self.output, self.provenance, self.best, swap),
        )
        board = TensorBoardLogger(scores, self.output / "logs" / self.phase.name)
        return Progress(self.phase, self.output, scores, swap, board)


def train_concepts(context: PhaseContext) -> None:
    """The encoder and the head learn which concepts photographs show; the last epoch is kept."""
    model, phase, data, recipe = context.model, context.phase, context.data, context.data.recipe
    photographs = data.photographs
    # Captions are what a photograph is known by; of questions only the answers say what is there.
    labels = [
        (*p.objects, *(text for question in p.questions for text in question.references))
        for p in photographs
    ]
    wanted = concepts.targets([p.captions for p in photographs], labels, data.concepts)
    read, read_dev = photograph_readers(model, photographs, data.dev_photographs)
    batches = concepts.ConceptBatches(
        photographs, wanted, read, recipe.batch_size, recipe.seed, workers=CORES
    )
    progress = Progress(
        phase, context.output, AveragePrecision(model, data.dev_photographs, read_dev)
    )
    if not progress.done and not recipe.weights:
        features = mean_features(model, [p.image for p in photographs])
        concepts.fit_head(model, features, wanted, recipe.seed)
    concepts.train_last(model.encoder, phase.encoder_layers)
    detector = concepts.detector(model)
    detector.compile(new_optimizer(phase, len(batches)), concepts.weighted_cross_entropy)
    fit(detector, phase, batches, progress)
    context.provenance["phases"][-1]["chosen_epoch"] = phase.epochs
    # Of the decoder, which knows nothing yet, there is no score.
    scores = {"score": context.best}
    metadata = {"training": context.provenance, "dev_scores_in_training": scores}
    model.save_to_preset(context.output, metadata)


def train_decoder(context: PhaseContext) -> None:
    """The decoder learns on features of the frozen encoder, which are computed once."""
    supervised, read_dev, _, _ = on_features(context)
    compile_model(context.model, new_optimizer(context.phase, len(supervised)), supervised[0][1])
    fit(context.model, context.phase, supervised, context.progress(read_dev))


def fine_tune(context: PhaseContext) -> None:
    """Everything learns from augmented photographs, but for the head: it learns from labels."""
    model, data, recipe = context.model, context.data, context.data.recipe
    if model.config.concepts:
        model.concept_head.trainable = False
    photographs = spoken_of(data.photographs)
    read, read_dev = photograph_readers(model, photographs, data.dev_photographs)
    batches = Batches(
        *(photographs, read, "photographs", model, recipe.batch_size, recipe.seed, context.phase),
        workers=CORES,
    )
    compile_model(model, new_optimizer(context.phase, len(batches)), batches[0][1])
    fit(model, context.phase, batches, context.progress(read_dev))


def self_critical(context: PhaseContext) -> None:
    """The decoder learns from the rewards of captions that it draws, on the same features."""
    model, phase = context.model, context.phase
    supervised, read_dev, photographs, read = on_features(context)
    rewarded = [i for i in range(len(photographs)) if reinforce.can_be_judged(photographs[i])]
    chosen = [photographs[i] for i in rewarded]
    none = np.random.default_rng(0)  # nothing is drawn where nothing is augmented
    sampled = reinforce.SampledBatches(
        model,
        chosen,
        lambda i: read(rewarded[i], False, none),
        reinforce.rewards(model, chosen, phase.object_reward),
        *(supervised, phase, context.data.recipe.seed),
    )
    trainer = reinforce.Trainer(model, phase.cross_entropy)
    compile_model(trainer, new_optimizer(phase, len(sampled)), sampled[0][1])
    progress = context.progress(read_dev)
    if not progress.finished:
        left = range(progress.done, phase.epochs)
        check_losses(reinforce.fit(trainer, sampled, left, progress.callbacks), progress.done)


CARRIED_OUT: dict[str, Callable[[PhaseContext], None]] = {
    "concepts": train_concepts,
    "frozen": train_decoder,
    "fine-tune": fine_tune,
    "self-critical": self_critical,
}


def on_features(context: PhaseContext) -> tuple[Batches, ReadRows, list[Photograph], ReadOne]:
    """What a decoder learns from while the encoder is frozen.

    Returns:
        Its `Batches`; what reads features of dev photographs; the photographs, of which those that
        nobody captioned may have the captions of others; and what reads the features of these.
    """
    model, data, recipe = context.model, context.data, context.data.recipe
    photographs = data.photographs
    model.encoder.trainable = False
    read, read_dev = cached_readers(
        *(model, photographs, data.dev_photographs, context.output / "cache"),
        *(recipe.batch_size, recipe.mirrored),
    )
    sentences = None
    if model.config.concepts:
        model.concept_head.trainable = False
        logits = logits_of(model, len(photographs), read)
        if recipe.retrieve:
            photographs = with_retrieved(data, logits)
        if data.texts:
            sentences = imagined_sentences(model, data, logits)
    photographs = spoken_of(photographs)
    batches = Batches(
        *(photographs, read, "features", model, recipe.batch_size, recipe.seed, context.phase),
        texts=sentences,
        mirrored=recipe.mirrored,
        workers=1,  # features are read faster than they are gone through
    )
    return batches, read_dev, photographs, read


def spoken_of(photographs: Sequence[Photograph]) -> list[Photograph]:
    """The photographs, of which those without a word are gone through no time in an epoch."""
    return [p if p.captions or p.questions else replace(p, times=0) for p in photographs]


def with_retrieved(data: Data, logits: np.ndarray) -> list[Photograph]:
    """The photographs, those without a caption with captions of others, where any fit."""
    photographs = data.photographs
    without = [i for i, p in enumerate(photographs) if not p.captions]
    corpus = [caption for text in data.texts for caption in text.captions]
    corpus = corpus or [caption for p in photographs for caption in p.captions]
    labels = concepts.targets(
        [()] * len(without), [photographs[i].objects for i in without], data.concepts
    )[..., 0]
    common = (1 / (1 + np.exp(-logits))).mean(axis=0)
    found = retrieval.retrieve(corpus, labels, logits[without], common, data.concepts)
    retrieved = dict(zip(without, found, strict=True))
    return [
        replace(p, captions=retrieved[i], weight=retrieval.WEIGHT) if retrieved.get(i) else p
        for i, p in enumerate(photographs)
    ]


def imagined_sentences(model: Captioner, data: Data, logits: np.ndarray) -> texts.Sentences:
    """The sentences without photographs, each with concepts imagined for it."""
    mentioned, shown = (
        concepts.targets([x.captions for x in rows], [x.objects for x in rows], data.concepts)
        for rows in (data.texts, data.photographs)
    )
    spoken = np.array([bool(p.captions) for p in data.photographs])
    found = texts.imagined(
        *(mentioned[..., 0], shown[spoken, :, 0], logits[spoken], model.config.concept_slots),
        rng=np.random.default_rng(data.recipe.seed),
    )
    return texts.sentences(data.texts, model, found)


def logits_of(model: Captioner, count: int, read: ReadOne) -> np.ndarray:
    """`float32[N, C]`: what the head finds in photographs whose features are cached."""
    none = np.random.default_rng(0)
    return np.concatenate(
        [
            all_logits(model, np.stack([read(i, False, none) for i in rows]))
            for rows in batched(range(count), 256)
        ]
    )


def all_logits(model: Captioner, features: np.ndarray) -> np.ndarray:
    """The logits `float32[B, C]` of all concepts, of features `float[B, R, C]`."""
    logits = model.concept_logits(model.concept_head(features.astype("float32")))
    return keras.ops.convert_to_numpy(logits)


def mean_features(model: Captioner, images: Sequence[Path]) -> np.ndarray:
    """`float32[N, C]`: the mean over regions of the features of photographs."""
    means = []
    bar = tqdm(total=len(images), desc="encoding", unit="photo", disable=None)
    for batch in batched(sound_images(images, model.config.image_size)):
        means.append(model.encode(np.stack(batch)).mean(axis=1))
        bar.update(len(batch))
    bar.close()
    return np.concatenate(means)
