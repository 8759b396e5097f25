"""A recipe: all that makes a model out of data, as a file in TOML.

    root = "data"
    encoder_weights = "imagenet"

    [model]
    encoder = "EfficientNetB0"
    image_size = 224

    [data.flickr8k]

    [data.mine]
    format = "jsonl"
    root = "mine/train.jsonl"
    times = 3

    [phases.frozen]
    epochs = 10

The tables of `data` and `phases` are read in their order. What is not given is as in `Recipe`,
`Source`, `Phase` and `CaptionerConfig`.
"""

import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar, get_origin, get_type_hints

from captioner.data.vocabulary import MIN_COUNT
from captioner.models.config import CaptionerConfig

QUESTION_UNITS = 256  # of a model that is trained on questions
# Settings of the model that the data, or the encoder, decide.
FROM_DATA = {"caption_words", "concepts", "encoder_settings"}

# The least and the greatest value of settings; of the others 0 is the least.
LIMITS: dict[str, tuple[float, float]] = {
    "annotation_size": (1, math.inf),
    "attention_size": (1, math.inf),
    "ema_momentum": (0, 0.9999),
    "batch_size": (1, math.inf),
    "cross_entropy": (0, 1),
    "dropout": (0, 0.95),
    "embedding_size": (1, math.inf),
    "epochs": (1, math.inf),
    "heads": (1, math.inf),
    "image_size": (32, math.inf),  # the stride of most networks
    "layers": (1, math.inf),
    "learning_rate": (1e-8, 1),
    "max_question_words": (1, math.inf),
    "max_words": (1, math.inf),
    "min_count": (1, math.inf),
    "question_layers": (1, math.inf),
    "share": (0.001, 1),
    "samples": (2, math.inf),  # captions are judged by each other
    "times": (1, math.inf),
    "units": (1, math.inf),
}

Settings = TypeVar("Settings")


