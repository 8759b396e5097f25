"""Attention as colour over a photograph.

The model sees the photograph squashed to a square. Here its map `float[h, w]` is stretched back:
region (r, c) covers the rectangle [c/w, (c+1)/w] x [r/h, (r+1)/h] of the original.
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
    # Bicubic filters undershoot beside a peak; there is no attention below none.
    return np.asarray(multiples.resize(size, Image.Resampling.BICUBIC)).clip(0)


def scale(maps: Sequence[np.ndarray]) -> float:
    """The upper end of the scale that all maps of a figure share, in units of `heat`.

    It is never below 2, so that an even look does not burn like a keen one.
    """
    return max(2.0, *(float(attention.max() * attention.size) for attention in maps))


def layer(attention: np.ndarray, size: tuple[int, int], limit: float) -> Image.Image:
    """The heat alone, in colour, denser where it is hotter: an RGBA picture of (W, H) pixels."""
    share = (heat(attention, size) / limit).clip(0, 1)
    colours = matplotlib.colormaps[COLOURS](share)
    colours[..., 3] = 0.3 + 0.45 * share
    return Image.fromarray((colours * 255).round().astype(np.uint8))


def blend(photograph: Image.Image, attention: np.ndarray, limit: float) -> Image.Image:
    """The heat over a photograph, which goes grey so that every colour in it means attention."""
    grey = photograph.convert("L").convert("RGBA")
    return Image.alpha_composite(grey, layer(attention, grey.size, limit)).convert("RGB")
