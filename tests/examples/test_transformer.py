import keras
import numpy as np
import pytest

from captioner.data.vocabulary import SPECIAL
from examples import transformer
from examples.translator import Translator


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    words = [*SPECIAL, *"two thousand and twenty one deux mille vingt et un".split()]
    return Translator(words, transformer.TRANSFORMER)


def test_both_networks_have_as_many_parameters():
    """Within a tenth."""
    words = [*SPECIAL, *(f"word{i}" for i in range(60))]
    sizes = [Translator(words, config).count_params() for config in transformer.VARIANTS.values()]
    assert max(sizes) < 1.1 * min(sizes) and sizes[1] == sizes[2]


def test_a_picture_of_each_head_of_each_layer(model):
    figure = transformer.heads(model, 2021)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [f"layer {i}, head {j}" for i in (1, 2) for j in (1, 2, 3, 4)]
    read = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert read == "two thousand and twenty one".split()
    written = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert written == "deux mille vingt et un".split()
    for axes in figure.axes:
        weights = axes.images[0].get_array()
        assert weights.shape == (5, 5)
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)  # nothing beyond the sentence


def test_seconds_until_it_is_good_enough(monkeypatch):
    course = transformer.Course([1, 2])
    scores = iter([0.5, 0.96, 1.0])
    monkeypatch.setattr(transformer, "exact_match", lambda *_: next(scores))
    for epoch in range(3):
        course.seconds += [4.0, 0.5, 0.5]  # the first one compiles
        course.on_epoch_end(epoch)
    assert course.step == 0.5 and course.enough == 0.5 * 6
    course.scores = [0.5, 0.9, 0.94]
    assert course.enough is None
