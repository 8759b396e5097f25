"""Reads captions in EXIF, IPTC and comments, XMP packets, orientations and pages of image files."""

import contextlib
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile, ImageSequence, IptcImagePlugin

from captioner.data.decoding import FORMATS, ORIENTATION, TURNS

IMAGE_DESCRIPTION, XP_COMMENT, EXIF_IFD, USER_COMMENT = 0x010E, 0x9C9C, 0x8769, 0x9286
IPTC_CAPTION = (2, 120)
PNG_TEXTS = ("Description", "Comment")
# Encodings of a user comment, by its first eight bytes; others are the maker's own.
USER_COMMENTS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp"}
_PACKET = re.compile(rb"<x:xmpmeta.*</x:xmpmeta>", re.DOTALL)
# Texts of cameras and programs, in the place of a caption.
_DEFAULTS = re.compile(
    r"[\w ]*DIGITAL (STILL )?CAMERA|SONY DSC|SAMSUNG.*|OLYMPUS|Exif_JPEG_PICTURE|DCIM\\.*|AppleMark"
    r"|Screenshot|default|binary comment|charset=Ascii|(dav|cof|r?hdr|sdr|mde|oznor|nor|edf)"
    r"|Created with (The )?GIMP.*|CREATOR: gd-jpeg.*|File written by Adobe.*|LEAD Technologies.*"
    r"|Lavc[\d.]+|Intel\(R\) JPEG Library.*|Optimized by .*|Compressed by .*|Processed By .*"
    r"|ImageJ=.*|\{.*\"shape\".*\}|[^1-9A-Za-z\x80-\U0010ffff]*",
    re.DOTALL | re.IGNORECASE,
)


def captions_of(content: bytes) -> list[str]:
    """The captions of an image in EXIF, IPTC, comments and PNG texts.

    Blank and binary texts, and those that cameras and programs write by themselves, are left out.

    Args:
        content: the bytes of the file.
    """
    image = _opened(content)
    if image is None:
        return []
    texts = (" ".join(text.replace("\0", " ").split()) for text in _texts(image))
    return [text for text in texts if not (_is_binary(text) or _DEFAULTS.fullmatch(text))]


def xmp_of(content: bytes) -> bytes | None:
    """The XMP packet of an image of any format, if it has one."""
    image = _opened(content)
    if image is None:
        return None
    _load_png(image)
    packet = image.info.get("xmp")
    if image.format == "GIF" and (found := _PACKET.search(content)):  # which Pillow does not read
        packet = found[0]
    return packet if isinstance(packet, bytes) else None


def orientation_of(content: bytes) -> int:
    """The EXIF orientation of an image, 1 to 8. 1 if it is unknown."""
    try:
        image = _opened(content)
        orientation = image.getexif().get(ORIENTATION) if image is not None else None
    except Exception:  # damaged metadata, which no program can show
        return 1
    return orientation if orientation in TURNS else 1


def pages_of(content: bytes) -> list[tuple[str, ...]]:
    """The pages or frames of an image: their sizes, and hashes of their pixels.

    The first page that cannot be decoded is the last one, with the kind of the error.
    """
    image = _opened(content)
    pages: list[tuple[str, ...]] = []
    try:
        for page in ImageSequence.Iterator(image) if image is not None else ():
            pixels = np.ascontiguousarray(page)
            pages.append((page.mode, str(pixels.shape), hashlib.sha256(pixels.data).hexdigest()))
    except Exception as error:  # decoders raise many types
        pages.append((type(error).__name__,))
    return pages


def _opened(content: bytes) -> ImageFile.ImageFile | None:
    """An image that is not decoded yet; None where Pillow cannot read it."""
    for name in FORMATS:
        opener, accepts = Image.OPEN[name]
        if accepts is not None and accepts(content[:16]) is True:
            try:
                return opener(io.BytesIO(content), "")
            except Exception:  # as above; another format may have the same first bytes
                continue
    return None


def _load_png(image: ImageFile.ImageFile) -> None:
    """Read the chunks after the pixels of a PNG. Damaged ones are ignored."""
    if image.format == "PNG":
        with contextlib.suppress(Exception):
            image.load()


def _texts(image: ImageFile.ImageFile) -> Iterator[str]:
    _load_png(image)
    for key in ("comment", *PNG_TEXTS):
        yield _decoded(image.info.get(key))
    yield from (_decoded(data) for kind, data in getattr(image, "applist", []) if kind == "COM")
    try:
        exif = image.getexif()
        yield _decoded(exif.get(IMAGE_DESCRIPTION))
        yield _decoded(exif.get(XP_COMMENT), "utf-16-le")
        yield _user_comment(exif.get_ifd(EXIF_IFD).get(USER_COMMENT))
        caption = (IptcImagePlugin.getiptcinfo(image) or {}).get(IPTC_CAPTION)
        yield from map(_decoded, caption if isinstance(caption, list) else [caption])
    except Exception:  # damaged metadata, which no program can show
        return


def _user_comment(value: object) -> str:
    if not isinstance(value, bytes):
        return _decoded(value)
    encoding = USER_COMMENTS.get(value[:8], "utf-8")
    text = value[8:] if value[:8] in USER_COMMENTS or value[:8] == bytes(8) else value
    if encoding == "utf-16" and text[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        # In the byte order of the EXIF data, or not: zeros are the high bytes of most letters.
        encoding = "utf-16-be" if text[::2].count(0) > text[1::2].count(0) else "utf-16-le"
    return _decoded(text, encoding)


def _decoded(value: object, encoding: str = "utf-8") -> str:
    """A text in an encoding, or else in those of old programs."""
    if isinstance(value, tuple):
        value = bytes(n for n in value if isinstance(n, int) and 0 <= n < 256)
    if isinstance(value, str):  # which Pillow has read as Latin-1
        try:
            value = value.encode("latin-1")
        except UnicodeEncodeError:
            return str(value)
    if not isinstance(value, bytes):
        return ""
    for name in (encoding, "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode(name)
    return value.decode("latin-1")


def _is_binary(text: str) -> bool:
    return any(unicodedata.category(c) == "Cc" or c == "\ufffd" for c in text)
