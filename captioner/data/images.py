"""Loads photographs. Only this module and its helpers open image files.

Training and inference use the same functions, so the network always gets the same preprocessing.
"""

import contextlib
import functools
import io
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image

from captioner.data import tiff_decoding
from captioner.data.decoding import FORMATS, Unknown, decode, finish, needed, tags_of
from captioner.data.limits import Limits, TooLarge
from captioner.data.tones import reduction, rgb_image
from captioner.errors import UserError

SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".hif"),
)

# The first words of Pillow's errors about unknown kinds of BMP or TIFF.
PILLOW_LACKS = ("Unsupported", "unknown pixel mode")

# A file of a few kilobytes can contain an image that fills the memory. Pillow's own limit is a
# global variable, which any library can change. Photographs of 200 megapixels, as some telephones
# take them, are accepted. The memory is enough for two of them.
LIMITS = Limits(pixels=220_000_000, memory=2 * 10**9)
AHEAD = 32  # photographs that are decoded while a batch is captioned

Item = TypeVar("Item")
Result = TypeVar("Result")
Source = str | os.PathLike[str] | BinaryIO | Image.Image | np.ndarray

# Two threads must not decode the same open image at the same time.
_decoding = threading.Lock()


def _unlock() -> None:
    """Replace the lock in a forked process: a thread of the parent may have held it."""
    global _decoding
    _decoding = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_unlock)


class ImageError(UserError):
    """A photograph cannot be used. The message is one line with the file and the remedy."""


def open_image(source: Source, at_least: int | None = None, limits: Limits = LIMITS) -> Image.Image:
    """Open a photograph as people see it: upright and RGB.

    Only the first frame of an animation or a document is used. Transparent pixels become white.

    Args:
        source: a path; a binary file object such as `sys.stdin.buffer`, which stays open; or an
            open photograph, as a `PIL.Image` or an array `[H, W(, C)]` of any number type, grey or
            RGB, with or without alpha. White in an array is the smallest of these values that no
            number exceeds: 1 (for floats), 255, and the maximum of 10, 12, 14 and 16 bits.
        at_least: the minimum length of each side, in pixels. A much larger JPEG is decoded at a
            half, a quarter or an eighth of its size, which is faster. Other large images are
            reduced by an integer factor to save memory. None for the original size.
        limits: on size and memory.

    Raises:
        ImageError: the photograph is missing, damaged, of an unknown format or above the limits.
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
            return decode(file, at_least, limits)
    except Unknown as error:
        raise ImageError(
            f"{name}: empty or not an image of a known format; give one of {', '.join(FORMATS)}"
        ) from error
    except (TooLarge, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name}: {error}; scale it down") from error
    except Exception as error:  # Pillow raises many types for damaged bytes.
        if isinstance(error, OSError) and error.errno is not None:  # from the system
            raise ImageError(
                f"{name}: cannot be read ({error.strerror}); give the path of a photograph"
            ) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        unsupported = isinstance(error, tiff_decoding.UnsupportedTiff | MemoryError)
        if unsupported or reason.startswith(PILLOW_LACKS):
            raise ImageError(
                f"{name}: of a kind that is not read ({reason}); save it as JPEG or PNG"
            ) from error
        if isinstance(source, np.ndarray):
            raise ImageError(f"{name}: not a photograph ({reason}); give uint8[H, W, 3]") from error
        raise ImageError(f"{name}: damaged or cut short ({reason}); get the file again") from error


def squash(image: Image.Image, size: int) -> np.ndarray:
    """Resize an RGB photograph to a square `uint8[size, size, 3]` without cropping."""
    # Bicubic rings less than Lanczos at hard edges. Pillow widens its filters when it shrinks an
    # image, so there is no aliasing. An image of this size stays unchanged.
    return np.array(image.resize((size, size), Image.Resampling.BICUBIC))


def small_jpeg(image: Image.Image, side: int) -> io.BytesIO:
    """Save an RGB photograph as a JPEG with sides of at most `side` pixels."""
    small = image.reduce(max(1, max(image.size) // side))
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file


def load_image(source: Source, size: int, limits: Limits = LIMITS) -> np.ndarray:
    """Load a photograph as the input of a network, `uint8[size, size, 3]`.

    Raises:
        ImageError: see `open_image`.
    """
    # Twice the size, so that the last step still averages over several pixels.
    return squash(open_image(source, at_least=2 * size, limits=limits), size)


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """Apply a function to many items in threads. The results are in order.

    At most `AHEAD` results wait in memory.

    Args:
        function: called in several threads at the same time.
        items: consumed lazily.
        workers: the number of threads. By default one for each processor.
    """
    workers = workers or os.cpu_count() or 1
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def load_images(
    sources: Iterable[Source], size: int, workers: int | None = None
) -> Iterator[np.ndarray | ImageError]:
    """Load many photographs in parallel and in order. A bad one does not stop the others.

    Args:
        sources: see `open_image`; consumed lazily.
        size: the side of the square.
        workers: the number of threads. By default one for each processor.

    Yields:
        For each source `uint8[size, size, 3]`, or its `ImageError`.
    """
    return map_ahead(functools.partial(load_or_error, size=size), sources, workers)


def sound_images(sources: Iterable[Source], size: int) -> Iterator[np.ndarray]:
    """Like `load_images`, but stop at the first bad photograph.

    Raises:
        ImageError: a photograph cannot be read.
    """
    for image in load_images(sources, size):
        if isinstance(image, ImageError):
            raise image
        yield image


def load_or_error(source: Source, size: int) -> np.ndarray | ImageError:
    """Like `load_image`, but return the error."""
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
        if (tags := tags_of(image)) is not None:
            tiff_decoding.check(tags)
        factor = reduction(image.size, at_least)
        with limits.reserve(needed(image, image.size, factor)):
            image.load()
            return finish(image, factor)
