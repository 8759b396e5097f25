"""The epochs of a phase."""

import keras
import numpy as np
import pytest

from captioner.training.fit import fit
from captioner.training.recipe import Phase


class Numbers(keras.utils.PyDataset):
    epoch = 0

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.full((1, 2), index + self.epoch, "float32"), np.ones((1, 1), "float32")


def model():
    network = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    network.compile("sgd", "mse")
    return network


@pytest.fixture
def scores():
    def score(epoch, logs):
        logs["val_score"] = float(epoch)

    return [keras.callbacks.LambdaCallback(on_epoch_end=score)]


def test_a_finished_phase_returns_its_logs_and_the_last_weights(tmp_path, scores):
    (tmp_path / "logs").mkdir()
    phase = Phase(name="frozen", epochs=2, learning_rate=0.1)
    trained, again = model(), model()
    log = fit(trained, phase, Numbers(), tmp_path, scores)
    assert [row["val_score"] for row in log] == [0, 1]
    assert fit(again, phase, None, tmp_path, scores) == log
    for one, other in zip(trained.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
