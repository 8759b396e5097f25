"""The state of a phase of training after each epoch, in one file."""

import contextlib
import csv
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from captioner import presets
from captioner.training.run import Log, TrainingError

HISTORY = "history"  # the name of the logs in the file, beside numbered arrays


class Backup(keras.callbacks.Callback):
    """Writes weights, optimizer, random states and logs after every epoch, and restores them.

    Keras's `BackupAndRestore` writes the weights and the number of the epoch in two steps. If the
    process is killed between them, the resumed run trains an epoch twice. It also leaves out the
    states of the random generators of dropout. Here everything is in one file, which replaces the
    file before as a whole. NumPy writes it, since HDF5 ends the process when the disk is full. The
    first file is written before the first epoch, since a phase overwrites the preset that it
    started from.

    Args:
        path: the file.

    Attributes:
        history: the logs of each finished epoch.
        loss: the loss of the last epoch, finished or not a number.

    Raises:
        TrainingError: the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.history: list[Log] = []
        self.loss = 0.0
        if path.exists():
            with self._opened() as file:
                self.history = json.loads(str(file[HISTORY]))

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.optimizer.build(self.model.trainable_variables)
        if not self.path.exists():
            self._write()
            return
        with self._opened() as file:
            for number, variable in enumerate(self._variables):
                variable.assign(file[str(number)])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.loss = logs["loss"]
        if np.isfinite(self.loss):
            self.history.append({name: float(value) for name, value in logs.items()})
            self._write()

    def write_log(self, path: Path) -> None:
        """Write the CSV file that `CSVLogger` continues, with the finished epochs only."""
        path.unlink(missing_ok=True)
        if self.history:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["epoch", *sorted(self.history[0])])
                writer.writeheader()
                writer.writerows({"epoch": i} | row for i, row in enumerate(self.history))

    @property
    def _variables(self) -> list[Any]:
        # The variables of the model include the states of its random generators.
        return [*self.model.variables, *self.model.optimizer.variables]

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(f"unfinished-{self.path.name}")
        arrays = [keras.ops.convert_to_numpy(variable) for variable in self._variables]
        presets.require_space(self.path.parent, sum(array.nbytes for array in arrays))
        named: dict[str, Any] = {str(number): array for number, array in enumerate(arrays)}
        named[HISTORY] = np.array(json.dumps(self.history))
        np.savez(unfinished, **named)
        unfinished.replace(self.path)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            with self.path.open("rb") as stream, np.load(stream) as file:
                yield file
        except (EOFError, OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise TrainingError(
                f"{self.path}: damaged or cut short; remove {self.path.parent.parent} to begin "
                "again, or give another folder"
            ) from error


class Patience(keras.callbacks.EarlyStopping):
    """Early stopping that includes the epochs before an interruption.

    Args:
        history: the logs of the finished epochs.
        epochs: the number of epochs without a better score after which training stops.
    """

    def __init__(self, history: list[Log], epochs: int) -> None:
        super().__init__("val_score", patience=epochs, mode="max")
        self.before = list(history)

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        for epoch, row in enumerate(self.before):
            self.on_epoch_end(epoch, row)

    @property
    def exhausted(self) -> bool:
        """Whether the finished epochs have used it up."""
        scores = [row[self.monitor] for row in self.before]
        return bool(scores) and len(scores) - 1 - int(np.argmax(scores)) >= self.patience
