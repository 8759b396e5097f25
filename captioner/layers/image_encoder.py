"""The CNNs, by name: regions out of their last feature map."""

import inspect
import sys
import warnings
from collections.abc import Callable
from os import PathLike

import keras

from captioner.layers import efficientnet_lite
from captioner.layers.tensor import Tensor

LITE2 = "EfficientNetLite2"


class EncoderError(ValueError):
    """An encoder that cannot be built: one line that says why, and what to do."""


def encoder_names() -> list[str]:
    """The names that `build_encoder` takes: EfficientNetLite2, and every network of
    `keras.applications`."""
    networks = vars(keras.applications).items()
    return sorted([LITE2, *(name for name, f in networks if inspect.isfunction(f))])


def build_encoder(
    name: str, image_size: int, weights: str | PathLike[str] | None = None
) -> keras.Model:
    """A network from raw photographs to feature maps, its own preprocessing included.

    Args:
        name: "EfficientNetLite2", or a network of `keras.applications`, such as "MobileNetV2".
        image_size: side S of the square photographs, in pixels.
        weights: None for random ones; "imagenet" to download Keras's (which checks the file's
            hash where Keras publishes one); or the path of a weights file of the network
            without its classifier.

    Returns:
        A `keras.Model`: RGB `float[B, S, S, 3]` in [0, 255] -> `float[B, h, w, C]`.

    Raises:
        EncoderError: an unknown name, weights that cannot be had or do not fit the network, or a
            Keras whose settings are other than "channels_last" and "float32".
    """
    if (keras.config.image_data_format(), keras.config.floatx()) != ("channels_last", "float32"):
        raise EncoderError(
            "Keras is set to another order of channels or another float than float32; mend "
            "image_data_format and floatx in its keras.json"
        )
    if name not in encoder_names():
        raise EncoderError(f"unknown encoder {name!r}; there are {', '.join(encoder_names())}")
    shape = (image_size, image_size, 3)
    preprocess: Callable[[Tensor], Tensor]
    load: Callable[[keras.Model, str | PathLike[str]], None]
    if name == LITE2:
        network, preprocess = (
            efficientnet_lite.efficientnet_lite2(shape),
            efficientnet_lite.preprocess,
        )
        if weights == "imagenet":
            raise EncoderError(f"Keras has no weights of {name}; give the path of a weights file")
        load = efficientnet_lite.load_folded
    else:
        network, preprocess = _application(name, shape, weights == "imagenet")
        load = _load_strictly
    if weights not in (None, "imagenet"):
        try:
            load(network, weights)
        except (OSError, ValueError, UserWarning) as error:
            raise EncoderError(
                f"{weights}: not weights of {name} without its classifier ({_line(error)})"
            ) from error
    photographs = keras.Input(shape, name="photographs")
    return keras.Model(photographs, network(preprocess(photographs)), name="encoder")


def _application(
    name: str, shape: tuple[int, int, int], imagenet: bool
) -> tuple[keras.Model, Callable[[Tensor], Tensor]]:
    """A network of `keras.applications`, and the preprocessing that is defined beside it."""
    build = getattr(keras.applications, name)
    preprocess = sys.modules[build.__module__].preprocess_input
    weights = "imagenet" if imagenet else None
    try:
        return build(include_top=False, weights=weights, input_shape=shape), preprocess
    except Exception as error:  # Keras wraps what urllib raises in a plain Exception
        if not imagenet:
            raise
        raise EncoderError(
            f"the ImageNet weights of {name} cannot be downloaded ({_line(error)}); "
            "give the path of a weights file"
        ) from error


def _load_strictly(network: keras.Model, weights: str | PathLike[str]) -> None:
    # Where Keras only warns, layers would silently keep their random weights.
    with warnings.catch_warnings(action="error"):
        network.load_weights(weights)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
