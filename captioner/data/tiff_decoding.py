"""TIFFs that Pillow decodes wrongly, or that need far more memory than their tags declare.

Pillow reads 8-bit samples, 16-bit unsigned grey and colour, and grey of 32 bits, signed or float.
It misreads others without an error; they are refused here.
"""

from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    IMAGELENGTH,
    IMAGEWIDTH,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    TILELENGTH,
    TILEWIDTH,
    ImageFileDirectory_v2,
)

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
BLACK_IS_ZERO, RGB, SEPARATED = 1, 2, 5
CHUNKY = 1
DEEP_GREY = {(16, UNSIGNED), (32, SIGNED), (32, FLOAT)}


class UnsupportedTiff(ValueError):
    """A kind of TIFF that is not supported. The message names it."""


def check(tags: ImageFileDirectory_v2) -> None:
    """Check the tags of a picture before it is decoded.

    Raises:
        UnsupportedTiff: Pillow would misread its samples.
        ValueError: a tile, which is decoded as a whole, is far larger than the picture.
    """
    width, height = _first(tags, IMAGEWIDTH, 0), _first(tags, IMAGELENGTH, 0)
    tile = _first(tags, TILEWIDTH, 0) * _first(tags, TILELENGTH, 0)
    if tile > max(width, 1024) * max(height, 1024):
        raise ValueError("tiles far larger than the picture")
    bits, formats = set(_all(tags, BITSPERSAMPLE, 1)), set(_all(tags, SAMPLEFORMAT, UNSIGNED))
    if max(bits) <= 8 and formats == {UNSIGNED}:
        return
    colours = _first(tags, PHOTOMETRIC_INTERPRETATION, BLACK_IS_ZERO)
    if _first(tags, SAMPLESPERPIXEL, 1) == 1:
        known = colours == BLACK_IS_ZERO and (max(bits), max(formats)) in DEEP_GREY
    else:
        chunky = _first(tags, PLANAR_CONFIGURATION, CHUNKY) == CHUNKY
        known = colours in (RGB, SEPARATED) and bits == {16} and formats == {UNSIGNED} and chunky
    if not known:
        raise UnsupportedTiff(f"{max(bits)}-bit samples of an unusual layout")


def bytes_per_pixel(tags: ImageFileDirectory_v2) -> int:
    """Bytes of a decompressed strip for each pixel."""
    samples = max(_first(tags, SAMPLESPERPIXEL, 1), len(_all(tags, BITSPERSAMPLE, 1)))
    return -(-samples * max(_all(tags, BITSPERSAMPLE, 1)) // 8)


def _all(tags: ImageFileDirectory_v2, tag: int, default: int) -> tuple[int, ...]:
    value = tags.get(tag, default)
    value = value if isinstance(value, tuple) else (value,)
    if not value or not all(isinstance(number, int) for number in value):
        raise ValueError(f"tag {tag} is no number")
    return value


def _first(tags: ImageFileDirectory_v2, tag: int, default: int) -> int:
    return _all(tags, tag, default)[0]
