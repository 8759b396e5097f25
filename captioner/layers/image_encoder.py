"""The CNNs, by name: regions out of their last feature map.

"hub:NAME" is one of KerasHub, where NAME is a preset that KerasHub knows, or a folder. A preset
names what KerasHub downloads, but our own presets must open offline: their `config.json` holds the
class of the network ("hub:ResNetBackbone") and its settings instead, as `read_hub` finds them.
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

from captioner.layers import efficientnet_lite
from captioner.layers.tensor import Tensor

LITE2 = "EfficientNetLite2"
HUB = "hub:"
# What does not make a network of KerasHub: Keras decides about these, and the size is ours.
LEFT_OUT = {"name", "trainable", "dtype", "data_format", "image_shape"}


class EncoderError(ValueError):
    """An encoder that cannot be built: one line that says why, and what to do."""


def encoder_names() -> list[str]:
    """The names that `build_encoder` takes: EfficientNetLite2, and every network of
    `keras.applications`."""
    networks = vars(keras.applications).items()
    return sorted([LITE2, *(name for name, f in networks if inspect.isfunction(f))])


def build_encoder(
    name: str,
    image_size: int,
    weights: str | PathLike[str] | None = None,
    settings: dict[str, Any] | None = None,
) -> keras.Model:
    """A network from raw photographs to feature maps, its own preprocessing included.

    Args:
        name: "EfficientNetLite2", a network of `keras.applications`, such as "MobileNetV2", or one
            of KerasHub, such as "hub:ResNetBackbone", with its settings.
        image_size: side S of the square photographs, in pixels.
        weights: None for random ones; "imagenet" to download Keras's (which checks the file's
            hash where Keras publishes one); or the path of a weights file of the network
            without its classifier.
        settings: of a network of KerasHub, see `read_hub`.

    Returns:
        A `keras.Model`: RGB `float[B, S, S, 3]` in [0, 255] -> `float[B, h, w, C]`.

    Raises:
        EncoderError: an unknown name, weights that cannot be had or do not fit the network, or a
            Keras whose settings are other than "channels_last" and "float32".
    """
    if (keras.config.image_data_format(), keras.config.floatx()) != ("channels_last", "float32"):
        raise EncoderError(
            "Keras is set to another channel order or another float type than float32; correct "
            "image_data_format and floatx in its keras.json"
        )
    if name not in encoder_names() and not name.startswith(HUB):
        known = ", ".join(encoder_names())
        raise EncoderError(
            f"unknown encoder {name!r}; there are {known}, and hub:PRESET of KerasHub"
        )
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
    """What a network of KerasHub is rebuilt from, and its weights.

    Args:
        name: a preset of KerasHub with the prefix, such as "hub:resnet_50_imagenet".
        image_size: side S of the square photographs, in pixels.

    Returns:
        `encoder` and `encoder_settings` of a `CaptionerConfig`; the weights as arrays.

    Raises:
        EncoderError: there is no such preset, it cannot be had, or it is not of a CNN.
    """
    from keras_hub.layers import ImageConverter
    from keras_hub.models import Backbone

    preset, shape = name.removeprefix(HUB), (image_size, image_size, 3)
    try:
        network = Backbone.from_preset(preset, image_shape=shape)
        converter = ImageConverter.from_preset(preset)
    except Exception as error:  # of whatever library KerasHub downloads by
        raise EncoderError(
            f"{name}: no CNN that KerasHub has, or it cannot be downloaded ({_line(error)})"
        ) from error
    found = {k: v for k, v in network.get_config().items() if k not in LEFT_OUT}
    settings = {"network": found, "scale": converter.scale, "offset": converter.offset}
    settings = json.loads(json.dumps(settings))  # as a preset will have them
    encoder = HUB + type(network).__name__
    _hub_network(encoder, shape, settings)  # or a preset would be written that nothing opens
    return {"encoder": encoder, "encoder_settings": settings}, network.get_weights()


def _hub_network(name: str, shape: tuple[int, int, int], settings: dict[str, Any]) -> keras.Model:
    """A network of KerasHub with random weights, of the settings that `read_hub` gives."""
    import keras_hub

    of, found = getattr(keras_hub.models, name.removeprefix(HUB), None), settings.get("network")
    if not (isinstance(of, type) and issubclass(of, keras_hub.models.Backbone)):
        raise EncoderError(f"{name}: no network of KerasHub; train with one of its presets")
    # Keras could be told by nested settings what else to make.
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
    """Whether a value holds nothing but numbers, words and lists of them."""
    if isinstance(value, list | tuple):
        return all(_plain(item) for item in value)
    return not isinstance(value, dict)


def _scaled(photographs: Tensor, settings: dict[str, Any]) -> Tensor:
    """What an `ImageConverter` of KerasHub does to the colours."""
    for name, change in (("scale", keras.ops.multiply), ("offset", keras.ops.add)):
        if settings.get(name) is not None:
            photographs = change(photographs, np.asarray(settings[name], "float32"))
    return photographs


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
