"""Decodes image files with Pillow: formats, damage, transparency, orientation."""

import importlib
import io
import logging
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import pi_heif
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from captioner.data import repair, tiff_decoding
from captioner.data.limits import Limits, TooLarge
from captioner.data.tones import in_bands, reduction, scaling_of_bands

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")
# Maximum memory for decoding, in bytes for each pixel or for each of its channels (measured with
# Pillow 13 and pi-heif 1.4).
DECODING = {"WEBP": 16}  # 4 for other formats, of TIFF also those of a strip
CHANNEL = {"AVIF": 3, "HEIF": 3}
# Decoding a progressive JPEG keeps all coefficients in memory.
COEFFICIENTS = {"JPEG": 6, "MPO": 6}

ORIENTATION = 0x0112  # in EXIF
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

for _format in ("Avif", "Bmp", "Gif", "Jpeg", "Png", "Tiff", "WebP"):
    importlib.import_module(f"PIL.{_format}ImagePlugin")
pi_heif.register_heif_opener()
# Pillow also logs some of the errors that it raises.
logging.getLogger("PIL").addHandler(logging.NullHandler())

Opener = Callable[[BinaryIO, str], ImageFile.ImageFile]  # of one format


class Unknown(Exception):
    """Not an image of a known format."""


def decode(file: BinaryIO, at_least: int | None, limits: Limits) -> Image.Image:
    """Decode a photograph from a seekable file: upright and RGB.

    Args:
        file: the file.
        at_least: the minimum length of each side, in pixels. None for the original size.
        limits: on its size.

    Raises:
        Unknown: the format is none of `FORMATS`.
        TooLarge: the photograph is above the limits.
        Exception: the file is damaged. Decoders raise many types.
    """
    file.seek(0)
    prefix = file.read(16)
    damage: Exception = Unknown()
    for name in FORMATS:
        opener, accepts = Image.OPEN[name]
        if accepts is None or accepts(prefix) is not True:
            continue
        try:
            return _decode_as(name, opener, file, at_least, limits)
        except (TooLarge, MemoryError, tiff_decoding.UnsupportedTiff):
            raise
        except Exception as error:  # formats can share their first bytes, such as AVIF and HEIC
            damage = error
    raise damage


def _decode_as(
    name: str, opener: Opener, file: BinaryIO, at_least: int | None, limits: Limits
) -> Image.Image:
    """Decode one of `FORMATS`, even if data outside the pixels are damaged."""
    try:
        return _load(opener, file, at_least, limits)
    except (TooLarge, tiff_decoding.UnsupportedTiff):
        raise
    except Exception:
        file.seek(0)
        data = file.read()
        if name == "PNG" and (cleaned := repair.png_of_pixels_only(data)) is not None:
            return _load(opener, io.BytesIO(cleaned), at_least, limits)
        if name == "JPEG":
            completed = (
                _load(opener, io.BytesIO(data), at_least, limits)
                for data in repair.jpegs_with_ends(data)
            )
            first = next(completed)
            if all(other == first for other in completed):
                return first
        raise


def _load(opener: Opener, file: BinaryIO, at_least: int | None, limits: Limits) -> Image.Image:
    file.seek(0)
    # Not with Image.open, because its limit is lower than the photographs of some telephones. And
    # without the file name, because Pillow would map the file into memory; if another program then
    # truncated it, the process would end.
    image = opener(file, "")
    whole = image.size
    limits.check(*whole)
    if (tags := tags_of(image)) is not None:
        tiff_decoding.check(tags)
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    factor = reduction(image.size, at_least)
    with limits.reserve(needed(image, whole, factor)):
        if tags is not None:
            # Pillow would check its own limit, and warn from 89 megapixels on.
            image.im = Image.core.new(image.mode, image._tile_size)  # type: ignore[attr-defined]
        image.load()
        return finish(image, factor)


def needed(image: Image.Image, whole: tuple[int, int], factor: int) -> int:
    """The memory for decoding an image of `whole` pixels and converting it to RGB, in bytes."""
    pixels = image.width * image.height
    name = image.format or ""
    each = CHANNEL[name] * len(image.getbands()) if name in CHANNEL else DECODING.get(name, 4)
    if (tags := tags_of(image)) is not None:
        each += tiff_decoding.bytes_per_pixel(tags)
    total = (each + 8 / factor**2) * pixels  # 8: as RGB, twice for the rotation
    return round(total) + COEFFICIENTS.get(name, 0) * whole[0] * whole[1]


def tags_of(image: Image.Image) -> ImageFileDirectory_v2 | None:
    """The tags of a TIFF; None for other formats."""
    return getattr(image, "tag_v2", None)


def finish(image: Image.Image, factor: int) -> Image.Image:
    """Rotate a decoded image, convert it to RGB and reduce it by a factor."""
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # Damaged EXIF data are no reason to refuse intact pixels.
        orientation = None
    image = _to_rgb(image, factor)
    turn = TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image, factor: int) -> Image.Image:
    def band_of(rows: slice) -> Image.Image:
        # Not with `crop`, which checks Pillow's limit.
        size, box = (image.width, rows.stop - rows.start), (0, rows.start, image.width, rows.stop)
        return image.resize(size, Image.Resampling.NEAREST, box)

    if image.mode[0] in "IF":
        # Pillow clips these to 0..255, which makes almost every photograph white.
        scale = scaling_of_bands(image.size, lambda rows: np.asarray(band_of(rows)))
        return in_bands(
            image.size, lambda rows: Image.fromarray(scale(np.asarray(band_of(rows)))), factor
        )
    # Many programs write BMP files with an alpha of 0 that means opaque.
    opaque = False
    if image.format == "BMP" and image.mode == "RGBA":
        opaque = not image.getchannel("A").getextrema()[1]

    def draw(rows: slice) -> Image.Image:
        band = band_of(rows)
        if opaque or not band.has_transparency_data:
            return band.convert("RGB")
        band = band.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", band.size, "white"), band).convert("RGB")

    return in_bands(image.size, draw, factor)
