"""Training: from a recipe to a preset.

    recipe -> data -> initial model -> phase -> ... -> phase -> preset

Everything lies in the output folder. It is a preset after the first scored epoch, and then always
that of the best epoch so far. The same command resumes an interrupted run.
"""

import shutil
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras

from captioner import presets
from captioner.data.image_checks import Checks
from captioner.models.captioner import Captioner
from captioner.training.data import Data
from captioner.training.distribution import data_parallel
from captioner.training.initial import initial_model
from captioner.training.phases import PhaseContext, train_phase
from captioner.training.recipe import DEFAULT, Recipe
from captioner.training.run import Run, TrainingError, digest
from captioner.training.trainer import CLIP_NORM, WEIGHT_DECAY


def train(
    datasets: Sequence[tuple[str, str | PathLike[str]]],
    output: str | PathLike[str],
    *,
    config: str | PathLike[str] = DEFAULT,
    changes: Iterable[str] = (),
    workers: int = 1,
    **options: Any,
) -> None:
    """Train a captioner on the train splits of data sets, and choose an epoch by their dev splits.

    If the data have questions, the model learns to answer them too. The options are those of the
    command `captioner train`.

    Args:
        datasets: pairs of the name of a reader, see `captioner.data.readers`, and the folder of the
            data set. An epoch uses the photographs of a pair that is given n times n times.
        output: the folder of the preset and the logs.
        config: a recipe; by default the model starts from the weights that ship.
        changes: settings that replace those of the recipe, such as "model.cell=gru".
        workers: devices that share each batch; more than one need Keras on JAX.
        options: `encoder`, `encoder_weights`, `epochs`, `fine_tune`, `fine_tune_epochs`,
            `batch_size`, `seed`, see `captioner.training.recipe.Recipe.from_options`.

    Raises:
        DatasetError: the data cannot be read, or too much of it is broken.
        EncoderError: the encoder is unknown, or its weights cannot be downloaded.
        PresetError: the weights are no preset and no weights file.
        RecipeError: the recipe has an unknown setting or a wrong value.
        TrainingError: the settings contradict each other, the output folder holds a run with other
            settings, the weights have other layers, or there are fewer devices than workers.
    """
    carry_out(Recipe.from_options(datasets, config, changes, **options), output, workers)


def carry_out(recipe: Recipe, output: str | PathLike[str], workers: int = 1) -> None:
    """Train with a recipe; for the errors see `train`.

    Args:
        recipe: the `Recipe`.
        output: the folder of the preset and the logs.
        workers: devices that share each batch. A run may resume with another number, which changes
            only the rounding.
    """
    _check(recipe)
    phases = {phase.name for phase in recipe.phases}
    if workers > 1 and (recipe.texts or phases & {"concepts", "self-critical"}):
        raise TrainingError(
            "texts and the phases concepts and self-critical need one worker; leave out --workers"
        )
    with data_parallel(workers, recipe.batch_size):
        _carry_out(recipe, Path(output))


def _carry_out(recipe: Recipe, output: Path) -> None:
    checks = Checks(output / "cache" / "checks.json")
    data = Data.read(recipe, checks)
    keras.utils.set_random_seed(recipe.seed)
    model, origin = initial_model(data)
    run = Run(output, _identity(data, origin))  # a run that is refused writes no file
    checks.save()
    provenance = {
        "data": data.provenance(),
        **origin,
        "recipe": recipe.settings(),
        "weight_decay": WEIGHT_DECAY,
        "clip_norm": CLIP_NORM,
        "seed": recipe.seed,
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
    }
    for phase in recipe.phases:
        if phase.name in run.finished:
            continue
        if run.finished:
            model = Captioner.from_preset(output)  # the best epoch so far
        so_far = {**provenance, "phases": run.phases()}
        context = PhaseContext(model, phase, data, output, so_far, run.score)
        run.finish(phase.name, train_phase(context))
        shutil.rmtree(output / "backup")
    metadata = presets.read_metadata(output)
    metadata["training"] = {**provenance, "phases": run.phases()}
    with presets.replacement(output) as new:
        presets.write_json(new / presets.METADATA, metadata)
    shutil.rmtree(output / "cache", ignore_errors=True)  # gigabytes


def _identity(data: Data, origin: dict[str, Any]) -> dict[str, Any]:
    """The settings that a run must have to resume."""
    recipe = data.recipe
    roots = {name: source.root for name, source in recipe.data.items()}
    return {
        **recipe.settings(),
        "records": digest([data.photographs, data.dev_photographs, data.texts], roots),
        "vocabulary": digest(data.vocabulary.words),
        "initial weights": digest(origin),
    }


def _check(recipe: Recipe) -> None:
    """Refuse a recipe that contradicts itself, before its data are read."""
    names = [phase.name for phase in recipe.phases]
    has_concepts = bool(recipe.concepts or recipe.model.concepts)
    if ("concepts" in names and not has_concepts) or (
        recipe.concepts and "concepts" not in names and not recipe.weights
    ):
        raise TrainingError("concepts = N and [phases.concepts] must be given together")
    if recipe.weights and recipe.encoder_weights != "imagenet":
        raise TrainingError("give weights or encoder_weights: weights contain an encoder")
    if (recipe.texts or recipe.retrieve) and not has_concepts:
        raise TrainingError("texts and retrieve need a model with concepts; set concepts = N")
    if "concepts" in names[1:]:
        raise TrainingError("[phases.concepts] must be first: the decoder reads the concepts")
    decoding = [name for name in names if name != "concepts"]
    if decoding[:1] in (["fine-tune"], ["self-critical"]) and not recipe.weights:
        raise TrainingError(
            f"[phases.{decoding[0]}] needs a trained decoder; put [phases.frozen] before it"
        )
