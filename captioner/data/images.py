"""Photographs in: the only code that opens image files.

Training and use go through the same functions, so that a network never sees a photograph prepared
in another way than those it learned from.
"""

import contextlib
import importlib
import io
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

import numpy as np
import pi_heif
from PIL import Image, ImageFile

from captioner.data import bmp, repair, tiff
from captioner.data.limits import Limits, TooLarge
from captioner.data.tones import in_bands, reduction, rgb_image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".hif"),
)

# A few kilobytes can announce a picture that fills the memory. Pillow's own limit is a global that
# any library can move; this one stands by itself. A telephone's 200-megapixel photograph passes.
# The memory holds such a photograph decoded, twice.
LIMITS = Limits(pixels=220_000_000, memory=2 * 10**9)
# Bytes that decoding takes at most for each pixel, or for each of its channels (measured with
# Pillow 13 and pi-heif 1.4).
DECODING = {"JPEG": 4, "PNG": 4, "BMP": 4, "GIF": 4, "TIFF": 8, "WEBP": 16}
CHANNEL = {"AVIF": 3, "HEIF": 3}
PROGRESSIVE = 6  # the same, for each pixel of a JPEG whose coefficients are all kept

AHEAD = 32  # photographs decoded while as many before them are written about

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
# Of some files Pillow says in its log, too, what it raises; nobody should hear it twice.
logging.getLogger("PIL").addHandler(logging.NullHandler())

Opener = Callable[[BinaryIO, str], ImageFile.ImageFile]  # of one format
Source = str | os.PathLike[str] | BinaryIO | Image.Image | np.ndarray

# An image that is opened and not yet decoded must not be decoded by two threads at once.
_decoding = threading.Lock()


class ImageError(ValueError):
    """A photograph that cannot be used: one line that names it and says what to do."""


class Unknown(Exception):
    """Not an image of a known format."""


def open_image(source: Source, at_least: int | None = None, limits: Limits = LIMITS) -> Image.Image:
    """Opens a photograph as people see it: upright, RGB, in its original size.

    Of an animation or a document the first frame is taken; what is transparent shows white.

    Args:
        source: a path; a binary file object such as `sys.stdin.buffer`, which is left open; or a
            photograph opened already, as a `PIL.Image` or an array `[H, W(, C)]` of any number
            type, grey or RGB, with or without alpha. An array's white is the lowest of 1 (of
            floats), 255 and the highest of 10, 12, 14 and 16 bits that no number exceeds.
        at_least: pixels that each side needs. A JPEG of several times as many is decoded at a
            half, a quarter or an eighth of its size, which is much faster; what is large
            otherwise is made smaller by a whole factor, before it takes more memory.
        limits: on its size.

    Raises:
        ImageError: if it is missing, damaged, cut short, of another format or above the limits.
    """
    name = _name(source)
    try:
        if isinstance(source, np.ndarray):
            return _from_array(source, at_least, limits)
        if isinstance(source, Image.Image):
            return _from_pillow(source, at_least, limits)
        with contextlib.ExitStack() as stack:
            if isinstance(source, str | os.PathLike):
                file: BinaryIO = stack.enter_context(open(source, "rb"))
            else:
                file = source
            if not file.seekable():
                file = io.BytesIO(file.read())
            return _decode(file, at_least, limits)
    except Unknown as error:
        raise ImageError(
            f"{name}: empty or not an image of a known format; give one of {', '.join(FORMATS)}"
        ) from error
    except (TooLarge, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name}: {error}; scale it down") from error
    except Exception as error:  # On damaged bytes Pillow's decoders leak whatever they trip over.
        if isinstance(error, OSError) and error.errno is not None:  # the system's, not Pillow's
            raise ImageError(
                f"{name}: cannot be read ({error.strerror}); give the path of a photograph"
            ) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        unsupported = isinstance(error, tiff.UnsupportedTiff | MemoryError)
        if unsupported or reason.startswith("Unsupported"):  # so Pillow begins to say it
            raise ImageError(
                f"{name}: of a kind that is not read ({reason}); save it as JPEG or PNG"
            ) from error
        if isinstance(source, np.ndarray):
            raise ImageError(f"{name}: not a photograph ({reason}); give uint8[H, W, 3]") from error
        raise ImageError(f"{name}: damaged or cut short ({reason}); get the file again") from error


