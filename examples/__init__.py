"""Small tasks for the layers and models of captioner; README.md lists them."""

import sys
from typing import Any, TypeVar

import keras
import numpy as np
from matplotlib.figure import Figure

from captioner.data.vocabulary import PAD
from captioner.generation.loop import jit_compile

SEED = 0
Model = TypeVar("Model", bound=keras.Model)


def learn(
    model: Model,
    x: Any,
    y: np.ndarray,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int = 64,
    loss: keras.losses.Loss | None = None,
    **settings: Any,
) -> Model:
    """Fit with Adam, its rate going up for a short while and then down to 0; gradients clipped.

    The loss is that of token ids if none is given. Other settings are those of `keras.Model.fit`.
    """
    steps = epochs * -(-len(y) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=learning_rate, warmup_steps=min(100, steps // 10)
    )
    model.compile(
        keras.optimizers.Adam(schedule, global_clipnorm=1.0),
        loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD),
        jit_compile=jit_compile(),
    )
    model.fit(x, y, batch_size=batch_size, epochs=epochs, **{"verbose": 2, **settings})
    return model


def save(figure: Figure) -> None:
    """Write a figure to the file named on the command line, if there is one."""
    if len(sys.argv) > 1:
        figure.savefig(sys.argv[1])
