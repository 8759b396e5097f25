"""The CNN encoders, by name. The regions are the cells of the last feature map.

"hub:NAME" is an encoder of KerasHub, with a preset of KerasHub or a folder as NAME. Our own presets
must open offline. So their `config.json` contains the class of the network ("hub:ResNetBackbone")
and its settings, not the name of a download; see `read_hub`.
"""

import inspect
import json
import sys
import warnings
from collections.abc import Callable
from functools import partial
from os import PathLike
from typing import Any

import keras
import numpy as np

from captioner.errors import UserError
from captioner.layers import efficientnet_lite
from captioner.layers.tensor import Tensor

LITE2 = "EfficientNetLite2"
HUB = "hub:"
# Settings that are not stored: Keras decides about these, and the size is in our own config.
LEFT_OUT = {"name", "trainable", "dtype", "data_format", "image_shape"}


class EncoderError(UserError):
    """An encoder cannot be built. The message is one line with the reason and the remedy."""


def encoder_names() -> list[str]:
    """The names for `build_encoder`: EfficientNetLite2 and all networks of `keras.applications`."""
    networks = vars(keras.applications).items()
    return sorted([LITE2, *(name for name, f in networks if inspect.isfunction(f))])


def build_encoder(
    name: str,
    image_size: int,
    weights: str | PathLike[str] | None = None,
    settings: dict[str, Any] | None = None,
) -> keras.Model:
    """Build a network from raw photographs to feature maps, including its preprocessing.

    Args:
        name: "EfficientNetLite2", a network of `keras.applications`, such as "MobileNetV2", or one
            of KerasHub, such as "hub:ResNetBackbone", with its settings.
        image_size: side S of the square photographs, in pixels.
        weights: None for random weights; "imagenet" for a download by Keras, which checks the hash
            if it knows one; or the path of a weights file without the classifier.
        settings: of a network of KerasHub, see `read_hub`.

    Returns:
        A `keras.Model`: RGB `float[B, S, S, 3]` in [0, 255] -> `float[B, h, w, C]`.

    Raises:
        EncoderError: the name is unknown, the weights are missing or do not fit, or Keras is not
            set to "channels_last" and "float32".
    """
    if (keras.config.image_data_format(), keras.config.floatx()) != ("channels_last", "float32"):
        raise EncoderError(
            "Keras is not set to channels_last and float32; change "
            "image_data_format and floatx in its keras.json"
        )
    if name not in encoder_names() and not name.startswith(HUB):
        known = f"{', '.join(encoder_names())}, or hub:PRESET of KerasHub"
        raise EncoderError(f"unknown encoder {name!r}; choose one of {known}")
    shape = (image_size, image_size, 3)
    preprocess: Callable[[Tensor], Tensor]
    load: Callable[[keras.Model, str | PathLike[str]], None]
    if name == LITE2:
        if weights == "imagenet":
            raise EncoderError(f"Keras has no weights of {name}; give the path of a weights file")
        network = efficientnet_lite.efficientnet_lite2(shape)
        preprocess, load = efficientnet_lite.preprocess, efficientnet_lite.load_folded
    elif name.startswith(HUB):
        network, load = _hub_network(name, shape, settings or {}), _load_strictly
        preprocess = partial(_scaled, settings=settings or {})
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


def read_hub(name: str, image_size: int) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read the settings and the weights of a KerasHub network.

    Args:
        name: a preset of KerasHub with the prefix, such as "hub:resnet_50_imagenet".
        image_size: side S of the square photographs, in pixels.

    Returns:
        `encoder` and `encoder_settings` of a `CaptionerConfig`; the weights as arrays.

    Raises:
        EncoderError: the preset does not exist, cannot be downloaded, or is not a CNN.
    """
    from keras_hub.layers import ImageConverter
    from keras_hub.models import Backbone

    preset, shape = name.removeprefix(HUB), (image_size, image_size, 3)
    try:
        network = Backbone.from_preset(preset, image_shape=shape)
        converter = ImageConverter.from_preset(preset)
    except Exception as error:  # KerasHub downloads with several libraries
        raise EncoderError(
            f"{name}: not a CNN of KerasHub, or the download failed ({_line(error)})"
        ) from error
    found = {k: v for k, v in network.get_config().items() if k not in LEFT_OUT}
    settings = {"network": found, "scale": converter.scale, "offset": converter.offset}
    settings = json.loads(json.dumps(settings))  # as in a preset
    encoder = HUB + type(network).__name__
    _hub_network(encoder, shape, settings)  # fail now, not when the preset is opened
    return {"encoder": encoder, "encoder_settings": settings}, network.get_weights()


def _hub_network(name: str, shape: tuple[int, int, int], settings: dict[str, Any]) -> keras.Model:
    """A KerasHub network with random weights and the settings from `read_hub`."""
    import keras_hub

    of, found = getattr(keras_hub.models, name.removeprefix(HUB), None), settings.get("network")
    if not (isinstance(of, type) and issubclass(of, keras_hub.models.Backbone)):
        raise EncoderError(f"{name}: no network of KerasHub; train with one of its presets")
    # Nested settings could make Keras create other objects.
    if not (isinstance(found, dict) and _plain(list(found.values()))):
        raise EncoderError(f"{name}: no settings, or more than numbers and names in them")
    try:
        _scaled(keras.Input(shape), settings)
        network = of(**found, image_shape=shape)
    except (TypeError, ValueError) as error:
        raise EncoderError(f"{name}: cannot be built ({_line(error)})") from error
    if not keras.backend.is_keras_tensor(network.output) or len(network.output.shape) != 4:
        raise EncoderError(f"{name}: its output is no feature map; choose a CNN")
    return network


def _plain(value: Any) -> bool:
    """Whether a value consists of numbers, strings and lists of them."""
    if isinstance(value, list | tuple):
        return all(_plain(item) for item in value)
    return not isinstance(value, dict)


def _scaled(photographs: Tensor, settings: dict[str, Any]) -> Tensor:
    """Scale colours as the `ImageConverter` of KerasHub does."""
    for name, change in (("scale", keras.ops.multiply), ("offset", keras.ops.add)):
        if settings.get(name) is not None:
            photographs = change(photographs, np.asarray(settings[name], "float32"))
    return photographs


def _application(
    name: str, shape: tuple[int, int, int], imagenet: bool
) -> tuple[keras.Model, Callable[[Tensor], Tensor]]:
    """A network of `keras.applications` and its preprocessing."""
    build = getattr(keras.applications, name)
    preprocess = sys.modules[build.__module__].preprocess_input
    weights = "imagenet" if imagenet else None
    try:
        return build(include_top=False, weights=weights, input_shape=shape), preprocess
    except Exception as error:  # Keras wraps errors of urllib in a plain Exception
        if not imagenet:
            raise
        raise EncoderError(
            f"the ImageNet weights of {name} cannot be downloaded ({_line(error)}); "
            "give the path of a weights file"
        ) from error


def _load_strictly(network: keras.Model, weights: str | PathLike[str]) -> None:
    # Keras only warns about layers that keep their random weights.
    with warnings.catch_warnings(action="error"):
        network.load_weights(weights)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