def squash(image: Image.Image, size: int) -> np.ndarray:
    """Squashes an RGB photograph to a square without cropping it: `uint8[size, size, 3]`."""
    # Bicubic: Pillow widens its filters when it shrinks, so this does not alias, and it rings less
    # than Lanczos at the hard edges of small squares. An image of that size comes back as it is.
    return np.array(image.resize((size, size), Image.Resampling.BICUBIC))


def small_jpeg(image: Image.Image, side: int) -> io.BytesIO:
    """An RGB photograph as a JPEG whose sides are `side` pixels at most."""
    small = image.reduce(max(1, max(image.size) // side))
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file


def load_image(source: Source, size: int, limits: Limits = LIMITS) -> np.ndarray:
    """Opens a photograph as a network sees it, in training and in use: `uint8[size, size, 3]`.

    Raises:
        ImageError: as `open_image` does.
    """
    # Twice, so that what the last step averages over is still several pixels.
    return squash(open_image(source, at_least=2 * size, limits=limits), size)


def load_images(
    sources: Iterable[Source], size: int, workers: int | None = None
) -> Iterator[np.ndarray | ImageError]:
    """Loads many photographs in parallel and in order; a bad one does not stop the others.

    Sources are drawn no more than `AHEAD` before what has been consumed, so that any number of them
    fits in memory.

    Args:
        sources: what `open_image` takes, lazily if it is an iterator.
        size: the side of the square.
        workers: threads that decode; by default one for each processor.

    Yields:
        For each source its `uint8[size, size, 3]`, or the `ImageError` that it raised.
    """
    workers = workers or os.cpu_count() or 1
    pending: deque[Future[np.ndarray | ImageError]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for source in sources:
            pending.append(pool.submit(_load_or_error, source, size))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def sound_images(sources: Iterable[Source], size: int) -> Iterator[np.ndarray]:
    """As `load_images`, where a bad one is the end.

    Raises:
        ImageError: a photograph that cannot be read.
    """
    for image in load_images(sources, size):
        if isinstance(image, ImageError):
            raise image
        yield image


def _load_or_error(source: Source, size: int) -> np.ndarray | ImageError:
    try:
        return load_image(source, size)
    except ImageError as error:
        return error


def _name(source: Source) -> str:
    if isinstance(source, np.ndarray):
        return "<array>"
    if isinstance(source, Image.Image):
        return os.fsdecode(getattr(source, "filename", "") or "<image>")
    if hasattr(source, "read"):
        return str(getattr(source, "name", "<stream>"))
    return os.fsdecode(source)


def _from_array(array: np.ndarray, at_least: int | None, limits: Limits) -> Image.Image:
    if array.ndim < 2 or not array.size:
        raise ValueError(f"shape {array.shape}, not [H, W], [H, W, 3] or [H, W, 4]")
    height, width = array.shape[:2]
    limits.check(width, height)
    if array.dtype.kind in "if" and not array.min() >= 0:
        raise ValueError("numbers below 0, or none")
    return rgb_image(array, factor=reduction((width, height), at_least))


def _from_pillow(image: Image.Image, at_least: int | None, limits: Limits) -> Image.Image:
    with _decoding:
        limits.check(*image.size)
        tags = getattr(image, "tag_v2", None)
        if tags is not None and tiff.is_deep(tags):
            # What Pillow makes of these is not what they show.
            file = getattr(image, "fp", None)
            if file is None or file.closed:
                raise tiff.UnsupportedTiff("a deep TIFF that Pillow has decoded; give its path")
            return _decode(file, at_least, limits)
        factor = reduction(image.size, at_least)
        with limits.reserve(_needed(image, image.size, factor)):
            image.load()
            return _finish(image, factor)


def _decode(file: BinaryIO, at_least: int | None, limits: Limits) -> Image.Image:
    """A photograph out of a file that can be rewound."""
    file.seek(0)
    prefix = file.read(16)
    damage: Exception = Unknown()
    for name in FORMATS:
        opener, accepts = Image.OPEN[name]
        if accepts is None or accepts(prefix) is not True:
            continue
        try:
            return _decode_as(name, opener, file, at_least, limits)
        except (TooLarge, MemoryError, tiff.UnsupportedTiff):
            raise
        except Exception as error:  # one format's first bytes may be another's, as of AVIF and HEIC
            damage = error
    raise damage


def _decode_as(
    name: str, opener: Opener, file: BinaryIO, at_least: int | None, limits: Limits
) -> Image.Image:
    """A photograph in one of `FORMATS`, also where it is damaged beside its pixels."""
    try:
        return _load(opener, file, at_least, limits)
    except TooLarge:
        raise
    except Exception:
        if name == "TIFF":
            return _deep(file, at_least, limits)
        if name == "BMP" and (pixels := bmp.read_bit_fields(file, limits.pixels)) is not None:
            image = Image.fromarray(pixels)
            image.format = "BMP"
            return _to_rgb(image, reduction(image.size, at_least))
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
    # Not by Image.open, whose limit is lower than a telephone's photographs. Without the name of
    # the file, or Pillow would map it, and a file cut short meanwhile would end the process.
    image = opener(file, "")
    whole = image.size
    limits.check(*whole)
    tags = getattr(image, "tag_v2", None)  # of TIFF alone
    if tags is not None and tiff.is_deep(tags):
        return _deep(file, at_least, limits)
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    factor = reduction(image.size, at_least)
    with limits.reserve(_needed(image, whole, factor)):
        image.load()
        return _finish(image, factor)


def _needed(image: Image.Image, whole: tuple[int, int], factor: int) -> int:
    """Bytes that it takes to decode an image, `whole` pixels of a file, and to make it RGB."""
    pixels = image.width * image.height
    name = image.format or ""
    each = CHANNEL[name] * len(image.getbands()) if name in CHANNEL else DECODING.get(name, 4)
    if image.mode[0] in "IF":  # goes through an array
        each = 3 * (2 if ";" in image.mode else 4)
    needed = (each + 8 / factor**2) * pixels  # 8: as RGB, once more where it is turned
    if name == "JPEG" and image.info.get("progressive"):
        needed += PROGRESSIVE * whole[0] * whole[1]
    return round(needed)


def _deep(file: BinaryIO, at_least: int | None, limits: Limits) -> Image.Image:
    image, orientation = tiff.read(file, limits, at_least)
    return _turned(image, orientation)


def _finish(image: Image.Image, factor: int) -> Image.Image:
    """A decoded image upright and as RGB, smaller by a factor."""
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # The pixels are sound: damaged EXIF data is no reason to refuse them.
        orientation = None
    return _turned(_to_rgb(image, factor), orientation)


def _turned(image: Image.Image, orientation: object) -> Image.Image:
    turn = TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image, factor: int) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow would clip these to 0..255, which turns almost every photograph white.
        return rgb_image(np.asarray(image), factor=factor)
    # Many programs leave the fourth byte of a BMP 0 and mean no alpha.
    opaque = False
    if image.format == "BMP" and image.mode == "RGBA":
        opaque = not image.getchannel("A").getextrema()[1]

    def draw(rows: slice) -> Image.Image:
        # Not by `crop`, which knows Pillow's limit.
        size, box = (image.width, rows.stop - rows.start), (0, rows.start, image.width, rows.stop)
        band = image.resize(size, Image.Resampling.NEAREST, box)
        if opaque or not band.has_transparency_data:
            return band.convert("RGB")
        band = band.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", band.size, "white"), band).convert("RGB")

    return in_bands(image.size, draw, factor)
