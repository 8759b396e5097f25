import keras
import pytest
from training import workers

from captioner.training.distribution import data_parallel
from captioner.training.run import TrainingError


def test_workers_that_cannot_be_had_are_refused(monkeypatch):
    with data_parallel(1, 5):
        assert keras.distribution.distribution() is None
    with pytest.raises(TrainingError, match="2 workers need Keras on JAX"):
        data_parallel(2, 8)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0"])
    with pytest.raises(TrainingError, match="batches of 9 evenly"):
        data_parallel(2, 9)
    with pytest.raises(TrainingError, match="JAX sees only gpu:0"):
        data_parallel(2, 8)


@pytest.fixture(scope="module")
def whole():
    """The curve of one worker."""
    return workers.in_one_process(1)


@pytest.mark.slow
def test_four_devices_learn_as_one_does(whole):
    assert whole[-1] < 0.9 * whole[0]
    assert workers.difference(whole, workers.in_one_process(4)) < 1e-5


@pytest.mark.slow
def test_a_run_begun_by_one_worker_goes_on_with_two(tmp_path, whole):
    resumed = workers.on_one_then_two(tmp_path)
    assert len(resumed) == len(whole) == 18
    assert workers.difference(whole, resumed) < 1e-5
    # Had the second run begun with nothing, it would not be so.
    assert abs(whole[6] - whole[0]) > 0.01 * whole[0]
