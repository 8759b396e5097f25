"""Photographs in: the only code that opens image files.

Training and use go through the same functions, so that a network never sees a photograph prepared
in another way than those it learned from.
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

from captioner.data import tiff
from captioner.data.decoding import FORMATS, Unknown, decode, finish, needed
from captioner.data.limits import Limits, TooLarge
from captioner.data.tones import reduction, rgb_image

SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".hif"),
)

# A few kilobytes can announce a picture that fills the memory. Pillow's own limit is a global that
# any library can move; this one stands by itself. A telephone's 200-megapixel photograph passes.
# The memory holds such a photograph decoded, twice.
LIMITS = Limits(pixels=220_000_000, memory=2 * 10**9)
AHEAD = 32  # photographs decoded while as many before them are written about

Item = TypeVar("Item")
Result = TypeVar("Result")
Source = str | os.PathLike[str] | BinaryIO | Image.Image | np.ndarray

# An image that is opened and not yet decoded must not be decoded by two threads at once.
_decoding = threading.Lock()


def _unlock() -> None:
    """A forked process has none of the threads of its parent, one of which may hold the lock."""
    global _decoding
    _decoding = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_unlock)


class ImageError(ValueError):
    """A photograph that cannot be used: one line that names it and says what to do."""


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
            return decode(file, at_least, limits)
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


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """The results of a function of many items, in order, computed in threads.

    Items are drawn no more than `AHEAD` before what has been consumed, so that any number of them
    fits in memory.

    Args:
        function: called in several threads at once.
        items: drawn lazily if it is an iterator.
        workers: the number of threads; by default one for each processor.
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
    """Loads many photographs in parallel and in order; a bad one does not stop the others.

    Args:
        sources: what `open_image` takes, lazily if it is an iterator.
        size: the side of the square.
        workers: threads that decode; by default one for each processor.

    Yields:
        For each source its `uint8[size, size, 3]`, or the `ImageError` that it raised.
    """
    return map_ahead(functools.partial(load_or_error, size=size), sources, workers)


def sound_images(sources: Iterable[Source], size: int) -> Iterator[np.ndarray]:
    """As `load_images`, where a bad one is the end.

    Raises:
        ImageError: a photograph that cannot be read.
    """
    for image in load_images(sources, size):
        if isinstance(image, ImageError):
            raise image
        yield image


def load_or_error(source: Source, size: int) -> np.ndarray | ImageError:
    """`load_image`, which returns its error."""
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
        if tags is not None:
            tiff.check_tiles(tags)
        if tags is not None and tiff.is_deep(tags):
            # What Pillow makes of these is not what they show.
            file = getattr(image, "fp", None)
            if file is None or file.closed:
                raise tiff.UnsupportedTiff("a deep TIFF that Pillow has decoded; give its path")
            return decode(file, at_least, limits)
        factor = reduction(image.size, at_least)
        with limits.reserve(needed(image, image.size, factor)):
            image.load()
            return finish(image, factor)
