"""The CNNs of `keras.applications`, by name: regions out of their last feature map."""

import inspect
import sys

import keras


def encoder_names():
    """The names that `build_encoder` takes: every network of `keras.applications`."""
    return sorted(name for name, f in vars(keras.applications).items() if inspect.isfunction(f))


def build_encoder(name, image_size, weights=None):
    """A network from raw photographs to feature maps, its own preprocessing included.

    Args:
        name: a network of `keras.applications`, such as "MobileNetV2".
        image_size: side S of the square photographs, in pixels.
        weights: None for random ones; "imagenet" to download Keras's (which checks the file's
            hash where Keras publishes one); or the path of a weights file of the network
            without its classifier.

    Returns:
        A `keras.Model`: RGB `float[B, S, S, 3]` in [0, 255] -> `float[B, h, w, C]`.

    Raises:
        ValueError: an unknown name, or a weights file that does not fit the network.
    """
    if name not in encoder_names():
        raise ValueError(f"unknown encoder {name!r}; there are {', '.join(encoder_names())}")
    build = getattr(keras.applications, name)
    network = build(
        include_top=False,
        weights="imagenet" if weights == "imagenet" else None,
        input_shape=(image_size, image_size, 3),
    )
    if weights not in (None, "imagenet"):
        network.load_weights(weights)
    photographs = keras.Input((image_size, image_size, 3), name="photographs")
    preprocess = sys.modules[build.__module__].preprocess_input  # defined beside each network
    features = network(preprocess(photographs))
    return keras.Model(photographs, features, name="encoder")
