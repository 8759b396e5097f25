"""The CNNs of `keras.applications`, by name: regions out of their last feature map."""

import inspect
import sys
import warnings

import keras


class EncoderError(ValueError):
    """An encoder that cannot be built: one line that says why, and what to do."""


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
        EncoderError: an unknown name, or weights that cannot be had or do not fit the network.
    """
    if name not in encoder_names():
        raise EncoderError(f"unknown encoder {name!r}; there are {', '.join(encoder_names())}")
    build = getattr(keras.applications, name)
    shape = (image_size, image_size, 3)
    if weights == "imagenet":
        try:
            network = build(include_top=False, weights="imagenet", input_shape=shape)
        except Exception as error:  # Keras wraps what urllib raises in a plain Exception
            raise EncoderError(
                f"the ImageNet weights of {name} cannot be downloaded ({_line(error)}); "
                "give the path of a weights file"
            ) from error
    else:
        network = build(include_top=False, weights=None, input_shape=shape)
        if weights is not None:
            try:
                # Where Keras only warns, layers would silently keep their random weights.
                with warnings.catch_warnings(action="error"):
                    network.load_weights(weights)
            except (OSError, ValueError, UserWarning) as error:
                raise EncoderError(
                    f"{weights}: not weights of {name} without its classifier ({_line(error)})"
                ) from error
    photographs = keras.Input(shape, name="photographs")
    preprocess = sys.modules[build.__module__].preprocess_input  # defined beside each network
    features = network(preprocess(photographs))
    return keras.Model(photographs, features, name="encoder")


def _line(error):
    return " ".join(str(error).split())[:200]
