"""Series split by time, and forecasts that can be worked out by hand."""

import numpy as np
import pytest

from examples import forecast


@pytest.fixture
def line():
    """A series that goes up by 2 at every step."""
    return forecast.Series("line", "m", 2.0 * np.arange(200), dev=120, test=150)


@pytest.mark.parametrize(
    ("series", "length"), [(forecast.temperatures, 61 * 12), (forecast.prices, 1047)]
)
def test_a_series_is_learned_from_before_it_is_scored(series, length):
    series = series()
    assert len(series.values) == length and np.isfinite(series.values).all()
    assert 0 < series.dev < series.test < length - 100


def test_prices_differ_by_per_cents():
    first, second = forecast.prices().values[:2]
    assert second - first == pytest.approx(100 * np.log(108.31 / 100.34))


def test_no_scored_value_is_read_before_it_is_forecast(line):
    read = []

    def forecaster(windows):
        read.append(windows)
        return forecast.naive(windows)

    _, came = forecast.forecasts(line, forecaster)
    assert came[0, 0] == line.values[line.test]
    assert (read[0].max(1) < came[:, 0]).all()
    # The second step reads the first forecast instead of what came.
    np.testing.assert_array_equal(read[1][:, -1], read[0][:, -1])


def test_the_error_of_saying_that_nothing_changes_grows_with_the_steps(line):
    np.testing.assert_allclose(forecast.errors(line, forecast.naive), [2, 6, 12, 24])


def test_what_repeats_every_season_is_forecast_without_error():
    series = forecast.Series("wave", "m", np.tile(np.arange(12.0), 20), 120, 150, season=12)
    assert not forecast.errors(series, forecast.seasonal_naive(12)).any()


def test_the_autoregression_finds_a_linear_rule():
    values = [1.0, 0.5]
    while len(values) < 200:
        values.append(1.6 * values[-1] - values[-2])  # a wave
    series = forecast.Series("wave", "m", np.array(values), 120, 150)
    found = forecast.errors(series, forecast.autoregression(series.values[:150]))
    np.testing.assert_allclose(found, 0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", forecast.CELLS)
def test_a_network_goes_on_from_values_that_it_never_saw(line, cell):
    found = forecast.errors(line, forecast.network(line, cell, units=4, epochs=20))
    assert found[0] < 1  # of 2, the error of the naive forecast


def test_the_figure_shows_forecasts_where_the_last_ended(line):
    axes = forecast.draw([(line, {"naive": forecast.naive}), (line, {})]).axes
    assert len(axes) == 2
    came, *lines = axes[0].lines
    np.testing.assert_array_equal(came.get_ydata(), line.values[150:])
    assert [row.get_xdata()[0] for row in lines] == [0, 12, 24, 36][: len(lines)]
    assert lines[0].get_ydata() == pytest.approx([line.values[149]] * 12)


@pytest.mark.slow
def test_a_gru_forecasts_temperatures_better_than_the_season_does():
    series = forecast.temperatures()
    found = forecast.errors(series, forecast.network(series, "gru"))
    assert (found < forecast.errors(series, forecast.seasonal_naive(12))).all()
