"""Photographs in: the only code that opens image files.

Training and use go through the same functions, so that a network never sees a photograph prepared
in another way than those it learned from.
"""

import contextlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")

# A few kilobytes can announce a picture that fills the memory. Pillow's own limit is a global that
# any library can move; this one stands by itself. A telephone's 108-megapixel photograph passes.
MAX_PIXELS = 178_000_000

Source = str | os.PathLike[str] | BinaryIO | Image.Image | np.ndarray


class ImageError(ValueError):
    """A photograph that cannot be used: one line that names it and says what to do."""


def open_image(source: Source) -> Image.Image:
    """Opens a photograph as people see it: upright, RGB, in its original size.

    Of an animation or a document the first frame is taken; what is transparent shows white.

    Args:
        source: a path; a binary file object such as `sys.stdin.buffer`, which is left open; or a
            photograph opened already, as a `PIL.Image` or an RGB or grey array `uint8[H, W(, 3)]`.

    Raises:
        ImageError: if it is missing, damaged, cut short, of another format or larger than
            `MAX_PIXELS`.
    """
    if isinstance(source, np.ndarray):
        return Image.fromarray(source).convert("RGB")
    if isinstance(source, Image.Image):
        return _to_rgb(ImageOps.exif_transpose(source))
    name = _name(source)
    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
            # The pixels are sound by now: damaged EXIF data is no reason to refuse them. In place,
            # since what usually fails is writing the rest of EXIF back after the turn.
            with contextlib.suppress(Exception):
                ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name}: larger than {MAX_PIXELS:,} pixels; scale it down") from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: empty or not an image of a known format; give one of {', '.join(FORMATS)}"
        ) from error
    except Exception as error:  # On damaged bytes Pillow's decoders leak whatever they trip over.
        if isinstance(error, OSError) and error.errno is not None:  # the system's, not Pillow's
            raise ImageError(
                f"{name}: cannot be read ({error.strerror}); give the path of a photograph"
            ) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: damaged or cut short ({reason}); get the file again") from error


def squash(image: Image.Image, size: int) -> np.ndarray:
    """Squashes an RGB photograph to a square without cropping it: `uint8[size, size, 3]`."""
    # Bicubic: Pillow widens its filters when it shrinks, so this does not alias, and it rings less
    # than Lanczos at the hard edges of small squares. An image of that size comes back as it is.
    return np.array(image.resize((size, size), Image.Resampling.BICUBIC))


def load_image(source: Source, size: int) -> np.ndarray:
    """Opens a photograph as a network sees it, in training and in use: `uint8[size, size, 3]`.

    Raises:
        ImageError: as `open_image` does.
    """
    return squash(open_image(source), size)


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Lists the photographs of a folder and its subfolders in sorted order, without what is hidden.

    Raises:
        ImageError: if there are none.
    """
    folder = Path(folder)
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not found:
        raise ImageError(f"{folder}: no photographs there; looked for {', '.join(SUFFIXES)}")
    return found


def load_images(
    sources: Iterable[Source], size: int, workers: int | None = None
) -> Iterator[np.ndarray | ImageError]:
    """Loads many photographs in parallel and in order; a bad one does not stop the others.

    Sources are drawn only a few ahead of what has been consumed, so that any number of them fits
    in memory.

    Args:
        sources: what `open_image` takes, lazily if it is an iterator.
        size: the side of the square.
        workers: threads that decode; by default one for each processor.

    Yields:
        For each source its `uint8[size, size, 3]`, or the `ImageError` that it raised.
    """
    workers = workers or os.cpu_count() or 1
    pending = deque()
    with ThreadPoolExecutor(workers) as pool:
        for source in sources:
            pending.append(pool.submit(_load_or_error, source, size))
            if len(pending) > 2 * workers:  # twice: no thread waits while the consumer handles one
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _load_or_error(source: Source, size: int) -> np.ndarray | ImageError:
    try:
        return load_image(source, size)
    except ImageError as error:
        return error


def _name(source: Source) -> str:
    if hasattr(source, "read"):
        return str(getattr(source, "name", "<stream>"))
    return os.fsdecode(source)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow would clip these to 0..255, which turns almost every photograph white.
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(grey: np.ndarray) -> np.ndarray:
    """Scales 16-bit, 32-bit or floating-point grey to `uint8[H, W]`."""
    values = np.nan_to_num(grey.astype(np.float32), posinf=0.0, neginf=0.0)
    if grey.dtype.itemsize == 2:
        white = 65535
    else:
        # 32-bit files do not say what white is: the lowest customary one that no pixel exceeds.
        brightest = values.max()
        white = next((level for level in (1, 255, 65535) if brightest <= level), brightest)
    return (values.clip(0, white) * (255 / white) + 0.5).astype(np.uint8)
