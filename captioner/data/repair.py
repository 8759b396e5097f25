"""Repairs files with damaged data outside the pixels, which Pillow does not open."""

import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The optional chunks of a PNG that change its appearance.
PNG_SEEN = (b"tRNS", b"eXIf")

END_OF_JPEG = b"\xff\xd9"
# Replacements for missing pixels of a JPEG: two different runs of bits.
FILLINGS = (b"", bytes(range(1, 255)), bytes(range(254, 0, -3)))


def png_of_pixels_only(data: bytes) -> bytes | None:
    """A PNG without comments, colour profiles and other chunks that do not change its appearance.

    Such a chunk may be too large for Pillow, or its checksum wrong. None if there are none.
    """
    kept, start = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while start + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        end = start + 12 + length
        chunk = data[start:end]
        critical = not kind[0] & 0x20  # a capital letter
        sound = chunk[-4:] == struct.pack(">I", zlib.crc32(chunk[4:-4]))
        if critical or (kind in PNG_SEEN and sound):
            kept.append(chunk)
        start = end
    cleaned = b"".join(kept)
    return cleaned if len(cleaned) < len(data) else None


def jpegs_with_ends(data: bytes) -> list[bytes]:
    """A JPEG without its end marker, completed in several ways.

    If all of its pixels are present, the results are equal.
    """
    data = data.rstrip(b"\xff")  # half a marker
    return [data + filling + END_OF_JPEG for filling in FILLINGS]
