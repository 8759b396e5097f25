"""One phase of training: its optimizer, its losses, and the callbacks that log, stop and resume."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from captioner.generation.loop import jit_compile as xla_is_faster
from captioner.training.backup import Backup, Patience
from captioner.training.recipe import Phase
from captioner.training.run import TrainingError

WARM_UP = 0.05  # share of the steps
WEIGHT_DECAY = 0.01
CLIP_NORM = 5.0
PATIENCE = 5  # epochs without a better score; fewer would stop before the rate has come down


def new_optimizer(phase: Phase, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW with a linear warm-up, a cosine down to 0, and clipped gradients."""
    steps = phase.epochs * steps_per_epoch
    warm_up = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=phase.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=WEIGHT_DECAY,
        global_clipnorm=CLIP_NORM,
        use_ema=phase.ema_momentum > 0,
        ema_momentum=phase.ema_momentum or 0.99,  # Keras checks it, wanted or not
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def compile_model(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    targets: Iterable[str],
    jit_compile: bool | None = None,
) -> None:
    """Give a model its optimizer, and losses that are sums: the weights of a batch say the share
    of each word.

    Args:
        model: the `Captioner`, or a model around one.
        optimizer: see `new_optimizer`.
        targets: the names of what it learns to write.
        jit_compile: whether XLA compiles the step; by default where it is faster.
    """
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    model.compile(
        optimizer,
        dict.fromkeys(targets, loss),
        jit_compile=xla_is_faster() if jit_compile is None else jit_compile,
    )


def averages(phase: Phase) -> keras.callbacks.SwapEMAWeights | None:
    """What exchanges the weights for the mean of those before, where a phase keeps one."""
    return keras.callbacks.SwapEMAWeights() if phase.ema_momentum else None


class Progress:
    """How far a phase has come, in the folder of its run, and the callbacks that keep that.

    Args:
        phase: the `Phase`.
        output: the folder of the run.
        scores: the callback that adds `val_score` to the logs of an epoch.
        swap: see `averages`.
        board: what shows the captions of an epoch.

    Attributes:
        done: the number of epochs that are done.
        finished: whether there is nothing left to do.
        callbacks: in their order.
    """

    def __init__(
        self,
        phase: Phase,
        output: Path,
        scores: keras.callbacks.Callback,
        swap: keras.callbacks.Callback | None = None,
        board: keras.callbacks.Callback | None = None,
    ) -> None:
        backup = Backup(output / "backup" / f"{phase.name}.npz")
        patience = Patience(backup.history, PATIENCE)
        self.done = len(backup.history)
        self.finished = patience.exhausted or self.done >= phase.epochs
        log = output / "logs" / f"{phase.name}.csv"
        backup.write_log(log)
        self.callbacks: list[keras.callbacks.Callback] = [
            *([swap] if swap is not None else []),
            scores,
            *([board] if board is not None else []),
            patience,
            keras.callbacks.CSVLogger(log, append=True),
            keras.callbacks.TensorBoard(output / "logs" / phase.name),
            keras.callbacks.TerminateOnNaN(),
            # Last, so that an epoch counts as done only when it has been scored and logged.
            backup,
        ]


def fit(model: keras.Model, phase: Phase, data: Any, progress: Progress) -> None:
    """Train a compiled model for what is left of a phase.

    Args:
        model: compiled.
        phase: the `Phase`.
        data: a `keras.utils.PyDataset` that shuffles by its attribute `epoch`.
        progress: the `Progress` of the phase.

    Raises:
        TrainingError: the loss is no number any more.
    """
    if progress.finished:
        return
    history = model.fit(
        data,
        initial_epoch=progress.done,
        epochs=phase.epochs,
        shuffle=False,  # the data do it, in the same way however often a run is interrupted
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: setattr(data, "epoch", epoch)
            ),
            *progress.callbacks,
        ],
    )
    check_losses(history.history.get("loss", []), progress.done)


def check_losses(losses: Sequence[float], done: int) -> None:
    """Refuse to go on from a loss that is no number.

    Args:
        losses: of the epochs since the run was started.
        done: the number of epochs before these.

    Raises:
        TrainingError: the last one is no number.
    """
    if losses and not np.isfinite(losses[-1]):
        raise TrainingError(
            f"the loss of epoch {done + len(losses)} is {losses[-1]}; the best preset before it "
            "is kept: look for what is broken in the data, or train in float32"
        )
