"""The folder of a run: its settings, and its finished phases."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from captioner import presets
from captioner.errors import UserError

# Settings that are compared by their digest, and the cause of a difference.
DIGESTS = {
    "records": "photographs, captions or their order have changed since it began",
    "vocabulary": "the words of the captions have changed since it began",
    "initial weights": "the file or preset that it started from has changed since it began",
}
PHASES = "phases"  # the setting that may grow: a run may continue with more phases

Log = dict[str, float]  # the losses and dev scores of an epoch


class TrainingError(UserError):
    """Settings that do not fit the run in the output folder, or data with nothing to learn."""


@dataclass(frozen=True)
class Chosen:
    """The result of a phase.

    Attributes:
        epoch: whose weights are in the preset, from 1; None if the phase before scored higher.
        score: of the preset. -1 before the first score.
        log: the `Log` of each epoch.
    """

    epoch: int | None = None
    score: float = -1.0
    log: Sequence[Log] = ()

    @classmethod
    def best(cls, log: Sequence[Log], before: float) -> Self:
        """The first epoch with the highest score, if it exceeds the score before the phase."""
        scores = [row["val_score"] for row in log]
        score = max(scores, default=before)
        if score > before:
            return cls(scores.index(score) + 1, score, log)
        return cls(None, before, log)

    def metadata(self, phase: str) -> dict[str, Any]:
        """The entry of a phase in the metadata of the preset."""
        log = [{"epoch": epoch, **row} for epoch, row in enumerate(self.log)]
        return {"name": phase, "chosen_epoch": self.epoch, "log": log}


def digest(value: Any, roots: Mapping[str, Path] | None = None) -> str:
    """The SHA-256 of the `repr` of records, lists and text.

    Args:
        value: its `repr` contains everything that matters.
        roots: folders by names. In paths, a name replaces its folder, so that data may move.
    """
    text = repr(value)
    for name, root in (roots or {}).items():
        folder = root.parent if root.is_file() else root
        text = text.replace(f"{folder.resolve()}{os.sep}", f"{name}:")
    return hashlib.sha256(text.encode()).hexdigest()


class Run:
    """The state of a run, in the file `run.json` of its output folder.

    Args:
        output: the folder.
        settings: a run resumes only with the settings that it was begun with, since its weights,
            its cache and its learning rate depend on them.

    Attributes:
        finished: phase -> `Chosen`.

    Raises:
        TrainingError: the folder holds another run, a preset without a run, or a damaged
            `run.json`.
    """

    def __init__(self, output: Path, settings: dict[str, Any]) -> None:
        self.output, self.path = output, output / "run.json"
        self.settings = settings
        self.finished: dict[str, Chosen] = {}
        presets.finish_replacement(output)
        if self.path.exists():
            self._resume()
        elif (output / presets.METADATA).exists():
            raise TrainingError(
                f"{output}: holds a preset, but no {self.path.name} of the run that made it; "
                "give another folder"
            )
        (output / "logs").mkdir(parents=True, exist_ok=True)
        self._write()

    @property
    def score(self) -> float:
        """The score that a preset must exceed to replace the one of the phases before."""
        return [Chosen(), *self.finished.values()][-1].score

    def finish(self, phase: str, chosen: Chosen) -> None:
        """Record that a phase is finished."""
        self.finished[phase] = chosen
        self._write()

    def phases(self) -> list[dict[str, Any]]:
        """The finished phases for the metadata of the preset."""
        return [chosen.metadata(phase) for phase, chosen in self.finished.items()]

    def _resume(self) -> None:
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
            begun = dict(state["settings"])
            phases = list(begun.get(PHASES, []))
            self.finished = {
                name: Chosen(one["epoch"], float(one["score"]), list(one["log"]))
                for name, one in state["finished"].items()
            }
        except (AttributeError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise TrainingError(
                f"{self.path}: damaged or cut short; remove {self.output} to begin again, or give "
                "another folder"
            ) from error
        for name, value in self.settings.items():
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
        self.settings = {**begun, **self.settings}

    def _write(self) -> None:
        unfinished = self.path.with_suffix(".part")  # replaced as a whole
        finished = {name: asdict(chosen) for name, chosen in self.finished.items()}
        presets.write_json(unfinished, {"settings": self.settings, "finished": finished})
        unfinished.replace(self.path)


def _is_added(name: str, value: Any, begun: list[str]) -> bool:
    """Whether a setting belongs to a phase that was added after those of the run."""
    if name == PHASES:
        return value[: len(begun)] == begun
    table, _, rest = name.partition(".")
    return table == PHASES and rest.split(".")[0] not in begun
