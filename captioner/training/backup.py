"""Where a phase of training stands after each epoch, in one file."""

import csv
import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from captioner import presets
from captioner.training.run import TrainingError

HISTORY, RANDOM = "history", "random"  # attributes of the file


class Backup(keras.callbacks.Callback):
    """Writes weights, optimizer, random states and history after every epoch, and restores them.

    Keras's `BackupAndRestore` writes the weights and the number of the epoch one after the other: a
    run killed in between would go through an epoch again on weights that have been through it.
    Nor does it write the states of the random generators of dropout. Here all is in one file, which
    takes the place of the one before as a whole. It is there from the start, since a phase may
    begin with a preset that it will write over.

    Args:
        path: the file.

    Attributes:
        history: the logs of each epoch that is done.

    Raises:
        TrainingError: the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.history: list[dict[str, float]] = []
        if path.exists():
            try:
                with h5py.File(path) as file:
                    self.history = json.loads(file.attrs[HISTORY])
            except (OSError, KeyError, ValueError) as error:
                raise self._damaged() from error

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.optimizer.build(self.model.trainable_variables)
        if not self.path.exists():
            self._write()
            return
        try:
            self.model.load_weights(self.path)
            with h5py.File(self.path) as file:
                for state, saved in zip(self._random, file.attrs[RANDOM], strict=True):
                    state.assign(saved)
        except (OSError, KeyError, ValueError) as error:
            raise self._damaged() from error

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            return  # nobody goes on from there
        self.history.append({name: float(value) for name, value in (logs or {}).items()})
        self._write()

    def write_log(self, path: Path) -> None:
        """Write what `CSVLogger` goes on with: the epochs that are done, and no other."""
        path.unlink(missing_ok=True)
        if self.history:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["epoch", *sorted(self.history[0])])
                writer.writeheader()
                writer.writerows({"epoch": i} | row for i, row in enumerate(self.history))

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(f"unfinished-{self.path.name}")
        variables = [*self.model.variables, *self.model.optimizer.variables]
        presets.require_space(self.path.parent, sum(np.prod(v.shape) * 4 for v in variables))
        self.model.save_weights(unfinished)
        with h5py.File(unfinished, "r+") as file:
            file.attrs[HISTORY] = json.dumps(self.history)
            file.attrs[RANDOM] = [keras.ops.convert_to_numpy(state) for state in self._random]
        unfinished.replace(self.path)

    @property
    def _random(self) -> list[Any]:
        return [v for v in self.model.variables if v.name == "seed_generator_state"]

    def _damaged(self) -> TrainingError:
        return TrainingError(
            f"{self.path}: damaged or cut short; remove {self.path.parent.parent} to begin again, "
            "or give another folder"
        )


class Patience(keras.callbacks.EarlyStopping):
    """Early stopping that remembers what was before an interruption.

    Args:
        history: the logs of the epochs that are done.
        epochs: how many of them may pass without a better score.
    """

    def __init__(self, history: list[dict[str, float]], epochs: int) -> None:
        super().__init__("val_score", patience=epochs, mode="max")
        self.before = list(history)

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        for epoch, row in enumerate(self.before):
            self.on_epoch_end(epoch, row)

    @property
    def exhausted(self) -> bool:
        """Whether the epochs before have used it up."""
        scores = [row[self.monitor] for row in self.before]
        return bool(scores) and len(scores) - 1 - int(np.argmax(scores)) >= self.patience
