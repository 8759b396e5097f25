"""Settings from tables in TOML: their names, types and limits are checked."""

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_origin, get_type_hints

from captioner.errors import UserError

Settings = TypeVar("Settings")

# Settings of the model that depend on the data or on the encoder.
FROM_DATA = {"caption_words", "concepts", "encoder_settings"}

# The lowest and the highest value of settings. Others have 0 and no highest value.
LIMITS: dict[str, tuple[float, float]] = {
    "ema_momentum": (0, 0.9999),
    "cross_entropy": (0, 1),
    "dropout": (0, 0.95),
    "image_size": (32, math.inf),  # the stride of most networks
    "learning_rate": (1e-8, 1),
    "share": (0.001, 1),
    "samples": (2, math.inf),  # the baseline is the mean of the others
}
LIMITS |= dict.fromkeys(
    "annotation_size attention_size batch_size embedding_size epochs heads layers max_words "
    "max_question_words min_count question_layers times units".split(),
    (1, math.inf),
)


class RecipeError(UserError):
    """A recipe that cannot be read: names the file and the setting."""


def settings_from(defaults: Settings, table: Any, where: str) -> Settings:
    """Settings, with those of a table instead of their defaults."""
    types = get_type_hints(type(defaults))
    known = {f.name for f in fields(defaults)}  # type: ignore[arg-type]
    known -= {"name", "data", "phases", "model"}
    known -= FROM_DATA if where == "model" else set()
    values = {}
    for name, value in as_table(table, where).items():
        full = f"{where}.{name}".lstrip(".")
        if name not in known:
            raise RecipeError(f"no setting {full}; there are {', '.join(sorted(known))}")
        values[name] = typed(full, value, types[name])
    return replace(defaults, **values)  # type: ignore[type-var]


def typed(name: str, value: Any, expected: Any) -> Any:
    """A value, if it has the type of a setting and lies within its limits."""
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


def as_table(value: Any, name: str) -> dict[str, Any]:
    """A value, if it is a table."""
    if not isinstance(value, dict):
        raise RecipeError(f"{name} is no table; write [{name}]")
    return value
