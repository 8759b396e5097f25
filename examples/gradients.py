"""Gradients through time: how they vanish, how they explode, and what clipping does.

python -m examples.gradients [gradients.png]

First the gradient that the last output sends back to the states of every step before, in networks
that have learned nothing yet. Then the adding problem (Hochreiter and Schmidhuber, 1997), learned
with clipped gradients and without. TensorFlow records the gradients.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from captioner.layers.cells import flat_states, nested_states, recurrent_cell
from examples import SEED, save

UNITS, STEPS, BATCH = 64, 100, 16


def plain(activation: str, recurrent: Any = "orthogonal") -> keras.layers.Layer:
    """A plain cell with the given activation and initial recurrent weights."""
    return keras.layers.SimpleRNNCell(UNITS, activation=activation, recurrent_initializer=recurrent)


def cells() -> dict[str, keras.layers.Layer]:
    """The networks compared, new ones."""
    keras.utils.set_random_seed(SEED)
    identity = keras.initializers.Identity
    open_gate = recurrent_cell("lstm", UNITS)
    open_gate.build((None, 2))
    open_gate.bias.assign(np.repeat([0, 5, 0, 0], UNITS))  # gates i, f, g and o
    return {
        "sigmoid": plain("sigmoid"),
        "tanh": plain("tanh"),
        "ReLU, identity (Le et al., 2015)": plain("relu", identity()),
        "ReLU, 1.1 x identity": plain("relu", identity(1.1)),
        "LSTM": recurrent_cell("lstm", UNITS),
        "LSTM, forget gates open": open_gate,
    }


def gradient_norms(cell: keras.layers.Layer) -> np.ndarray:
    """`float[T]`: the norm of the gradient of the last output's sum by the states at each step."""
    x = tf.random.stateless_normal((BATCH, STEPS, 2), (SEED, 0))
    states, history = flat_states(cell.get_initial_state(BATCH)), []
    with tf.GradientTape() as tape:
        for t in range(STEPS):
            tape.watch(states)
            history.append(states)
            output, states = cell(x[:, t], nested_states(cell, states))
            states = flat_states(states)
        loss = tf.reduce_sum(output) / BATCH
    return np.array(
        [tf.linalg.global_norm(gradients) for gradients in tape.gradient(loss, history)]
    )


def adding_problem(count: int, steps: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """`float32[N, T, 2]`: numbers in [0, 1) and marks at two of them; `float32[N]`, their sum."""
    rng = np.random.default_rng(SEED)
    x = np.zeros((count, steps, 2), "float32")
    x[..., 0] = rng.random((count, steps))
    marks = rng.permuted(np.tile(np.arange(steps), (count, 1)), axis=1)[:, :2]
    np.put_along_axis(x[..., 1], marks, 1, axis=1)
    return x, (x[..., 0] * x[..., 1]).sum(1)


def losses(clipnorm: float | None, epochs: int = 10) -> list[float]:
    """The mean squared error of every epoch of the ReLU network; 0.17 is that of saying 1."""
    keras.utils.set_random_seed(SEED)
    cell = plain("relu", keras.initializers.Identity())
    model = keras.Sequential([keras.layers.RNN(cell), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01, global_clipnorm=clipnorm), "mse")
    x, y = adding_problem(5000)
    return model.fit(x, y, batch_size=50, epochs=epochs, verbose=0).history["loss"]


def draw(norms: dict[str, np.ndarray]) -> Figure:
    """A figure of gradient norms over the steps that they have gone back."""
    figure = Figure((7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="steps back", ylabel="norm of the gradient", yscale="log")
    for name, row in norms.items():
        axes.plot(np.arange(1, STEPS + 1), row[::-1], label=name)
    axes.legend()
    return figure


def main() -> None:
    """Learn, and print what was measured."""
    norms = {name: gradient_norms(cell) for name, cell in cells().items()}
    print(f"{'steps back':34}" + "".join(f"{back:>10}" for back in (1, 10, 50, 100)))
    for name, row in norms.items():
        print(f"{name:34}" + "".join(f"{row[-back]:10.1e}" for back in (1, 10, 50, 100)))
    for clipnorm in (None, 1.0):
        errors = " ".join(f"{loss:.3f}" for loss in losses(clipnorm))
        print(f"adding problem, gradients {'clipped' if clipnorm else 'as they are'}: {errors}")
    save(draw(norms))


if __name__ == "__main__":
    main()
