"""A recipe: all settings of a training run, as a file in TOML.

    root = "data"
    weights = "runs/mine"

    [data.flickr8k]

    [data.mine]
    format = "jsonl"
    root = "mine/train.jsonl"
    times = 3

    [phases.frozen]
    epochs = 10

A file contains only the settings that differ from `default.toml`, the recipe of `captioner train`.
The phases of a file replace those of the default, in the order of the file. A model that starts
from `weights` has the settings of these weights, except those in [model].
"""

import copy
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

from captioner import presets
from captioner.data.vocabulary import MIN_COUNT
from captioner.errors import UserError
from captioner.models.config import CaptionerConfig
from captioner.training.settings import FROM_DATA, RecipeError, as_table, settings_from, typed

DEFAULT = Path(__file__).with_name("default.toml")
QUESTION_UNITS = 256  # of a new model that is trained on questions

# Options of `captioner train`, and the settings that they stand for.
OPTIONS = {
    "encoder": "model.encoder",
    "encoder_weights": "encoder_weights",
    "epochs": "phases.frozen.epochs",
    "fine_tune_epochs": "phases.fine-tune.epochs",
    "batch_size": "batch_size",
    "seed": "seed",
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set.

    Attributes:
        format: the name of a reader, see `captioner.data.readers`.
        root: its folder or file.
        times: how often an epoch uses each of its photographs.
    """

    format: str
    root: Path
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of training, see `captioner.training.phases`.

    Attributes:
        name: one of `PHASES`.
        epochs: the most epochs; early stopping may end the phase before.
        learning_rate: its maximum, after a linear warm-up and before a cosine decay to 0.
        ema_momentum: of the exponential moving average of the weights, which is scored and saved.
            0.998 averages some 500 steps. 0 scores and saves the last weights.
        answers: the factor of the loss of answers; captions have 1.
        texts: the factor of the loss of sentences without photographs.
        share: the share of the photographs in an epoch of self-critical training. With a small
            one, the model is scored more often.
        samples: captions for each photograph in self-critical training.
        cross_entropy: the factor of the supervised loss in self-critical training.
        object_reward: is added to the reward of a caption that names an object of the photograph.
        encoder_layers: how many of the last layers of the encoder the phase concepts trains; 0 for
            all.
    """

    name: str
    epochs: int
    learning_rate: float
    ema_momentum: float = 0.0
    answers: float = 1.0
    texts: float = 0.6
    share: float = 1.0
    samples: int = 5
    cross_entropy: float = 0.15
    object_reward: float = 0.0
    encoder_layers: int = 0


CONCEPTS = Phase(name="concepts", epochs=3, learning_rate=1e-4)
FROZEN = Phase(name="frozen", epochs=10, learning_rate=1e-3)
FINE_TUNE = Phase(name="fine-tune", epochs=3, learning_rate=1e-4)
SELF_CRITICAL = Phase(name="self-critical", epochs=5, learning_rate=6e-5, ema_momentum=0.99)
PHASES = {phase.name: phase for phase in (CONCEPTS, FROZEN, FINE_TUNE, SELF_CRITICAL)}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All settings of a training run.

    Attributes:
        data: the data sets by name.
        phases: in their order.
        model: the settings of the model. The data decide its words and its concepts.
        concepts: the most concepts, chosen from the captions. 0 for those of `weights`; a new
            model then has none.
        texts: a file of sentences without photographs, see `captioner.training.texts`; only for a
            model with concepts.
        retrieve: whether photographs without captions get captions of other photographs, see
            `captioner.training.retrieval`; only for a model with concepts.
        weights: a preset, by name or folder, that the model starts from. It keeps its words. New
            words of the data, and new concepts, start with new weights. "" for a new model.
        encoder_weights: the initial weights of the encoder of a new model: "imagenet", a weights
            file, or a preset, by name or folder.
        min_count: how often a new word must occur in captions to enter the vocabulary.
        asked_min_count: how often a new word must occur in questions and answers to enter it.
        mirrored: whether the decoder also learns from features of mirrored photographs. Without
            them, the cache of features takes half the time and space.
        batch_size: photographs in a batch.
        seed: of the initial weights, the order and the augmentation.
    """

    data: Mapping[str, Source]
    phases: tuple[Phase, ...] = (FROZEN,)
    model: CaptionerConfig = field(default_factory=CaptionerConfig)
    concepts: int = 0
    texts: Path | None = None
    retrieve: bool = False
    weights: str = ""
    encoder_weights: str = "imagenet"
    min_count: int = MIN_COUNT
    asked_min_count: int = 3
    mirrored: bool = True
    batch_size: int = 32
    seed: int = 0

    @classmethod
    def read(
        cls,
        path: str | PathLike[str] = DEFAULT,
        changes: Iterable[str] = (),
        data: Mapping[str, Source] | None = None,
    ) -> "Recipe":
        """Read a file in TOML.

        Args:
            path: the file. Its `root` is the folder of its relative paths, by default the folder of
                the file.
            changes: settings that replace those of the file, such as "phases.frozen.epochs=4" or
                "root=~/data".
            data: further data sets.

        Raises:
            RecipeError: the file cannot be read, or a setting is unknown or has a wrong value.
        """
        try:
            content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RecipeError(f"{path}: no recipe in TOML that can be read ({error})") from error
        try:
            defaults = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
            if content == defaults:
                content = {}
            content.setdefault("phases", copy.deepcopy(defaults["phases"]))
            for change in changes:
                _change(content, change)
            return _recipe(content, defaults, Path(path).parent, data or {})
        except (OSError, UserError) as error:
            raise RecipeError(f"{path}: {error}") from error

    @classmethod
    def from_options(
        cls,
        datasets: Sequence[tuple[str, str | PathLike[str]]] = (),
        config: str | PathLike[str] = DEFAULT,
        changes: Iterable[str] = (),
        fine_tune: bool = False,
        **options: Any,
    ) -> "Recipe":
        """Read a recipe with the options of `captioner train`.

        Args:
            datasets: pairs of the name of a reader and a folder. An epoch uses the photographs of a
                pair that is given n times n times.
            config: the file.
            changes: see `read`.
            fine_tune: adds the phase fine-tune.
            options: short names of settings, see `OPTIONS`.

        Raises:
            RecipeError: see `read`.
        """
        times = Counter((name, os.fspath(root)) for name, root in datasets)
        names = [name for name, _ in times]
        if len(set(names)) < len(names):
            raise RecipeError(f"one format, two folders: {', '.join(names)}; join them into one")
        data = {
            name: Source(format=name, root=Path(root), times=count)
            for (name, root), count in times.items()
        }
        if fine_tune:
            options = {"fine_tune_epochs": FINE_TUNE.epochs, **options}
        short = [f"{OPTIONS[name]}={value}" for name, value in options.items()]
        return cls.read(config, [*short, *changes], data)

    def settings(self) -> dict[str, Any]:
        """All settings but the folders of files, by names such as "phases.frozen.epochs"."""
        found: dict[str, Any] = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("data", "model")
        }
        found["texts"] = self.texts and self.texts.name
        found["weights"] = Path(self.weights).name
        found["encoder_weights"] = Path(self.encoder_weights).name
        found["phases"] = [phase.name for phase in self.phases]
        tables: dict[str, Any] = {f"data.{name}": source for name, source in self.data.items()}
        tables["model"] = self.model
        tables |= {f"phases.{phase.name}": phase for phase in self.phases}
        for table, values in tables.items():
            for name, value in asdict(values).items():
                if name not in {"name", "root", *FROM_DATA}:
                    found[f"{table}.{name}"] = value
        found["model.encoder"] = Path(self.model.encoder).name
        return found


def _change(content: dict[str, Any], change: str) -> None:
    """Apply a change such as "phases.frozen.epochs=4" to the content of a recipe."""
    name, equals, value = change.partition("=")
    if not (equals and name):
        raise RecipeError(f"expected NAME=VALUE, got {change!r}")
    *tables, last = name.strip().split(".")
    for table in tables:
        content = content.setdefault(table, {})
        if not isinstance(content, dict):
            raise RecipeError(f"{name}: {table} is no table")
    try:
        content[last] = tomllib.loads(f"value = {value}")["value"]
    except ValueError:
        content[last] = value.strip()  # text needs no quotes


def _recipe(
    content: dict[str, Any], defaults: dict[str, Any], folder: Path, added: Mapping[str, Source]
) -> Recipe:
    model, new = (as_table(table.pop("model", {}), "model") for table in (content, defaults))
    if "encoder_weights" in content or "encoder" in model:
        defaults["weights"] = ""  # a new model
    content = {**defaults, **content}
    root = folder / Path(typed("root", content.pop("root", "."), str)).expanduser()
    sources, phases = (as_table(content.pop(name, {}), name) for name in ("data", "phases"))
    data = {}
    for name, table in sources.items():
        source = settings_from(Source(format=name, root=Path(name)), table, f"data.{name}")
        data[name] = replace(source, root=root / source.root.expanduser())
    data |= added
    if not data:
        raise RecipeError("no data; give --dataset and --root, or a table such as [data.flickr8k]")
    if unknown := phases.keys() - PHASES.keys():
        raise RecipeError(f"no phase {min(unknown)!r}; there are {', '.join(PHASES)}")
    recipe = settings_from(Recipe(data=data), content, "")
    if recipe.weights:
        config = presets.read_config(presets.find(recipe.weights), CaptionerConfig.from_json)
    else:
        config = settings_from(CaptionerConfig(), new, "model")
    weights = recipe.encoder_weights
    return replace(
        recipe,
        phases=tuple(
            settings_from(PHASES[name], table, f"phases.{name}") for name, table in phases.items()
        ),
        model=settings_from(config, model, "model"),
        texts=recipe.texts and root / recipe.texts.expanduser(),
        # os.path returns False for a name that is too long; Path raises an error.
        encoder_weights=str(root / weights) if os.path.isfile(root / weights) else weights,
    )
