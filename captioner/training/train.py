"""Training: a frozen encoder first, then, if asked, the encoder as well.

The defaults are the recipe of the weights that ship. Everything lies in the output folder, which
is a preset from the first epoch on, always of the best scores so far; a run that was interrupted
goes on where it stopped when the same command is given again.
"""

import itertools
import os
import shutil
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from captioner import presets
from captioner.data.readers import load_dataset
from captioner.data.records import Example
from captioner.data.vocabulary import MIN_COUNT, PAD, SPECIAL, Vocabulary
from captioner.evaluation.answer_metrics import AnswerScorer
from captioner.evaluation.caption_metrics import CaptionScorer
from captioner.generation.batching import BATCH, generate
from captioner.generation.loop import jit_compile as xla_is_faster
from captioner.generation.samplers import Beam
from captioner.models.captioner import Captioner
from captioner.models.config import CaptionerConfig
from captioner.training.backup import Backup, Patience
from captioner.training.batches import Batches, Photograph, photographs_of
from captioner.training.features import ReadRows, cached_readers, photograph_readers
from captioner.training.run import Run, TrainingError, digest

QUESTION_UNITS = 256  # of a model that is trained on questions


@dataclass(frozen=True)
class Phase:
    """One call of `fit`.

    Attributes:
        name: "frozen" reads features cached once, "fine-tune" trains the encoder as well.
        epochs: the most epochs; early stopping may end the phase before.
        learning_rate: at its height, after a linear warm-up and before a cosine down to 0.
    """

    name: str
    epochs: int
    learning_rate: float


FROZEN = Phase("frozen", epochs=10, learning_rate=1e-3)
FINE_TUNE = Phase("fine-tune", epochs=3, learning_rate=1e-4)
WARM_UP = 0.05  # share of the steps
WEIGHT_DECAY = 0.01
CLIP_NORM = 5.0
PATIENCE = 5  # epochs without a better score; fewer would stop before the rate has come down


class DevScores(keras.callbacks.Callback):
    """Writes about the dev photographs by beam search after every epoch, and scores it.

    Adds to the logs `val_cider`, `val_bleu4` and `val_accuracy`, the mean over the data sets of
    questions, and `val_score`, the sum of CIDEr and accuracy, as far as the data have captions
    and questions. Writes the preset when `val_score` is the best so far.

    Args:
        data: a dict of the dev records by their data set.
        photographs: the list of `Photograph` of these records.
        read: a function of a slice of that list that returns features `float[B, R, C]`.
        output: the folder of the preset.
        story: that of the weights, as a dict.
        best: the score that must be exceeded.
    """

    def __init__(
        self,
        data: Mapping[str, Sequence[Example]],
        photographs: Sequence[Photograph],
        read: ReadRows,
        output: Path | None,
        story: dict[str, Any],
        best: float,
    ) -> None:
        super().__init__()
        self.photographs, self.read = photographs, read
        captions: dict[Hashable, Sequence[str]] = {
            i: p.captions for i, p in enumerate(photographs) if p.captions
        }
        self.captions = CaptionScorer(captions) if captions else None
        # Records are the keys: the ids of questions are unique only within a data set.
        asked = {name: [e for e in records if e.question] for name, records in data.items()}
        self.answers = {
            name: AnswerScorer({example: example.references for example in questions})
            for name, questions in asked.items()
            if questions
        }
        self.output, self.story, self.best = output, story, best

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not np.isfinite(logs["loss"]):
            logs["val_score"] = float("nan")  # never the best; `fit` says why it ends
            return
        captions, answers = self.write()
        scores = self.captions.score(captions) if self.captions else {}
        rates = []
        for name, scorer in self.answers.items():
            said = {example: answers[example] for example in scorer.references}
            rates.append(scorer.score(said, with_wups=False)["accuracy"])
            scores[f"accuracy/{name}"] = rates[-1]
        scores["score"] = scores.get("cider", 0.0) + float(np.mean(rates) if rates else 0.0)
        if captions:
            logs["val_cider"], logs["val_bleu4"] = scores["cider"], scores["bleu4"]
        if rates:
            logs["val_accuracy"] = np.mean(rates)
        logs["val_score"] = scores["score"]
        if scores["score"] > self.best:
            self.best = scores["score"]
            self.story["phases"][-1]["chosen_epoch"] = epoch + 1
            metadata = {"training": self.story, "dev_scores_in_training": scores}
            self.model.save_to_preset(self.output, metadata)

    def write(self) -> tuple[dict[Hashable, str], dict[Hashable, str]]:
        """The captions by the numbers of their photographs, the answers by their records."""
        captions: dict[Hashable, str] = {}
        answers: dict[Hashable, str] = {}
        for start in range(0, len(self.photographs), BATCH):
            rows = slice(start, start + BATCH)
            batch, features = self.photographs[rows], self.read(rows)
            wanted = [[None] if photograph.captions else [] for photograph in batch]
            found = generate(self.model, {"features": features}, wanted, sampler=Beam())
            captions |= {start + i: row[0].text for i, row in enumerate(found) if row}
            asked = [[e.question for e in photograph.questions] for photograph in batch]
            found = generate(self.model, {"features": features}, asked, sampler=Beam(1))
            for photograph, row in zip(batch, found, strict=True):
                for example, answer in zip(photograph.questions, row, strict=True):
                    answers[example] = answer.text
        return captions, answers


