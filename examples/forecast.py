"""Time series: temperatures and prices, one step ahead and many.

python -m examples.forecast [forecast.png]

The sea's temperature off Peru, month by month from 1950 to 2010 (it comes with statsmodels), and
what a share of Google cost, day by day from 2004 to 2008 (it comes with Matplotlib). A network
reads the last two years, or 24 days, and writes the next value; a forecast of many steps reads its
own. Networks and baselines learn from the past and are scored on what came after. Drawn are
forecasts of twelve steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from matplotlib import cbook
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view

from captioner.layers.cells import recurrent_cell
from examples import SEED, learn, save

WINDOW = 24  # values read
STEPS = (1, 3, 6, 12)  # ahead, scored
SEEDS = 3
CELLS = ("rnn", "lstm", "gru")

# `float[N, WINDOW]` -> `float[N]`, the value that follows each window
Forecaster = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Series:
    """A series, split by time: what is learned from, what training stops by, what is scored."""

    name: str
    unit: str  # of an error
    values: np.ndarray
    dev: int  # where these begin
    test: int
    season: int | None = None  # steps after which it repeats


def temperatures() -> Series:
    """732 months; the last eleven years are scored."""
    from statsmodels.datasets import elnino

    months = elnino.load_pandas().data.iloc[:, 1:].to_numpy(float)
    return Series("sea temperature", "°C", months.reshape(-1), 41 * 12, 50 * 12, season=12)


def prices() -> Series:
    """The logarithm x100 of 1,047 days' prices, so that a difference of 1 is one per cent."""
    with np.load(cbook.get_sample_data("goog.npz", asfileobj=False)) as file:
        days = file["price_data"]["adj_close"]
    return Series("share price", "%", 100 * np.log(days), 620, 780)


def windows(values: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Every `float[N, WINDOW]` of a series, and `float[N, steps]` that follow."""
    every = sliding_window_view(values, WINDOW + steps)
    return every[:, :WINDOW], every[:, WINDOW:]


def changes(read: np.ndarray) -> np.ndarray:
    """Windows less their last value: a price may be one that was never seen before."""
    return read - read[:, -1:]


def naive(read: np.ndarray) -> np.ndarray:
    """Nothing changes."""
    return read[:, -1]


def seasonal_naive(season: int) -> Forecaster:
    """All is as it was one season ago."""
    return lambda read: read[:, -season]


def autoregression(values: np.ndarray) -> Forecaster:
    """The linear function of a window that has the least squared error."""

    def terms(read: np.ndarray) -> np.ndarray:
        return np.column_stack([changes(read)[:, :-1], np.ones(len(read))])

    read, following = windows(values, 1)
    weights = np.linalg.lstsq(terms(read), following[:, 0] - read[:, -1])[0]
    return lambda read: read[:, -1] + terms(read) @ weights


def network(
    series: Series, cell: str, seed: int = SEED, units: int = 32, epochs: int = 60
) -> Forecaster:
    """A recurrent network that has learned how much a series changes next."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.layers.RNN(recurrent_cell(cell, units)), keras.layers.Dense(1)])
    read, following = windows(series.values[: series.dev], 1)
    spread = changes(read).std()

    def pairs(read: np.ndarray, following: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return changes(read)[..., None] / spread, (following - read[:, -1:]) / spread

    dev = pairs(*windows(series.values[series.dev - WINDOW : series.test], 1))
    learn(
        model,
        *pairs(read, following),
        epochs=epochs,
        learning_rate=0.003,
        batch_size=32,
        loss=keras.losses.MeanSquaredError(),
        validation_data=dev,
        callbacks=[keras.callbacks.EarlyStopping(patience=15, restore_best_weights=True)],
        verbose=0,
    )

    def forecast(read: np.ndarray) -> np.ndarray:
        x = changes(read)[..., None] / spread
        return read[:, -1] + spread * model.predict(x, batch_size=len(x), verbose=0)[:, 0]

    return forecast


def iterate(forecaster: Forecaster, read: np.ndarray, steps: int) -> np.ndarray:
    """`float[N, steps]` that follow windows, each forecast from those before it."""
    known = read
    for _ in range(steps):
        known = np.column_stack([known, forecaster(known[:, -WINDOW:])])
    return known[:, WINDOW:]


def forecasts(series: Series, forecaster: Forecaster) -> tuple[np.ndarray, np.ndarray]:
    """`float[N, 12]` from every day or month that is scored, and what came."""
    read, following = windows(series.values[series.test - WINDOW :], max(STEPS))
    return iterate(forecaster, read, max(STEPS)), following


def errors(series: Series, forecaster: Forecaster) -> np.ndarray:
    """The mean absolute error for each of `STEPS`."""
    found, came = forecasts(series, forecaster)
    return np.abs(found - came).mean(0)[np.array(STEPS) - 1]


def draw(drawn: list[tuple[Series, dict[str, Forecaster]]]) -> Figure:
    """A figure of what came, and of forecasts of twelve steps that begin where the last ended."""
    figure = Figure((9, 3.5 * len(drawn)), dpi=120, layout="constrained")
    for row, (series, forecasters) in enumerate(drawn, 1):
        axes = figure.add_subplot(len(drawn), 1, row, title=series.name, xlabel="step")
        axes.plot(series.values[series.test :], color="black", linewidth=1, label="what came")
        for i, (name, forecaster) in enumerate(forecasters.items()):
            ahead = forecasts(series, forecaster)[0][:: max(STEPS)]
            begins = range(0, len(ahead) * max(STEPS), max(STEPS))
            for begin, line in zip(begins, ahead, strict=True):
                label = name if begin == 0 else None
                axes.plot(range(begin, begin + len(line)), line, color=f"C{i}", label=label)
        axes.legend(loc="lower left")
    return figure


def main() -> None:
    """Learn, and print what was measured."""
    drawn = []
    for series in (temperatures(), prices()):
        print(f"{f'{series.name}, mean error in {series.unit}, steps:':44}", end="")
        print("".join(f"{steps:>14}" for steps in STEPS))
        known: dict[str, list[Forecaster]] = {"naive: as it is now": [naive]}
        if series.season:
            known["naive: as a season ago"] = [seasonal_naive(series.season)]
        # It needs no dev part to stop by, and so learns from that too.
        known["linear autoregression"] = [autoregression(series.values[: series.test])]
        for cell in CELLS:
            known[cell] = [network(series, cell, seed) for seed in range(SEEDS)]
        for name, forecasters in known.items():
            row = np.stack([errors(series, forecaster) for forecaster in forecasters])
            cells = (
                f"{mean:.3f}" + (f" ±{spread:.3f}" if len(row) > 1 else "")
                for mean, spread in zip(row.mean(0), row.std(0), strict=True)
            )
            print(f"{name:44}" + "".join(f"{cell:>14}" for cell in cells))
        drawn.append((series, {name: known[name][0] for name in ("linear autoregression", "lstm")}))
    save(draw(drawn))


if __name__ == "__main__":
    main()