class RecipeError(ValueError):
    """A recipe that cannot be read: names the file and the setting."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set.

    Attributes:
        format: a reader by name, see `captioner.data.readers`.
        root: the folder or file that it reads.
        times: how often an epoch goes through it, as may help a small one.
    """

    format: str
    root: Path
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of training.

    Attributes:
        name: one of `PHASES`.
        epochs: the most epochs; early stopping may end the phase before.
        learning_rate: at its height, after a linear warm-up and before a cosine down to 0.
        ema_momentum: of the weights after each step, the share that the mean of those before keeps:
            0.998 is a mean over some 500 steps. It is scored and saved. 0 for the last weights.
        answers: what answers weigh in the loss, where captions weigh 1.
        texts: what sentences without a photograph weigh.
        share: of self-critical training, the share of the photographs in an epoch. A small one
            gives scores more often.
        samples: of self-critical training, captions drawn for each photograph.
        cross_entropy: what the loss of the phase before weighs in it.
        object_reward: what a caption that names an object of the photograph adds to the reward.
        encoder_layers: of the phase concepts, how many of the last convolutions of the encoder
            learn; 0 for all.
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
    """All that makes a model out of data.

    Attributes:
        data: the data sets, by names of one's own.
        phases: in their order. "concepts" trains the encoder and the head that finds concepts,
            "frozen" the decoder on features of the frozen encoder, "fine-tune" everything but that
            head, "self-critical" the decoder by the reward of captions that it draws.
        model: the settings of the model. Its words, its concepts and whether it answers come
            from the data.
        concepts: how many there are at most; 0 for a decoder that looks at regions alone.
        texts: a file of sentences without photographs, see `captioner.training.texts`; only for a
            model with concepts.
        retrieve: whether photographs without a caption learn from captions of others that fit
            what is known to be in them; only for a model with concepts.
        weights: a preset, by name or folder, that the whole model starts from. Words and concepts
            that it does not know start with new weights. "" for a new model.
        encoder_weights: what the encoder of a new model starts from: "imagenet", a weights file, or
            a preset, by name or folder.
        min_count: how often a word must occur in captions to enter the vocabulary.
        asked_min_count: how often a word must occur in questions and answers to enter it.
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
    def read(cls, path: str | PathLike[str], changes: Iterable[str] = ()) -> "Recipe":
        """Read a file in TOML.

        Args:
            path: the file; its `root` is what its relative paths are relative to, by default the
                folder that it lies in.
            changes: settings that take the place of those of the file, such as
                "phases.frozen.epochs=4" or "root=~/data".

        Raises:
            RecipeError: the file cannot be read, or a setting is not known or of another type.
        """
        try:
            content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RecipeError(f"{path}: no recipe in TOML that can be read ({error})") from error
        try:
            for change in changes:
                _change(content, change)
            return _recipe(content, Path(path).parent)
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}") from error

    def settings(self) -> dict[str, Any]:
        """All but where files lie, by dotted names such as "phases.frozen.epochs"."""
        found: dict[str, Any] = {
            "concepts": self.concepts,
            "texts": self.texts and self.texts.name,
            "retrieve": self.retrieve,
            "weights": Path(self.weights).name,
            "encoder_weights": Path(self.encoder_weights).name,
            "min_count": self.min_count,
            "asked_min_count": self.asked_min_count,
            "mirrored": self.mirrored,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "phases": [phase.name for phase in self.phases],
        }
        for name, source in self.data.items():
            found[f"data.{name}.format"] = source.format
            found[f"data.{name}.times"] = source.times
        found |= {
            f"model.{name}": value
            for name, value in asdict(self.model).items()
            if name not in FROM_DATA
        } | {"model.encoder": Path(self.model.encoder).name}
        for phase in self.phases:
            found |= {
                f"phases.{phase.name}.{name}": value
                for name, value in asdict(phase).items()
                if name != "name"
            }
        return found


def _change(content: dict[str, Any], change: str) -> None:
    """Put a setting such as "phases.frozen.epochs=4" in the place of one in a recipe."""
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


def _recipe(content: dict[str, Any], folder: Path) -> Recipe:
    content = dict(content)
    root = folder / Path(_typed("root", content.pop("root", "."), str)).expanduser()
    tables = {name: _table(content.pop(name, {}), name) for name in ("data", "phases", "model")}
    if not tables["data"]:
        raise RecipeError("no data; give a table such as [data.flickr8k]")
    data = {
        name: _read(
            Source(format=name, root=Path(name)), _table(table, f"data.{name}"), f"data.{name}"
        )
        for name, table in tables["data"].items()
    }
    phases = []
    for name, table in tables["phases"].items():
        if name not in PHASES:
            raise RecipeError(f"no phase {name!r}; there are {', '.join(PHASES)}")
        phases.append(_read(PHASES[name], _table(table, f"phases.{name}"), f"phases.{name}"))
    recipe = _read(Recipe(data={}), content, "")
    weights = recipe.encoder_weights
    return replace(
        recipe,
        data={name: replace(s, root=root / s.root.expanduser()) for name, s in data.items()},
        phases=tuple(phases) or recipe.phases,
        model=_read(CaptionerConfig(), tables["model"], "model"),
        texts=recipe.texts and root / recipe.texts.expanduser(),
        # Of os.path, which says no of a name that is too long.
        encoder_weights=str(root / weights) if os.path.isfile(root / weights) else weights,
    )


def _read(defaults: Settings, table: dict[str, Any], where: str) -> Settings:
    """Settings with those of a table in the place of their defaults."""
    types = get_type_hints(type(defaults))
    known = {f.name for f in fields(defaults)}  # type: ignore[arg-type]
    known -= {"name", "data", "phases", "model"}
    known -= FROM_DATA if where == "model" else set()
    values = {}
    for name, value in table.items():
        full = f"{where}.{name}".lstrip(".")
        if name not in known:
            raise RecipeError(f"no setting {full}; there are {', '.join(sorted(known))}")
        values[name] = _typed(full, value, types[name])
    return replace(defaults, **values)  # type: ignore[type-var]


def _typed(name: str, value: Any, expected: Any) -> Any:
    """A value of the type that a setting has."""
    allowed = [t for t in getattr(expected, "__args__", (expected,)) if t is not type(None)]
    if get_origin(expected) is Literal:
        if value not in allowed:
            raise RecipeError(f"{name} is {value!r}; there are {', '.join(map(repr, allowed))}")
        return value
    if allowed[0] is float and type(value) is int:
        value = float(value)
    if allowed[0] is Path and isinstance(value, str):
        return Path(value)
    if type(value) not in allowed:
        raise RecipeError(f"{name} is {value!r}, which is no {allowed[0].__name__}")
    if type(value) in (int, float):
        least, most = LIMITS.get(name.rpartition(".")[2], (0, math.inf))
        if not least <= value <= most:
            upper = "" if most == math.inf else f" to {most}"
            raise RecipeError(f"{name} is {value}; give {least}{upper or ' or more'}")
    return value


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecipeError(f"{name} is no table; write [{name}]")
    return value