def train(
    datasets: Sequence[tuple[str, str | PathLike[str]]],
    output: str | PathLike[str],
    *,
    encoder: str = "MobileNetV2",
    encoder_weights: str | PathLike[str] = "imagenet",
    fine_tune: bool = False,
    epochs: int = FROZEN.epochs,
    fine_tune_epochs: int = FINE_TUNE.epochs,
    batch_size: int = 32,
    seed: int = 0,
) -> None:
    """Train a captioner on the train splits of data sets, and choose it by their dev splits.

    Where the data have questions, the model learns to answer them as well as to caption.

    Args:
        datasets: pairs of the name of a reader, see `captioner.data.readers`, and the folder of the
            data set. What several say of one photograph is learned together. One that is given
            n times is gone through n times in every epoch, as may help a small one.
        output: the folder of the preset, of the logs, and of what a resumed run needs.
        encoder: a network by name, see `captioner.layers.image_encoder`.
        encoder_weights: what the encoder starts from: "imagenet", a weights file, or a preset, by
            name or folder, whose encoder goes on learning.
        fine_tune: whether a phase trains the encoder as well.
        epochs: of the first phase.
        fine_tune_epochs: of the phase with the encoder.
        batch_size: photographs in a batch, each with up to five captions and six questions.
        seed: of the initial weights, the order and the augmentation.

    Raises:
        TrainingError: the output folder holds a run with other settings, or the preset has
            another encoder.
        PresetError: there is neither a file nor a preset of the name of the encoder's weights.
        DatasetError: the data cannot be read, or too much of it is broken.
    """
    output, data = Path(output), Data.read(datasets)
    settings = {
        "datasets": data.times,
        "encoder": encoder,
        "encoder_weights": Path(encoder_weights).name,
        "batch_size": batch_size,
        "seed": seed,
        "epochs": epochs,
        "fine_tune_epochs": fine_tune_epochs,
        "records": digest([data.photographs, data.dev_photographs]),
        "vocabulary": digest(data.vocabulary.words),
    }
    run = Run(output, settings)
    keras.utils.set_random_seed(seed)
    model, origin = new_model(data, encoder, encoder_weights)
    story: dict[str, Any] = {
        "data": data.story(),
        "encoder_started_from": origin,
        "seed": seed,
        "batch_size": batch_size,
        "weight_decay": WEIGHT_DECAY,
        "clip_norm": CLIP_NORM,
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
        "phases": [],
    }
    phases = [replace(FROZEN, epochs=epochs)]
    if fine_tune:
        phases.append(replace(FINE_TUNE, epochs=fine_tune_epochs))
    for phase in phases:
        story["phases"].append(asdict(phase))
        if phase.name not in run.finished:
            if phase != phases[0]:
                model = Captioner.from_preset(output)  # the best of the phases before
            batches, read_dev = reading(model, phase, data, output, batch_size, seed)
            best = run.best()
            scores = DevScores(data.dev, data.dev_photographs, read_dev, output, story, best)
            fit(model, phase, batches, scores, output)
            run.finish(phase.name)
            shutil.rmtree(output / "backup")
        story["phases"][-1]["chosen_epoch"] = run.finished[phase.name]
    shutil.rmtree(output / "cache", ignore_errors=True)  # gigabytes that nobody needs any more


@dataclass(frozen=True)
class Data:
    """What is learned from, and what the dev splits hold.

    Attributes:
        times: how often an epoch goes through each data set.
        train, dev: the records of each data set.
        photographs, dev_photographs: all that is said of each photograph.
        vocabulary: the words of what is learned from.
    """

    times: dict[str, int]
    train: dict[str, list[Example]]
    dev: dict[str, list[Example]]
    photographs: list[Photograph]
    dev_photographs: list[Photograph]
    vocabulary: Vocabulary

    @classmethod
    def read(cls, datasets: Sequence[tuple[str, str | PathLike[str]]]) -> Self:
        """Read the data sets; for the errors see `train`."""
        counted = Counter(datasets)
        names = [name for name, _ in counted]
        if len(set(names)) < len(names):
            raise TrainingError(f"one format, two folders: {', '.join(names)}; join them into one")
        times = {name: count for (name, _), count in counted.items()}
        train, dev = (
            {name: load_dataset(name, root, split) for name, root in counted}
            for split in ("train", "dev")
        )
        seen = {os.path.realpath(e.image) for records in train.values() for e in records}
        for example in itertools.chain(*dev.values()):
            if os.path.realpath(example.image) in seen:
                raise TrainingError(
                    f"{example.image}: in the split train and in dev, perhaps by another name; "
                    "leave it out of one"
                )
        examples = list(itertools.chain(*train.values()))
        asked = (example.question for example in examples if example.question is not None)
        said = (text for example in examples for text in example.references)
        vocabulary = Vocabulary.from_sentences(itertools.chain(said, asked))
        if len(vocabulary) == len(SPECIAL):
            raise TrainingError(
                f"no word is said {MIN_COUNT} times in {', '.join(names)}: there is nothing to "
                "learn; give more captions"
            )
        return cls(times, train, dev, photographs_of(train, times), photographs_of(dev), vocabulary)

    @property
    def asks(self) -> bool:
        """Whether there are questions to learn from."""
        return any(photograph.questions for photograph in self.photographs)

    def story(self) -> dict[str, Any]:
        """What the metadata of the weights say of it."""
        return {
            name: {
                "train": counts(self.train[name]),
                "dev": counts(self.dev[name]),
                "times": self.times[name],
            }
            for name in self.train
        }


