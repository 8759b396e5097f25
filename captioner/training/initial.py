"""The model that a run starts from: new, with a pretrained encoder, or the weights of a preset."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from captioner import presets
from captioner.data.vocabulary import Vocabulary
from captioner.layers.image_encoder import HUB, read_hub
from captioner.models.captioner import Captioner
from captioner.models.config import CaptionerConfig
from captioner.training.data import Data
from captioner.training.recipe import QUESTION_UNITS
from captioner.training.run import TrainingError

NEW_CONCEPT = -5.0  # logit, a probability of 0.7 %: most concepts are in fewer photographs than 1 %

# Layers of `question_fusion = "product"`. A model with "sum" can be trained further with them.
ADDABLE = {"fusion_condition", "fusion_memory", "fusion_output", "question_concept"}

REMEDY = 'leave out the settings of the model, or give weights = "" for a new model'


def initial_model(data: Data) -> tuple[Captioner, dict[str, Any]]:
    """The model for the data of a recipe, and the origin of its weights for the metadata.

    Raises:
        EncoderError: the encoder is unknown, or its weights cannot be downloaded.
        PresetError: there is no preset or file of the name of the weights.
        TrainingError: the preset has another encoder or other layers than the recipe.
    """
    if data.recipe.weights:
        return _from_weights(data)
    return _with_encoder(data)


def _config(data: Data, **encoder: Any) -> CaptionerConfig:
    """The configuration in a recipe, with the settings that the data decide."""
    model = data.recipe.model
    return replace(
        model,
        **encoder,
        question_units=model.question_units or (QUESTION_UNITS if data.asks else 0),
        caption_words=data.caption_words,
        concepts=data.concepts,
    )


def _from_weights(data: Data) -> tuple[Captioner, dict[str, Any]]:
    weights = data.recipe.weights
    source = Captioner.from_preset(weights)
    model = Captioner(data.vocabulary, _config(data))
    copy_weights(source, model, weights)
    metadata = presets.read_metadata(weights)
    origin = {"started_from": {"preset": Path(weights).name, **metadata}}
    if "encoder_started_from" in metadata.get("training", {}):
        origin["encoder_started_from"] = metadata["training"]["encoder_started_from"]
    return model, origin


def copy_weights(source: Captioner, target: Captioner, name: str) -> None:
    """Copy all weights. Word vectors and concepts are matched by their words. New words, new
    concepts and the layers `ADDABLE` keep their initial weights.

    Args:
        source: the trained model.
        target: the model that starts from it.
        name: of the source, for the error.

    Raises:
        TrainingError: the layers or their shapes differ.
    """
    words = _matches(source.vocabulary, target.vocabulary)
    concepts = _matches(source.config.concepts, target.config.concepts)
    weights = target.weights
    if source.config.question_fusion == "sum":
        weights = [weight for weight in weights if not set(weight.path.split("/")) & ADDABLE]
    if len(source.weights) != len(weights):
        raise TrainingError(f"{name}: has other layers than the recipe; {REMEDY}")
    for old, new in zip(source.weights, weights, strict=True):
        values, learned = np.array(new), np.array(old)
        if new.path.endswith("embedding/embeddings"):
            values[words[0]] = learned[words[1]]
        elif "concept_head" in new.path:
            values[...] = NEW_CONCEPT if values.ndim == 1 else 0.0
            values[..., concepts[0]] = learned[..., concepts[1]]
        elif old.shape == new.shape:
            values = learned
        else:
            raise TrainingError(
                f"{name}: its {old.path} has the shape {old.shape}, the recipe needs {new.shape}; "
                f"{REMEDY}"
            )
        new.assign(values)


def _matches(source: Vocabulary | tuple[str, ...], target: Vocabulary | tuple[str, ...]) -> Any:
    """The indices in the target and in the source of their common words, `int[N]` each."""
    places = {word: i for i, word in enumerate(source)}
    pairs = [(i, places[word]) for i, word in enumerate(target) if word in places]
    return np.array(pairs, "int32").reshape(-1, 2).T


def _with_encoder(data: Data) -> tuple[Captioner, dict[str, Any]]:
    recipe, weights = data.recipe, data.recipe.encoder_weights
    settings: dict[str, Any] = {"encoder": recipe.model.encoder}
    origin: dict[str, Any] = {"name": Path(recipe.model.encoder).name}
    origin["weights"] = Path(weights).name
    from_hub = settings["encoder"].startswith(HUB)
    from_preset = weights != "imagenet" and not Path(weights).is_file()
    if weights != "imagenet" and not from_preset:
        presets.check_weights(Path(weights))
        origin["sha256"] = presets.sha256(weights)
    if from_hub:
        settings, given = read_hub(settings["encoder"], recipe.model.image_size)
    config = _config(data, **settings)
    unknown = from_preset or (from_hub and weights == "imagenet")
    model = Captioner(data.vocabulary, config, encoder_weights=None if unknown else weights)
    if from_preset:
        source = Captioner.from_preset(weights)
        if source.config.encoder != config.encoder:
            raise TrainingError(f"{weights}: has {source.config.encoder}, not {config.encoder}")
        if source.config.encoder_settings != config.encoder_settings:
            raise TrainingError(f"{weights}: has another {config.encoder}, with other settings")
        model.encoder.set_weights(source.encoder.get_weights())
        origin["preset"] = presets.read_metadata(weights)
    elif unknown:
        model.encoder.set_weights(given)
    return model, {"encoder_started_from": origin}
