"""Valid and invalid contents of `calibration.json`."""

import pytest

from captioner.generation.confidence import FEATURES, Calibration


def test_what_is_written_is_read():
    calibration = Calibration(captions=(0.5, 1, 2, 3, -4), answers=None)
    assert Calibration.from_json(vars(calibration)) == calibration
    assert Calibration.from_json({"answers": [0.0] * FEATURES}).answers == (0.0,) * FEATURES


@pytest.mark.parametrize(
    "weights",
    ["abcde", ["0"] * 5, [None] * 5, [True] * 5, [0.0] * 4, 3, [[0.0]] * 5, {"a": 1}],
)
def test_what_is_no_list_of_numbers_is_refused(weights):
    for task in ("captions", "answers"):
        with pytest.raises(ValueError, match="not the weights that there are for"):
            Calibration.from_json({task: weights})


def test_what_is_no_object_is_refused():
    with pytest.raises(ValueError, match="not the weights"):
        Calibration.from_json([[0.0] * 5])
