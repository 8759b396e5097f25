"""Training: the phases of a recipe, one after the other.

Everything lies in the output folder, which is a preset from the first epoch on that was scored,
always of the best scores so far; a run that was interrupted goes on where it stopped when the same
command is given again.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import keras

from captioner import presets
from captioner.data.check import Checks
from captioner.models.captioner import Captioner
from captioner.models.config import CaptionerConfig
from captioner.training import phases
from captioner.training.data import Data
from captioner.training.distribution import data_parallel
from captioner.training.fit import CLIP_NORM, WEIGHT_DECAY
from captioner.training.initial import initial_model
from captioner.training.recipe import FINE_TUNE, FROZEN, Recipe, Source
from captioner.training.run import Run, TrainingError, digest


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
    workers: int = 1,
) -> None:
    """Train a captioner on the train splits of data sets, and choose it by their dev splits.

    Where the data have questions, the model learns to answer them as well as to caption. This is
    the short way to a `Recipe`, which can say more.

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
        workers: devices that share each batch; more than one need Keras on JAX.

    Raises:
        EncoderError: there is no such encoder, or its weights cannot be had.
        TrainingError: the output folder holds a run with other settings, the preset has another
            encoder, the settings contradict each other, or there are fewer workers.
        PresetError: there is neither a file nor a preset of the name of the encoder's weights, or
            the file is none of weights.
        DatasetError: the data cannot be read, or too much of it is broken.
    """
    counted = Counter((name, os.fspath(root)) for name, root in datasets)
    names = [name for name, _ in counted]
    if len(set(names)) < len(names):
        raise TrainingError(f"one format, two folders: {', '.join(names)}; join them into one")
    chosen = [replace(FROZEN, epochs=epochs)]
    if fine_tune:
        chosen.append(replace(FINE_TUNE, epochs=fine_tune_epochs))
    recipe = Recipe(
        data={
            name: Source(format=name, root=Path(root), times=times)
            for (name, root), times in counted.items()
        },
        phases=tuple(chosen),
        model=CaptionerConfig(encoder=encoder),
        encoder_weights=os.fspath(encoder_weights),
        batch_size=batch_size,
        seed=seed,
    )
    carry_out(recipe, output, workers)


def carry_out(recipe: Recipe, output: str | PathLike[str], workers: int = 1) -> None:
    """Train what a recipe says; for the errors see `train`.

    Args:
        recipe: the `Recipe`.
        output: the folder of the preset, of the logs, and of what a resumed run needs.
        workers: devices that share each batch. A run may go on with others: they change no more
            than the rounding.
    """
    output = Path(output)
    names = [phase.name for phase in recipe.phases]
    _check(recipe, names)
    if workers > 1 and (recipe.concepts or "self-critical" in names):
        raise TrainingError(
            "concepts and the phase self-critical are learned by one worker only; leave out workers"
        )
    with data_parallel(workers, recipe.batch_size):
        _carry_out(recipe, output)


def _carry_out(recipe: Recipe, output: Path) -> None:
    checks = Checks(output / "cache" / "checks.json")
    data = Data.read(recipe, checks)
    keras.utils.set_random_seed(recipe.seed)
    model, origin = initial_model(data)
    roots = {name: source.root for name, source in recipe.data.items()}
    settings = {
        **recipe.settings(),
        "records": digest([data.photographs, data.dev_photographs, data.texts], roots),
        "vocabulary": digest(data.vocabulary.words),
        "initial weights": digest(origin),
    }
    # Not before: a run that is refused, or has no such encoder, writes nothing.
    run = Run(output, settings)
    checks.save()
    provenance: dict[str, Any] = {
        "data": data.provenance(),
        **origin,
        "recipe": recipe.settings(),
        "weight_decay": WEIGHT_DECAY,
        "clip_norm": CLIP_NORM,
        "seed": recipe.seed,
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
        "phases": [],
    }
    for phase in recipe.phases:
        provenance["phases"].append({"name": phase.name, "chosen_epoch": None})
        if phase.name not in run.finished:
            if phase is not recipe.phases[0]:
                model = Captioner.from_preset(output)  # the best of the phases before
            context = phases.PhaseContext(model, phase, data, output, provenance, run.best())
            phases.CARRIED_OUT[phase.name](context)
            run.finish(phase.name)
            shutil.rmtree(output / "backup")
        provenance["phases"][-1]["chosen_epoch"] = run.finished[phase.name]
        provenance["phases"][-1]["log"] = run.log(phase.name)
    metadata = presets.read_metadata(output)
    with presets.replacement(output) as new:
        presets.write_json(new / presets.METADATA, {**metadata, "training": provenance})
    shutil.rmtree(output / "cache", ignore_errors=True)  # gigabytes that nobody needs any more


def _check(recipe: Recipe, names: Sequence[str]) -> None:
    """Refuse a recipe that contradicts itself, before its data are read."""
    if recipe.concepts < 0 or recipe.batch_size < 1:
        raise TrainingError("concepts must be 0 or more, batch_size 1 or more")
    for phase in recipe.phases:
        if phase.epochs < 1:
            raise TrainingError(f"phases.{phase.name}.epochs must be 1 or more")
        if phase.name == "self-critical" and phase.samples < 2:
            raise TrainingError(
                f"phases.{phase.name}.samples must be 2 or more: captions are judged by each other"
            )
    if "concepts" in names and not recipe.concepts:
        raise TrainingError("[phases.concepts] needs the number of concepts; set concepts = N")
    if recipe.concepts and "concepts" not in names and not recipe.weights:
        raise TrainingError("concepts = N needs [phases.concepts], or weights that know concepts")
    if recipe.weights and recipe.encoder_weights != "imagenet":
        raise TrainingError("give weights or encoder_weights: weights contain an encoder")
    if not recipe.concepts and (recipe.texts or recipe.retrieve):
        raise TrainingError("texts and retrieve are for models with concepts; give their number")
    if "concepts" in names[1:]:
        raise TrainingError("the phase concepts comes first: the decoder reads what it finds")
    decoding = [name for name in names if name != "concepts"]
    if decoding[:1] in (["fine-tune"], ["self-critical"]) and not recipe.weights:
        raise TrainingError(f"{decoding[0]} goes on from a decoder; begin with frozen")
