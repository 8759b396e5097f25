"""Attention as colour over a photograph.

The model sees the photograph as a square. Region (r, c) of its map `float[h, w]` covers the
rectangle [c/w, (c+1)/w] x [r/h, (r+1)/h] of the original.
"""

from collections.abc import Sequence

import matplotlib
import numpy as np
from PIL import Image

COLOURS = "inferno"


def heat(attention: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map `float[h, w]` that sums to 1, smoothly enlarged to `float32[H, W]`.

    Its unit is even attention: 1 means 1 / (h * w) of the total.

    Args:
        attention: `float[h, w]`.
        size: (W, H) in pixels.
    """
    multiples = Image.fromarray((attention * attention.size).astype(np.float32))
    # Bicubic filters give values below 0 beside a peak.
    return np.asarray(multiples.resize(size, Image.Resampling.BICUBIC)).clip(0)


def scale(maps: Sequence[np.ndarray]) -> float:
    """The upper end of the common scale of all maps of a figure, in units of `heat`.

    It is at least 2, so that even attention has a pale colour.
    """
    return max(2.0, *(float(attention.max() * attention.size) for attention in maps))


def layer(attention: np.ndarray, size: tuple[int, int], limit: float) -> Image.Image:
    """The heat map as an RGBA picture of (W, H) pixels. High attention is more opaque."""
    share = (heat(attention, size) / limit).clip(0, 1)
    colours = matplotlib.colormaps[COLOURS](share)
    colours[..., 3] = 0.3 + 0.45 * share
    return Image.fromarray((colours * 255).round().astype(np.uint8))


def blend(photograph: Image.Image, attention: np.ndarray, limit: float) -> Image.Image:
    """The heat over a grey photograph, so that all colours mean attention."""
    grey = photograph.convert("L").convert("RGBA")
    return Image.alpha_composite(grey, layer(attention, grey.size, limit)).convert("RGB")
