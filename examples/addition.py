"""Binary addition by a plain recurrent network, and what becomes of it as the numbers grow.

python -m examples.addition [addition.png]

At every step the network reads one bit of each summand, the lowest first, and writes one of the
sum: all it has to remember is the carry. It learns numbers of eight bits.
"""

import keras
import numpy as np
from matplotlib.figure import Figure

from captioner.layers.cells import recurrent_cell
from examples import SEED, save

BITS = (4, 8, 16, 32, 64, 128, 256)


def sums(
    count: int, bits: int, rng: np.random.Generator, carry_through: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """`float32[N, bits + 1, 2]`, summands bit by bit, and `float32[N, bits + 1, 1]`, their sums.

    With `carry_through` each sum is 2 ** bits: a carry begins at the lowest bit and goes through
    all the others, which chance hardly ever does.
    """
    summands = np.zeros((count, bits + 1, 2), int)
    summands[:, :-1] = rng.integers(0, 2, (count, bits, 2))
    if carry_through:
        summands[:, 1:-1, 1] = 1 - summands[:, 1:-1, 0]
        summands[:, 0] = 1
    total, carry = np.zeros((count, bits + 1, 1), int), np.zeros(count, int)
    for t in range(bits + 1):
        column = summands[:, t].sum(-1) + carry
        total[:, t, 0], carry = column % 2, column // 2
    return summands.astype("float32"), total.astype("float32")


def adder(units: int, seed: int = SEED, epochs: int = 5) -> keras.Model:
    """A plain recurrent network that has learned to add numbers of eight bits."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.layers.RNN(recurrent_cell("rnn", units), return_sequences=True),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    x, y = sums(20_000, 8, np.random.default_rng(seed))
    model.fit(x, y, batch_size=100, epochs=epochs, verbose=0)
    return model


def exact_match(
    model: keras.Model, bits: int, carry_through: bool = False, count: int = 1000
) -> float:
    """The rate of sums without a wrong bit."""
    x, y = sums(count, bits, np.random.default_rng(1), carry_through)
    right = (model.predict(x, batch_size=count, verbose=0) > 0) == y
    return right.all((1, 2)).mean()


def draw(rates: dict[str, list[float]]) -> Figure:
    """A figure of rates by units and by the kind of sum, over the length of numbers."""
    figure = Figure((7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="bits", ylabel="sums without a wrong bit", xscale="log")
    for name, row in rates.items():
        axes.plot(BITS, row, marker="o", label=name)
    axes.set_xticks(BITS, map(str, BITS))
    axes.axvline(8, linestyle=":", color="grey")
    axes.legend()
    return figure


def main() -> None:
    """Learn, and print what was measured."""
    print(f"{'bits':30}" + "".join(f"{bits:>7}" for bits in BITS))
    rates = {}
    for units in (2, 4, 16):
        model = adder(units)
        for carry_through in (False, True):
            name = f"{units} units, {'longest carry' if carry_through else 'random'}"
            rates[name] = [exact_match(model, bits, carry_through) for bits in BITS]
            print(f"{name:30}" + "".join(f"{rate:7.1%}" for rate in rates[name]))
    save(draw(rates))


if __name__ == "__main__":
    main()
