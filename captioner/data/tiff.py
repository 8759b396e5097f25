"""TIFFs that Pillow reads wrongly or not at all: deep, signed, planar or packed samples.

Pillow parses the tags and undoes the compression; here the bytes become numbers.
"""

import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COMPRESSION,
    EXTRASAMPLES,
    FILLORDER,
    IMAGELENGTH,
    IMAGEWIDTH,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    PREDICTOR,
    ROWSPERSTRIP,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TILEBYTECOUNTS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    ImageFileDirectory_v2,
)

from captioner.data.limits import Limits
from captioner.data.tones import BAND, in_bands, reduction, rgb_image, scaling

ORIENTATION = 274
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, SEPARATED = 0, 1, 2, 5
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, SEPARATED: 4}
NO_COMPRESSION = 1
DEFLATE = {8, 32946}
BYTES = DEFLATE | {5, 32773, 34925, 50000}  # compressions of bytes, whatever these stand for
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # the bits of each byte


class UnsupportedTiff(ValueError):
    """A TIFF of a kind that is not read here: says which."""


def is_deep(tags: ImageFileDirectory_v2) -> bool:
    """Whether Pillow cannot be trusted with a TIFF of these tags."""
    return max(_many(tags, BITSPERSAMPLE, 1)) > 8 or set(_many(tags, SAMPLEFORMAT, 1)) != {UNSIGNED}


def check_tiles(tags: ImageFileDirectory_v2) -> None:
    """Raise ValueError if a tile, which is decoded as a whole, is far larger than the picture."""
    width, height = _one(tags, IMAGEWIDTH, 0), _one(tags, IMAGELENGTH, 0)
    if _one(tags, TILEWIDTH, 0) * _one(tags, TILELENGTH, 0) > max(width, 1024) * max(height, 1024):
        raise ValueError("tiles far larger than the picture")


def read_tags(file: BinaryIO) -> ImageFileDirectory_v2:
    """The tags of the first picture in a file."""
    file.seek(0)
    header = file.read(8)
    if header[2:4] in (b"+\0", b"\0+"):
        header += file.read(8)
    tags = ImageFileDirectory_v2(header)
    file.seek(tags.next)
    tags.load(file)
    return tags


def read(file: BinaryIO, limits: Limits, at_least: int | None = None) -> tuple[Image.Image, int]:
    """Reads the first picture of a TIFF.

    Args:
        file: can be rewound.
        limits: on its size.
        at_least: pixels that each side needs; a large picture comes smaller.

    Returns:
        It as RGB, and its EXIF orientation, which is not applied.

    Raises:
        TooLarge: it is above the limits.
        UnsupportedTiff: it is of a kind that is not read here.
        ValueError: it is damaged or cut short.
    """
    tags = read_tags(file)
    layout = _Layout(tags)
    limits.check(layout.width, layout.height)
    # Before memory is asked for: every sample needs at least a few bits of a file.
    stored = sum(count for _, count in layout.segments())
    samples = layout.width * layout.height * layout.samples
    if samples * layout.bits > 8 * 2000 * stored:
        raise ValueError("far fewer bytes than pixels")
    factor = reduction((layout.width, layout.height), at_least)
    # The samples, a strip as it comes out of its compression, and the picture.
    drawn = 8 * layout.width * layout.height // factor**2
    with limits.reserve(4 * samples * layout.dtype.itemsize + drawn):
        return layout.image(layout.read(file), factor), int(_one(tags, ORIENTATION, 1))