def new_model(
    data: Data, encoder: str, encoder_weights: str | PathLike[str]
) -> tuple[Captioner, dict[str, Any]]:
    """A model for the data, and where its encoder comes from; for the errors see `train`."""
    origin: dict[str, Any] = {"name": encoder, "weights": Path(encoder_weights).name}
    from_preset = encoder_weights != "imagenet" and not Path(encoder_weights).is_file()
    if encoder_weights != "imagenet" and not from_preset:
        presets.check_weights(Path(encoder_weights))
    model = Captioner(
        data.vocabulary,
        CaptionerConfig(encoder=encoder, question_units=QUESTION_UNITS if data.asks else 0),
        encoder_weights=None if from_preset else encoder_weights,
    )
    if from_preset:
        source = Captioner.from_preset(encoder_weights)
        if source.config.encoder != encoder:
            raise TrainingError(f"{encoder_weights}: has {source.config.encoder}, not {encoder}")
        model.encoder.set_weights(source.encoder.get_weights())
        origin["preset"] = presets.read_metadata(encoder_weights)
    elif encoder_weights != "imagenet":
        origin["sha256"] = presets.sha256(encoder_weights)
    return model, origin


def reading(
    model: Captioner, phase: Phase, data: Data, output: Path, batch_size: int, seed: int
) -> tuple[Batches, ReadRows]:
    """What a phase learns from, and what its dev scores are measured on."""
    # Photographs take longer to load than to be gone through, features do not.
    key, workers = "photographs", os.cpu_count() or 1
    if phase.name == "frozen":
        key, workers, model.encoder.trainable = "features", 1, False
        read, read_dev = cached_readers(
            model, data.photographs, data.dev_photographs, output / "cache", batch_size
        )
    else:
        read, read_dev = photograph_readers(model, data.photographs, data.dev_photographs)
    batches = Batches(data.photographs, read, key, model, batch_size, seed, workers=workers)
    return batches, read_dev


def counts(examples: Sequence[Example]) -> dict[str, int]:
    """What a data set holds, for the story of the weights."""
    captioned = [example for example in examples if example.question is None]
    return {
        "photographs": len({example.image for example in examples}),
        "captions": sum(len(example.references) for example in captioned),
        "questions": len(examples) - len(captioned),
    }


def compile_model(
    model: Captioner,
    data: Batches,
    steps: int,
    learning_rate: float,
    jit_compile: bool | None = None,
) -> None:
    """Give a model the optimizer and the losses of a phase.

    Args:
        model: the `Captioner`.
        data: its `Batches`.
        steps: how many there are, of which the first warm up.
        learning_rate: at its height.
        jit_compile: whether XLA compiles the step; by default where it is faster.
    """
    warm_up = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=WEIGHT_DECAY, global_clipnorm=CLIP_NORM
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    _, targets = data[0]
    model.compile(
        optimizer,
        {
            name: keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD)
            for name in targets
        },
        jit_compile=xla_is_faster() if jit_compile is None else jit_compile,
    )


def fit(model: Captioner, phase: Phase, data: Batches, scores: "DevScores", output: Path) -> None:
    """One phase: `compile`, `fit`, and the callbacks that log, stop and resume."""
    compile_model(model, data, phase.epochs * len(data), phase.learning_rate)
    backup = Backup(output / "backup" / f"{phase.name}.npz")
    patience = Patience(backup.history, PATIENCE)
    if patience.exhausted:
        return
    log = output / "logs" / f"{phase.name}.csv"
    backup.write_log(log)
    history = model.fit(
        data,
        initial_epoch=len(backup.history),
        epochs=phase.epochs,
        shuffle=False,  # `Batches` does it, in the same way however often a run is interrupted
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: setattr(data, "epoch", epoch)
            ),
            scores,
            patience,
            keras.callbacks.CSVLogger(log, append=True),
            keras.callbacks.TensorBoard(output / "logs" / phase.name),
            keras.callbacks.TerminateOnNaN(),
            # Last, so that an epoch counts as done only when it has been scored and logged.
            backup,
        ],
    )
    losses = history.history.get("loss", [])
    if losses and not np.isfinite(losses[-1]):
        raise TrainingError(
            f"the loss of epoch {history.epoch[-1] + 1} is {losses[-1]}; the best preset before it "
            "is kept: look for what is broken in the data, or train in float32"
        )
