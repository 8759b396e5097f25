"""One phase of training: its epochs, with callbacks that score, log, stop and resume."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from captioner.training.backup import Backup, Patience
from captioner.training.recipe import Phase
from captioner.training.run import Log, TrainingError

# Epochs without a better score. A choice: the rate falls until the last epoch of a phase, and the
# score may still rise then.
PATIENCE = 5

# Trains a compiled model on batches for some epochs, with callbacks.
Loop = Callable[[keras.Model, Any, range, Sequence[keras.callbacks.Callback]], None]


def backup_of(output: Path, phase: Phase) -> Backup:
    """The `Backup` of a phase in the folder of a run, with the logs of its finished epochs."""
    return Backup(output / "backup" / f"{phase.name}.npz")


def keras_loop(
    model: keras.Model,
    batches: Any,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """`keras.Model.fit`; the batches shuffle themselves by their attribute `epoch`."""

    def set_epoch(epoch: int, logs: Any) -> None:
        batches.epoch = epoch

    first = keras.callbacks.LambdaCallback(on_epoch_begin=set_epoch)
    model.fit(
        batches,
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        shuffle=False,
        callbacks=[first, *callbacks],
    )


def fit(
    model: keras.Model,
    phase: Phase,
    batches: Any,
    output: Path,
    scores: Sequence[keras.callbacks.Callback],
    loop: Loop = keras_loop,
) -> list[Log]:
    """Train a compiled model for the remaining epochs of a phase.

    Args:
        model: compiled.
        phase: the `Phase`.
        batches: see `keras_loop`.
        output: the folder of the run, for the backup and the logs.
        scores: callbacks, the first of which adds `val_score` to the logs of an epoch.
        loop: trains for some epochs.

    Returns:
        The logs of all epochs of the phase. The model has the weights of the last one.

    Raises:
        TrainingError: the loss is not a number any more.
    """
    backup = backup_of(output, phase)
    patience = Patience(backup.history, PATIENCE)
    epochs = range(len(backup.history), phase.epochs)
    if patience.exhausted or not epochs:
        backup.set_model(model)
        backup.on_train_begin()  # restores the weights
        return backup.history
    log = output / "logs" / f"{phase.name}.csv"
    backup.write_log(log)
    callbacks = [
        *scores,
        patience,
        keras.callbacks.CSVLogger(log, append=True),
        keras.callbacks.TensorBoard(output / "logs" / phase.name),
        keras.callbacks.TerminateOnNaN(),
        backup,  # last: an epoch is finished when it has been scored and logged
    ]
    loop(model, batches, epochs, callbacks)
    if not np.isfinite(backup.loss):
        raise TrainingError(
            f"the loss of epoch {len(backup.history) + 1} is {backup.loss}; the best preset so far "
            "is kept; check the data, or train in float32"
        )
    return backup.history
