"""Numbers to tones: arrays of any depth as 8-bit RGB, without clipping what is light or dark."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

# The highest value of 8, 10, 12, 14 and 16 bits. What holds fewer bits than its words rarely says
# so: white is the lowest of these that no pixel exceeds.
CUSTOMARY = (255, 1023, 4095, 16383, 65535)


def rgb_image(
    values: np.ndarray, bits: int | None = None, premultiplied: bool = False
) -> Image.Image:
    """An RGB `PIL.Image` of an array of numbers; what is transparent shows white.

    Args:
        values: `[H, W]` or `[H, W, C]`: grey (C = 1), grey and alpha (2), RGB (3), RGB and alpha
            (4); of any integer or floating-point dtype, or bool.
        bits: that a pixel has, where they are fewer than those of the dtype.
        premultiplied: whether the colours are multiplied by alpha already.

    Raises:
        ValueError: it has another shape or dtype, or no pixels.
    """
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4) or not values.size:
        raise ValueError(f"shape {values.shape}, not [H, W], [H, W, 3] or [H, W, 4]")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"dtype {values.dtype}, which is no number")
    colours = to_8_bit(values, bits)
    if colours.shape[2] in (2, 4):
        colours, alpha = colours[..., :-1], colours[..., -1:].astype(np.float32) / 255
        shown = colours.astype(np.float32) * (1 if premultiplied else alpha)
        colours = (shown + 255 * (1 - alpha) + 0.5).clip(0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3))))


def to_8_bit(values: np.ndarray, bits: int | None = None) -> np.ndarray:
    """Scales numbers of any depth to `uint8`, of the same shape."""
    if values.dtype == np.uint8 and bits in (None, 8):
        return values
    if values.dtype == bool:
        return values * np.uint8(255)
    black, white = _black_and_white(values, bits or 8 * values.dtype.itemsize)
    values = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    return ((values.clip(black, white) - black) * (255 / (white - black)) + 0.5).astype(np.uint8)


def _black_and_white(values: np.ndarray, bits: int) -> tuple[float, float]:
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        brightest = float(finite.max(initial=0.0))
        return 0.0, next((level for level in (1, 255, 65535) if brightest <= level), brightest)
    lowest, brightest = int(values.min()), int(values.max())
    if values.dtype.kind == "i":
        bits -= 1
        # A little below zero is noise; much of it says that black is the lowest number there is.
        if lowest < -max(brightest, 0) / 16:
            white = _white(max(brightest, -lowest - 1), bits, [level // 2 for level in CUSTOMARY])
            return -white - 1, white
    return 0, _white(brightest, bits, CUSTOMARY)


def _white(brightest: int, bits: int, customary: Iterable[int]) -> int:
    full = 2**bits - 1
    if bits < 15:  # a depth that is said must be meant
        return full
    levels = [level for level in customary if level < full]
    if (white := next((level for level in levels if brightest <= level), None)) is not None:
        return white
    # 32 bits are seldom filled.
    return full if brightest > full // 2 else brightest
