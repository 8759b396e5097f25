"""BMPs whose channels lie in bits that Pillow does not know."""

import struct
from typing import BinaryIO

import numpy as np

from captioner.data.tones import scaling

BITFIELDS, ALPHA_BITFIELDS = 3, 6


def read_bit_fields(file: BinaryIO, most_pixels: int) -> np.ndarray | None:
    """Reads the pixels `uint8[H, W, 3]` or, with alpha, `uint8[H, W, 4]`.

    None if the file is no BMP of 16 or 32 bits with masks, or is too large.

    Raises:
        ValueError, struct.error: it is damaged or cut short.
    """
    file.seek(0)
    header = file.read(14 + 40 + 16)
    start, size, width, height = struct.unpack_from("<IIii", header, 10)
    bits, compression = struct.unpack_from("<HI", header, 28)
    if size < 40 or bits not in (16, 32) or compression not in (BITFIELDS, ALPHA_BITFIELDS):
        return None
    if width < 1 or not height or width * abs(height) > most_pixels:
        return None
    # The masks follow the 40 bytes of the oldest header, and are part of the later ones.
    count = 4 if size >= 56 or compression == ALPHA_BITFIELDS else 3
    masks = struct.unpack_from(f"<{count}I", header, 54)
    if not all(masks[:3]):
        raise ValueError("a channel without bits")
    stride = -(-width * bits // 32) * 4
    file.seek(start)
    rows = np.frombuffer(file.read(stride * abs(height)), "u1").reshape(abs(height), stride)
    words = np.ascontiguousarray(rows[:, : width * bits // 8]).view(f"<u{bits // 8}")
    channels = [_channel(words, mask) for mask in masks if mask]
    return np.stack(channels, axis=2)[:: -1 if height > 0 else 1]


def _channel(words: np.ndarray, mask: int) -> np.ndarray:
    lowest = (mask & -mask).bit_length() - 1
    depth = mask.bit_length() - lowest
    values = (words & words.dtype.type(mask)) >> words.dtype.type(lowest)
    if depth > 14:
        values, depth = values >> (depth - 14), 14
    return scaling(values, depth)(values)
