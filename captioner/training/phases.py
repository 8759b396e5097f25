"""The phases of training: the material that each reads, the weights that it trains, its loss."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from captioner.generation.batching import batched
from captioner.models.captioner import Captioner
from captioner.training import concepts, reinforce, retrieval, texts
from captioner.training.batches import Batches, Photograph, ReadOne
from captioner.training.data import Data
from captioner.training.dev_scores import DevScores
from captioner.training.features import (
    ReadRows,
    cached_readers,
    mean_features,
    photograph_readers,
)
from captioner.training.fit import Loop, backup_of, fit, keras_loop
from captioner.training.recipe import Phase
from captioner.training.run import Chosen
from captioner.training.tensorboard_log import TensorBoardLogger
from captioner.training.trainer import Trainer, new_optimizer

CORES = os.cpu_count() or 1  # one thread each loads photographs: `python benchmarks/training.py`
UNUSED = np.random.default_rng(0)  # features from the cache need no random numbers


@dataclass(frozen=True)
class PhaseContext:
    """The input of a phase.

    Attributes:
        model: the `Captioner`, as the phase before left it.
        phase: the `Phase`.
        data: the `Data`.
        output: the folder of the run.
        provenance: the origin of the weights, with the "phases" before this one.
        score: the score of the phases before, which a new preset must exceed.
    """

    model: Captioner
    phase: Phase
    data: Data
    output: Path
    provenance: Mapping[str, Any]
    score: float

    def fit(
        self, trainer: Trainer, batches: Any, read_dev: ReadRows, loop: Loop = keras_loop
    ) -> Chosen:
        """Train; score captions and answers after every epoch; keep the best as the preset."""
        finished = backup_of(self.output, self.phase).history
        best = Chosen.best(finished, self.score).score

        def keep(epoch: int, scores: dict[str, float]) -> None:
            nonlocal best
            if scores["score"] > best:
                best = scores["score"]
                self.save(epoch + 1, scores)

        average = keras.callbacks.SwapEMAWeights() if self.phase.ema_momentum else None
        dev, photographs = self.data.dev, self.data.dev_photographs
        scores = DevScores(self.model, dev, photographs, read_dev, average, keep)
        board = TensorBoardLogger(scores, self.output / "logs" / self.phase.name)
        log = fit(trainer, self.phase, batches, self.output, [scores, board], loop)
        return Chosen.best(log, self.score)

    def save(self, epoch: int, scores: Mapping[str, float]) -> None:
        """Write the preset, with the scores of an epoch, from 1."""
        phases = [*self.provenance["phases"], {"name": self.phase.name, "chosen_epoch": epoch}]
        training = {**self.provenance, "phases": phases}
        metadata = {"training": training, "dev_scores_in_training": scores}
        self.model.save_to_preset(self.output, metadata)


def train_phase(context: PhaseContext) -> Chosen:
    """Carry out a phase.

    Returns:
        The epoch whose weights are in the preset now, its score, and the log of all epochs.
    """
    kind, model = KINDS[context.phase.name], context.model
    model.encoder.trainable = "encoder" in kind.trains
    if model.config.concepts:
        model.concept_head.trainable = "concept head" in kind.trains
    for layer in filter(None, (model.question_encoder, model.question_concept)):
        layer.trainable = context.data.asks
    return kind.loss(context)


def concept_loss(context: PhaseContext) -> Chosen:
    """The encoder and the head learn which concepts photographs show. The last epoch is kept."""
    model, phase, data, recipe = context.model, context.phase, context.data, context.data.recipe
    photographs = data.photographs
    # Captions describe the photograph. Of its questions, only the answers do.
    labels = [
        (*p.objects, *(text for question in p.questions for text in question.references))
        for p in photographs
    ]
    wanted = concepts.targets([p.captions for p in photographs], labels, data.concepts)
    read, read_dev = photograph_readers(model, photographs, data.dev_photographs)
    batches = concepts.ConceptBatches(
        photographs, wanted, read, recipe.batch_size, recipe.seed, workers=CORES
    )
    if not recipe.weights and not backup_of(context.output, phase).history:
        features = mean_features(model, [p.image for p in photographs])
        concepts.fit_head(model, features, wanted, recipe.seed)
    concepts.train_last(model.encoder, phase.encoder_layers)
    detector = concepts.detector(model)
    detector.compile(new_optimizer(phase, len(batches)), concepts.weighted_cross_entropy)
    scores = concepts.ConceptScores(model, data.dev_photographs, read_dev)
    log = fit(detector, phase, batches, context.output, [scores])
    # There is no score of captions: the decoder has not seen these concepts yet.
    context.save(len(log), {"score": context.score})
    return Chosen(len(log), context.score, log)


def cross_entropy(context: PhaseContext) -> Chosen:
    """The model learns the next word of captions, answers and sentences without photographs."""
    material = material_of(context)
    batches = material.batches
    optimizer = new_optimizer(context.phase, len(batches))
    trainer = Trainer(context.model, batches[0][1], optimizer)
    return context.fit(trainer, batches, material.read_dev)


def caption_reward(context: PhaseContext) -> Chosen:
    """The decoder learns from the rewards of captions that it samples (self-critical training)."""
    model, phase, material = context.model, context.phase, material_of(context)
    judged = [i for i, p in enumerate(material.photographs) if reinforce.can_be_judged(p)]
    photographs = [material.photographs[i] for i in judged]
    batches = reinforce.SampledBatches(
        model,
        photographs,
        lambda i: material.read(judged[i], False, UNUSED),
        reinforce.rewards(model, photographs, phase.object_reward),
        *(material.batches, phase, context.data.recipe.seed),
    )
    optimizer = new_optimizer(phase, len(batches))
    trainer = Trainer(model, batches[0][1], optimizer, phase.cross_entropy)
    return context.fit(trainer, batches, material.read_dev, reinforce.loop)


@dataclass(frozen=True)
class Kind:
    """A kind of phase.

    Attributes:
        reads: "photographs", augmented, or "features" of the frozen encoder, cached.
        trains: the parts of the model whose weights change.
        loss: the function that carries out the phase.
    """

    reads: str
    trains: frozenset[str]
    loss: Callable[[PhaseContext], Chosen]


KINDS = {
    "concepts": Kind("photographs", frozenset({"encoder", "concept head"}), concept_loss),
    "frozen": Kind("features", frozenset({"decoder"}), cross_entropy),
    "fine-tune": Kind("photographs", frozenset({"encoder", "decoder"}), cross_entropy),
    "self-critical": Kind("features", frozenset({"decoder"}), caption_reward),
}


@dataclass(frozen=True)
class Material:
    """The training material of a decoder.

    Attributes:
        batches: its `Batches`.
        photographs: those of the batches. Some may have captions of other photographs.
        read: reads one of them.
        read_dev: reads features of dev photographs.
    """

    batches: Batches
    photographs: Sequence[Photograph]
    read: ReadOne
    read_dev: ReadRows


def material_of(context: PhaseContext) -> Material:
    """Photographs, or features of the encoder; with these also retrieved captions and sentences
    without photographs."""
    model, data, recipe = context.model, context.data, context.data.recipe
    photographs, dev, sentences = data.photographs, data.dev_photographs, None
    reads = KINDS[context.phase.name].reads
    if reads == "photographs":
        read, read_dev = photograph_readers(model, photographs, dev)
    else:
        cache = context.output / "cache"
        size, mirrored = recipe.batch_size, recipe.mirrored
        read, read_dev = cached_readers(model, photographs, dev, cache, size, mirrored)
        if recipe.retrieve or data.texts:
            logits = logits_of(model, len(photographs), read)
        if recipe.retrieve:
            photographs = retrieval.with_retrieved(
                photographs, [text.captions for text in data.texts], data.concepts, logits
            )
        if data.texts:
            sentences = imagined_sentences(model, data, logits)
    # An epoch does not use photographs without captions and questions.
    photographs = [p if p.captions or p.questions else replace(p, times=0) for p in photographs]
    batches = Batches(
        *(photographs, read, reads, model, recipe.batch_size, recipe.seed, context.phase),
        texts=sentences,
        mirrored=recipe.mirrored or reads == "photographs",
        workers=CORES if reads == "photographs" else 1,  # the cache is faster than the decoder
    )
    return Material(batches, photographs, read, read_dev)


def imagined_sentences(model: Captioner, data: Data, logits: np.ndarray) -> texts.Sentences:
    """The sentences without photographs, each with imagined concepts."""
    mentioned, shown = (
        concepts.targets([x.captions for x in rows], [x.objects for x in rows], data.concepts)
        for rows in (data.texts, data.photographs)
    )
    captioned = np.array([bool(p.captions) for p in data.photographs])
    slots = model.config.concept_slots
    found = texts.imagined(
        *(mentioned[..., 0], shown[captioned, :, 0], logits[captioned], slots),
        rng=np.random.default_rng(data.recipe.seed),
    )
    return texts.sentences(data.texts, model, found)


def logits_of(model: Captioner, count: int, read: ReadOne) -> np.ndarray:
    """`float32[N, C]`: the logits of all concepts in photographs with cached features."""
    return np.concatenate(
        [
            concepts.all_logits(model, np.stack([read(i, False, UNUSED) for i in rows]))
            for rows in batched(range(count), 256)
        ]
    )
