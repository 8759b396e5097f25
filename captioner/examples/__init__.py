"""Small tasks for the same cells, attention, decoder and search; each prints what it measures.

python -m captioner.examples.numbers      number words to French words and to digits
python -m captioner.examples.transformer  the same by a Transformer, beside a recurrent network
python -m captioner.examples.stories      questions about short stories
python -m captioner.examples.characters   a text written character by character
python -m captioner.examples.addition     binary addition by a plain recurrent network
python -m captioner.examples.gradients    gradients that vanish, or explode and are clipped
python -m captioner.examples.forecast     temperatures and prices, forecast
python -m captioner.examples.tagging      what a name stands for, by the words around it
python -m captioner.examples.speech       a spoken number, translated and spoken
python -m captioner.examples.paragraphs   paragraphs about photographs, sentence by sentence
"""

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
