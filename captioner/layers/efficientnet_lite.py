"""EfficientNet-Lite2: an EfficientNet for ordinary processors.

EfficientNet-B0 (Tan and Le, 2019, table 1) without squeeze-and-excitation, with ReLU6, 1.1 times as
wide and 1.2 times as deep. Stem and head keep their width; the first and the last stage keep their
depth. Batch normalisation is folded into the convolutions before it: the same function in fewer
steps, and safe in half precision.
"""

import math
import warnings
from collections.abc import Iterator
from os import PathLike

import keras
import numpy as np
from keras import layers

from captioner.layers.tensor import Tensor

WIDTH, DEPTH = 1.1, 1.2
STEM, HEAD = 32, 1280
EPSILON = 1e-3  # of the batch normalisation
# Of each stage: kernel size, blocks, channels, expansion, stride.
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)


def efficientnet_lite2(input_shape: tuple[int, int, int], folded: bool = True) -> keras.Model:
    """The network without its classifier, with random weights.

    Args:
        input_shape: (S, S, 3).
        folded: whether batch normalisation is folded. Otherwise it follows each convolution, in
            the order of `keras.applications.efficientnet`, as in the published network.

    Returns:
        A model from `float[B, S, S, 3]`, the output of `preprocess`, to
        `float[B, S / 32, S / 32, 1280]`.
    """

    def normalised(convolution: keras.layers.Layer, x: Tensor, relu: bool = True) -> Tensor:
        convolution.use_bias = folded
        x = convolution(x)
        if not folded:
            x = layers.BatchNormalization(epsilon=EPSILON)(x)
        return layers.ReLU(6.0)(x) if relu else x

    photographs = keras.Input(input_shape)
    x = normalised(layers.Conv2D(STEM, 3, 2, padding="same"), photographs)
    for i, (kernel, blocks, channels, expansion, stride) in enumerate(STAGES):
        if i not in (0, len(STAGES) - 1):
            blocks = math.ceil(blocks * DEPTH)
        for block in range(blocks):
            before = x
            if expansion > 1:
                x = normalised(layers.Conv2D(expansion * x.shape[-1], 1), x)
            strides = stride if block == 0 else 1
            x = normalised(layers.DepthwiseConv2D(kernel, strides, padding="same"), x)
            x = normalised(layers.Conv2D(widened(channels), 1), x, relu=False)
            if block > 0:
                x = layers.Add()([x, before])
    return keras.Model(photographs, normalised(layers.Conv2D(HEAD, 1), x))


def widened(channels: int) -> int:
    """The channels of a widened stage: a multiple of 8, at most a tenth below the exact number."""
    wider = channels * WIDTH
    rounded = max(8, int(wider + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wider else rounded


def preprocess(photographs: Tensor) -> Tensor:
    """Scale RGB values from 0..255 for the network."""
    return (photographs - 127.0) / 128.0


def load_folded(network: keras.Model, path: str | PathLike[str]) -> None:
    """Load weights into a folded network. Published weights are folded first.

    Raises:
        OSError, ValueError, UserWarning: the file contains neither kind of weights.
    """
    with warnings.catch_warnings(action="error"):
        try:
            network.load_weights(path)
            return
        except (ValueError, UserWarning):
            published = efficientnet_lite2(network.input_shape[1:], folded=False)
            published.load_weights(path)
    for target, (convolution, normalisation) in zip(
        _convolutions(network), _pairs(published), strict=True
    ):
        kernel = np.asarray(convolution.kernel, "float64")
        gamma, beta, mean, variance = (
            np.asarray(weight, "float64") for weight in normalisation.get_weights()
        )
        scale = gamma / np.sqrt(variance + normalisation.epsilon)
        depthwise = isinstance(convolution, layers.DepthwiseConv2D)
        folded = kernel * (scale[:, None] if depthwise else scale)
        target.set_weights([folded.astype("float32"), (beta - mean * scale).astype("float32")])


def _convolutions(network: keras.Model) -> Iterator[keras.layers.Layer]:
    kinds = layers.Conv2D | layers.DepthwiseConv2D
    return (layer for layer in network.layers if isinstance(layer, kinds))


def _pairs(network: keras.Model) -> Iterator[tuple[keras.layers.Layer, keras.layers.Layer]]:
    normalisations = (x for x in network.layers if isinstance(x, layers.BatchNormalization))
    return zip(_convolutions(network), normalisations, strict=True)
