"""Converts arrays of any depth to 8-bit RGB, without clipping of light or dark values."""

from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image

# The highest value of 8, 10, 12, 14 and 16 bits. Files rarely record the number of used bits. So
# white is the lowest of these values that no pixel exceeds.
CUSTOMARY = (255, 1023, 4095, 16383, 65535)

LARGE = 2**24  # pixels above which an image is made smaller before it is resampled
BAND = 2**20  # pixels that are drawn together


def rgb_image(values: np.ndarray, factor: int = 1) -> Image.Image:
    """An RGB `PIL.Image` of an array of numbers. Transparent pixels become white.

    Args:
        values: `[H, W]` or `[H, W, C]`: grey (C = 1), grey and alpha (2), RGB (3), RGB and alpha
            (4); of any integer or floating-point dtype, or bool.
        factor: the image is that many times smaller.

    Raises:
        ValueError: it has another shape or dtype, or no pixels.
    """
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4) or not values.size:
        raise ValueError(f"shape {values.shape}, not [H, W], [H, W, 3] or [H, W, 4]")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"dtype {values.dtype}, which is no number")
    scale = scaling(values)

    def draw(rows: slice) -> Image.Image:
        colours = scale(values[rows])
        if colours.shape[2] in (2, 4):
            colours, alpha = colours[..., :-1], colours[..., -1:].astype(np.float32) / 255
            shown = colours.astype(np.float32) * alpha
            colours = (shown + 255 * (1 - alpha) + 0.5).clip(0, 255).astype(np.uint8)
        rgb = np.broadcast_to(colours, (*colours.shape[:2], 3))
        return Image.fromarray(np.ascontiguousarray(rgb))

    return in_bands((values.shape[1], values.shape[0]), draw, factor)


def reduction(size: tuple[int, int], at_least: int | None) -> int:
    """The factor by which an image of (W, H) pixels may be reduced.

    Args:
        size: of the image. The factor is 1 if it is not `LARGE`.
        at_least: the minimum length of each side, in pixels; None for the original size.
    """
    if at_least is None or size[0] * size[1] <= LARGE:
        return 1
    return max(1, min(size) // at_least)


def in_bands(
    size: tuple[int, int], draw: Callable[[slice], Image.Image], factor: int = 1
) -> Image.Image:
    """An RGB image that is drawn in bands of rows, to save memory.

    Args:
        size: (W, H) of all that is drawn.
        draw: of a slice of rows their RGB image.
        factor: the image is that many times smaller; its pixels are means.
    """
    width, height = size
    image = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    step = factor * max(1, BAND // (width * factor))
    for top in range(0, height, step):
        band = draw(slice(top, min(top + step, height)))
        image.paste(band if factor == 1 else band.reduce(factor), (0, top // factor))
    return image


def scaling_of_bands(
    size: tuple[int, int], band_of: Callable[[slice], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """`scaling` of an image of (W, H) pixels of which only a band is in memory at a time."""
    width, height = size
    step = max(1, BAND // width)
    extremes = []
    for top in range(0, height, step):
        band = band_of(slice(top, min(top + step, height)))
        finite = band[np.isfinite(band)]
        extremes += [finite.min(initial=0), finite.max(initial=0)] if finite.size else []
    return scaling(np.array(extremes or [0], band.dtype))


def scaling(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The function that scales the numbers of an array, of any depth, to `uint8`.

    It takes the array or parts of it, and keeps their shape.
    """
    if values.dtype == np.uint8:
        return lambda part: part
    if values.dtype == bool:
        return lambda part: part * np.uint8(255)
    black, white = _black_and_white(values)

    def scale(part: np.ndarray) -> np.ndarray:
        part = np.nan_to_num(part.astype(np.float32), posinf=0.0, neginf=0.0)
        return ((part.clip(black, white) - black) * (255 / (white - black)) + 0.5).astype(np.uint8)

    return scale


def _black_and_white(values: np.ndarray) -> tuple[float, float]:
    bits = 8 * values.dtype.itemsize
    if values.dtype.kind == "f":
        brightest = float(values.max(initial=0.0, where=np.isfinite(values)))
        return 0.0, next((level for level in (1, 255, 65535) if brightest <= level), brightest)
    lowest, brightest = int(values.min()), int(values.max())
    if values.dtype.kind == "i":
        bits -= 1
        # Values slightly below zero are noise. Much lower ones mean that the lowest value is black.
        if lowest < -max(brightest, 0) / 16:
            white = _white(max(brightest, -lowest - 1), bits, [level // 2 for level in CUSTOMARY])
            return -white - 1, white
    return 0, _white(brightest, bits, CUSTOMARY)


def _white(brightest: int, bits: int, customary: Iterable[int]) -> int:
    full = 2**bits - 1
    if bits < 15:  # 8 bits: the type is exact
        return full
    levels = [level for level in customary if level < full]
    if (white := next((level for level in levels if brightest <= level), None)) is not None:
        return white
    # Few images use all 32 bits.
    return full if brightest > full // 2 else brightest
