import keras
import numpy as np
import pytest

from captioner.layers.efficientnet_lite import efficientnet_lite2, load_folded
from captioner.layers.image_encoder import EncoderError, build_encoder


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file as it is published: with batch normalisation that has seen something."""
    keras.utils.set_random_seed(0)
    network, rng = efficientnet_lite2((64, 64, 3), folded=False), np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = (weight.shape for weight in layer.get_weights())
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, gamma),
                    rng.normal(0, 0.2, beta),
                    rng.normal(0, 0.2, mean),
                    rng.uniform(0.01, 2.0, variance),
                ]
            )
    path = tmp_path_factory.mktemp("lite2") / "published.weights.h5"
    network.save_weights(path)
    return network, path


def test_its_size_is_the_published_one():
    network = efficientnet_lite2((64, 64, 3), folded=False)
    assert network.count_params() == 4_869_168
    assert network.output_shape == (None, 2, 2, 1280)
    # The head of the original, 1,280,000 + 1,000 more, makes the 6.1 million of its authors.


def test_published_weights_are_folded_into_the_convolutions(published):
    network, path = published
    photographs = np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    expected = np.array(network((photographs - 127) / 128, training=False))
    features = np.array(build_encoder("EfficientNetLite2", 64, path)(photographs))
    assert expected.std() > 0.1
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3)


def test_its_own_weights_are_read_as_they_are(published, tmp_path):
    _, path = published
    folded = efficientnet_lite2((64, 64, 3))
    load_folded(folded, path)
    folded.save_weights(tmp_path / "own.weights.h5")
    again = efficientnet_lite2((64, 64, 3))
    load_folded(again, tmp_path / "own.weights.h5")
    for weights, expected in zip(again.get_weights(), folded.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)


def test_other_files_and_what_cannot_be_downloaded_are_refused(tmp_path):
    path = tmp_path / "other.weights.h5"
    keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    ).save_weights(path)
    with pytest.raises(EncoderError, match="other.weights.h5: not weights of EfficientNetLite2"):
        build_encoder("EfficientNetLite2", 64, path)
    with pytest.raises(EncoderError, match="give the path of a weights file"):
        build_encoder("EfficientNetLite2", 64, "imagenet")