class _Layout:
    """How the samples of a picture lie in its file.

    Attributes:
        width, height, samples, bits, dtype: of the picture; `dtype` as it is stored.
        rows, columns: of a strip or tile.
    """

    def __init__(self, tags: ImageFileDirectory_v2) -> None:
        self.tags = tags
        self.width, self.height = _one(tags, IMAGEWIDTH, 0), _one(tags, IMAGELENGTH, 0)
        self.samples = _one(tags, SAMPLESPERPIXEL, 1)
        bits, formats = _many(tags, BITSPERSAMPLE, 1), _many(tags, SAMPLEFORMAT, UNSIGNED)
        if len(set(bits)) > 1 or len(set(formats)) > 1:
            raise UnsupportedTiff("its channels differ in depth")
        self.bits, self.format = bits[0], formats[0]
        self.photometric = _one(tags, PHOTOMETRIC_INTERPRETATION, BLACK_IS_ZERO)
        self.compression = _one(tags, COMPRESSION, NO_COMPRESSION)
        self.predictor = _one(tags, PREDICTOR, 1)
        self.planar = _one(tags, PLANAR_CONFIGURATION, 1) == 2 and self.samples > 1
        self.tiled = TILEOFFSETS in tags
        if self.tiled:
            self.columns, self.rows = _one(tags, TILEWIDTH, 0), _one(tags, TILELENGTH, 0)
        else:
            self.columns = self.width
            self.rows = min(_one(tags, ROWSPERSTRIP, self.height), self.height)
        self._check()
        order = ">" if tags._endian == ">" else "<"
        kind = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}[self.format]
        self.dtype = np.dtype(f"{order}{kind}{next(n for n in (1, 2, 4, 8) if 8 * n >= self.bits)}")

    def _check(self) -> None:
        if min(self.width, self.height, self.columns, self.rows) < 1:
            raise ValueError("no pixels")
        check_tiles(self.tags)
        if self.photometric not in COLOURS or self.samples < COLOURS[self.photometric]:
            raise UnsupportedTiff(f"colour space {self.photometric} in {self.samples} channels")
        if self.samples > 16:
            raise UnsupportedTiff(f"{self.samples} channels")
        if self.format not in (UNSIGNED, SIGNED, FLOAT):
            raise UnsupportedTiff(f"sample format {self.format}")
        if not 1 <= self.bits <= 64 or (self.format == FLOAT and self.bits not in (16, 32, 64)):
            raise UnsupportedTiff(f"{self.bits}-bit samples of format {self.format}")
        if self.format == SIGNED and self.bits not in (8, 16, 32, 64):
            raise UnsupportedTiff(f"signed {self.bits}-bit samples")
        if self.compression != NO_COMPRESSION and self.compression not in BYTES:
            raise UnsupportedTiff(f"{self.bits}-bit samples in compression {self.compression}")
        if self.predictor not in (1, 2, 3) or (self.predictor == 2 and self.bits % 8):
            raise UnsupportedTiff(f"predictor {self.predictor} of {self.bits}-bit samples")

    @property
    def packed(self) -> int:
        """The number of samples of a pixel that lie side by side."""
        return 1 if self.planar else self.samples

    def segments(self) -> list[tuple[int, int]]:
        """The offset and the length of every strip or tile."""
        where, long = (
            (TILEOFFSETS, TILEBYTECOUNTS) if self.tiled else (STRIPOFFSETS, STRIPBYTECOUNTS)
        )
        offsets, counts = _many(self.tags, where, 0), _many(self.tags, long, 0)
        if len(offsets) == 1 and counts == (0,) and self.compression == NO_COMPRESSION:
            counts = (self.height * self._row_bytes() * (self.samples // self.packed),)
        if len(offsets) < sum(1 for _ in self.places()) or len(counts) < len(offsets):
            raise ValueError("strips are missing")
        return list(zip(offsets, counts, strict=False))

    def places(self) -> Iterator[tuple[Any, int, int]]:
        """Where the strips or tiles go: the channels, the first row and the first column."""
        planes = [slice(plane, plane + 1) for plane in range(self.samples)]
        for plane in planes if self.planar else [slice(None)]:
            for top in range(0, self.height, self.rows):
                for left in range(0, self.width, self.columns):
                    yield plane, top, left

    def _row_bytes(self) -> int:
        return -(-self.columns * self.packed * self.bits // 8)

    def read(self, file: BinaryIO) -> np.ndarray:
        """The samples `[H, W, samples]`, in the byte order of this machine."""
        shape = (self.height, self.width, self.samples)
        values = np.zeros(shape, self.dtype.newbyteorder("="))
        for (offset, count), (plane, top, left) in zip(
            self.segments(), self.places(), strict=False
        ):
            file.seek(offset)
            part = values[top : top + self.rows, left : left + self.columns, plane]
            rows = self._rows(file.read(count), self.rows if self.tiled else len(part))
            step = max(1, BAND // self.columns)
            for first in range(0, len(part), step):
                band = part[first : first + step]
                numbers = self._numbers(rows[first : first + len(band)])
                band[:] = numbers.reshape(len(band), self.columns, -1)[:, : band.shape[1]]
        return values

    def _rows(self, data: bytes, count: int) -> np.ndarray:
        """The bytes `uint8[count, width]` of a strip or tile, out of their compression."""
        if _one(self.tags, FILLORDER, 1) == 2:
            data = data.translate(REVERSED)
        width = self._row_bytes()
        if self.compression != NO_COMPRESSION:
            data = _inflated(data, self.compression, width, count)
        return np.frombuffer(data, "u1", count * width).reshape(count, width)

    def _numbers(self, rows: np.ndarray) -> np.ndarray:
        """Bytes `uint8[rows, width]` as samples in the byte order of this machine."""
        count, itemsize = self.columns * self.packed, self.dtype.itemsize
        native = self.dtype.newbyteorder("=")
        if self.bits != 8 * itemsize:
            if self.bits % 8 == 0:  # 24 bits and the like
                values = rows.reshape(len(rows), count, self.bits // 8).astype(native)
                values = values if self.dtype.str[0] == ">" else values[..., ::-1]
                shifts = 8 * np.arange(self.bits // 8)[::-1]
            else:  # packed without gaps, the highest bit first in either byte order
                values = np.unpackbits(rows, axis=1, count=count * self.bits)
                values = values.reshape(len(rows), count, self.bits).astype(native)
                shifts = np.arange(self.bits)[::-1]
            numbers = np.zeros(values.shape[:2], native)
            for i, shift in enumerate(shifts.tolist()):
                numbers |= values[..., i] << native.type(shift)
        elif self.predictor == 3:
            # Bytes of equal rank together, each the difference to the one a pixel before.
            summed = rows.reshape(len(rows), -1, self.packed).cumsum(axis=1, dtype="u1")
            summed = summed.reshape(len(rows), itemsize, count).swapaxes(1, 2)
            return np.ascontiguousarray(summed).view(self.dtype.newbyteorder(">")).astype(native)
        else:
            numbers = rows.view(self.dtype).astype(native)
        if self.predictor == 2:
            numbers = numbers.reshape(len(rows), -1, self.packed)
            # The differences wrap around, and so do their sums.
            numbers = numbers.cumsum(axis=1, dtype=native)
        return numbers

    def image(self, values: np.ndarray, factor: int) -> Image.Image:
        """The picture of its samples `[H, W, samples]`, smaller by a factor."""
        colours = COLOURS[self.photometric]
        if self.photometric in (SEPARATED, WHITE_IS_ZERO):
            inks = values[..., :colours]
            scale, mode = scaling(inks, self.bits), "CMYK" if colours == 4 else "L"

            def draw(rows: slice) -> Image.Image:
                drawn = scale(inks[rows])
                drawn = drawn if mode == "CMYK" else 255 - drawn
                return Image.frombytes(mode, drawn.shape[1::-1], drawn.tobytes()).convert("RGB")

            return in_bands((self.width, self.height), draw, factor)
        # 1: alpha that the colours are multiplied by, 2: alpha that they are not, 0: anything.
        extra = (*_many(self.tags, EXTRASAMPLES, 0), 0)[0] if self.samples > colours else 0
        used = values[..., : colours + (extra in (1, 2))]
        return rgb_image(used, self.bits, premultiplied=extra == 1, factor=factor)


def _inflated(data: bytes, compression: int, width: int, rows: int) -> bytes:
    """Undoes a compression: Pillow is shown the bytes as an 8-bit grey picture."""
    if compression in DEFLATE:  # in strips of any size, where Pillow has a limit
        return zlib.decompressobj().decompress(data, width * rows)
    tags = ImageFileDirectory_v2()
    tags[IMAGEWIDTH], tags[IMAGELENGTH], tags[ROWSPERSTRIP] = width, rows, rows
    tags[BITSPERSAMPLE], tags[SAMPLESPERPIXEL] = 8, 1
    tags[PHOTOMETRIC_INTERPRETATION], tags[COMPRESSION] = BLACK_IS_ZERO, compression
    tags[STRIPOFFSETS], tags[STRIPBYTECOUNTS] = 0, len(data)  # 0: Pillow adds where the tags end
    file = io.BytesIO(b"II*\0\x08\0\0\0" + tags.tobytes(8) + data)
    with Image.open(file, formats=["TIFF"]) as image:
        return image.tobytes()


def _many(tags: ImageFileDirectory_v2, tag: int, default: int) -> tuple[int, ...]:
    value = tags.get(tag, default)
    value = value if isinstance(value, tuple) else (value,)
    if not value or not all(isinstance(number, int) for number in value):
        raise ValueError(f"tag {tag} is no number")
    return value


def _one(tags: ImageFileDirectory_v2, tag: int, default: int) -> int:
    return _many(tags, tag, default)[0]
