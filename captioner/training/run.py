"""The folder of a run: what the run is, and how far it has come."""

import csv
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioner import presets

# Settings that are compared by their digest, and what has changed if they differ.
DIGESTS = {
    "records": "photographs, captions or their order have changed since it began",
    "vocabulary": "the words of the captions have changed since it began",
    "initial weights": "the file or preset that it started from has changed since it began",
}


PHASES = "phases"  # the setting that may grow: a run may go on with more of them


class TrainingError(ValueError):
    """Settings that do not fit the run in the output folder, or data with nothing to learn."""


def digest(value: Any, roots: Mapping[str, Path] | None = None) -> str:
    """The SHA-256 of how a value, made of records, lists and text, is written.

    Args:
        value: any value with a `repr` that tells all.
        roots: folders by names. Their paths count as their names, so that data may move.
    """
    text = repr(value)
    for name, root in (roots or {}).items():
        folder = root.parent if root.is_file() else root
        text = text.replace(f"{folder.resolve()}{os.sep}", f"{name}:")
    return hashlib.sha256(text.encode()).hexdigest()


class Run:
    """What the output folder says of a run, kept in `run.json`.

    Args:
        output: the folder.
        settings: what makes the run what it is. One that was begun with others is not gone on with,
            since what it has learned, its cache and its learning rate belong to them.

    Attributes:
        finished: phase -> the epoch chosen, None if all were worse than the phase before.

    Raises:
        TrainingError: the folder holds another run, a preset that no run made, or a `run.json` that
            was cut short.
    """

    def __init__(self, output: Path, settings: dict[str, Any]) -> None:
        self.output = output
        self.path = output / "run.json"
        presets.finish_replacement(output)
        if self.path.exists():
            self.state = self._resumed(settings)
            self._write()
            return
        if (output / presets.METADATA).exists():
            raise TrainingError(
                f"{output}: holds a preset, but no {self.path.name} of the run that made it; "
                "give another folder"
            )
        (output / "logs").mkdir(parents=True, exist_ok=True)
        self.state = {"settings": settings, "finished": {}}
        self._write()

    def _resumed(self, settings: dict[str, Any]) -> dict[str, Any]:
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
            begun, _ = dict(state["settings"]), dict(state["finished"])
            phases = list(begun.get(PHASES, []))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise TrainingError(
                f"{self.path}: damaged or cut short; remove {self.output} to begin again, or give "
                "another folder"
            ) from error
        for name, value in settings.items():
            if begun.get(name) == value or _is_added(name, value, phases):
                continue
            remedy = "give the same settings to resume it, or another folder"
            if name in DIGESTS:
                raise TrainingError(
                    f"{self.output}: holds a run with other {name}: {DIGESTS[name]}; {remedy}"
                )
            raise TrainingError(
                f"{self.output}: holds a run with {name} {begun.get(name)}, not {value}; {remedy}"
            )
        return {**state, "settings": {**begun, **settings}}

    @property
    def finished(self) -> dict[str, int | None]:
        """Phase -> the epoch chosen, None if all were worse than the phase before."""
        return self.state["finished"]

    def finish(self, phase: str) -> None:
        """Note that a phase is finished, and which epoch of it the preset comes from."""
        phases = presets.read_metadata(self.output)["training"]["phases"]
        chosen = {entry["name"]: entry["chosen_epoch"] for entry in phases}
        self.finished[phase] = chosen.get(phase)
        self._write()

    def log(self, phase: str) -> list[dict[str, float]]:
        """The losses and dev scores of the epochs of a phase."""
        with (self.output / "logs" / f"{phase}.csv").open(newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]

    def best(self) -> float:
        """The best dev score so far; -1 before the first epoch, which any score exceeds."""
        if not (self.output / presets.METADATA).exists():
            return -1.0
        return presets.read_metadata(self.output)["dev_scores_in_training"]["score"]

    def _write(self) -> None:
        # Whole or not at all, whenever the run is stopped.
        unfinished = self.path.with_suffix(".part")
        presets.write_json(unfinished, self.state)
        unfinished.replace(self.path)


def _is_added(name: str, value: Any, begun: list[str]) -> bool:
    """Whether a setting is that of a phase that follows those that a run was begun with."""
    if name == PHASES:
        return value[: len(begun)] == begun
    table, _, rest = name.partition(".")
    return table == PHASES and rest.split(".")[0] not in begun
