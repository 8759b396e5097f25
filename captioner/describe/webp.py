"""The XMP of a WebP: one chunk, replaced or added; no other byte changes but two headers."""

import struct

from captioner.describe.errors import Refused

HEADER = 12  # bytes: "RIFF", the length, "WEBP"
LEAST = {b"VP8X": 10, b"VP8 ": 10, b"VP8L": 5}  # bytes of the chunks that may come first
ALPHA, XMP = 0x10, 0x04  # flags of VP8X


def read(content: bytes) -> bytes | None:
    """The XMP packet of a WebP, if it has one.

    Raises:
        Refused: the WebP is damaged.
    """
    chunks, _ = _chunks(content)
    found = [data for kind, data in chunks if kind == b"XMP "]
    if len(found) > 1:
        raise Refused(f"its XMP is broken ({len(found)} packets)")
    return found[0] if found else None


def write(content: bytes, packet: bytes | None) -> bytes:
    """A WebP with another packet; None for none.

    Raises:
        Refused: the WebP is damaged or signed.
    """
    chunks, rest = _chunks(content)
    if any(kind == b"C2PA" for kind, _ in chunks):
        raise Refused("it is signed with Content Credentials")
    if chunks[0][0] != b"VP8X":  # without which a WebP has no metadata
        chunks.insert(0, (b"VP8X", _extended(*chunks[0])))
    flags = chunks[0][1][0] & ~XMP | (XMP if packet is not None else 0)
    chunks[0] = (b"VP8X", bytes([flags]) + chunks[0][1][1:])
    kinds = [kind for kind, _ in chunks]
    new = [] if packet is None else [(b"XMP ", packet)]
    place = kinds.index(b"XMP ") if b"XMP " in kinds else len(chunks)
    kept = [chunk for chunk in chunks if chunk[0] != b"XMP "]
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
        for kind, data in [*kept[:place], *new, *kept[place:]]
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body + rest


def is_same(before: bytes, after: bytes) -> bool:
    """Whether two WebPs differ in nothing but their packets and the header that announces them."""
    (old, old_rest), (new, new_rest) = _chunks(before), _chunks(after)
    if old[0][0] != b"VP8X":
        old.insert(0, (b"VP8X", _extended(*old[0])))
    rests = []
    for chunks in (old, new):
        kept = [chunk for chunk in chunks[1:] if chunk[0] != b"XMP "]
        rests.append((chunks[0][1][0] & ~XMP, chunks[0][1][1:], kept))
    return rests[0] == rests[1] and old_rest == new_rest


def _chunks(content: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The kinds and the data of the chunks, and the bytes after them."""
    end = 8 + struct.unpack_from("<I", content, 4)[0]
    if end > len(content):
        raise Refused("it is damaged or cut short")
    chunks = []
    place = HEADER
    while place < end:
        if place + 8 > end:
            raise Refused("it is damaged")
        kind, length = struct.unpack_from("<4sI", content, place)
        if place + 8 + length > end:
            raise Refused("it is damaged")
        chunks.append((kind, content[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    if not chunks or len(chunks[0][1]) < LEAST.get(chunks[0][0], len(content)):
        raise Refused("it is damaged")
    return chunks, content[end:]


def _extended(kind: bytes, data: bytes) -> bytes:
    """The header VP8X of a picture that has none."""
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        flags = ALPHA if bits >> 28 & 1 else 0
        width, height = bits & 0x3FFF, bits >> 14 & 0x3FFF  # both less 1
    else:
        flags = 0
        width, height = (
            (int.from_bytes(data[place : place + 2], "little") & 0x3FFF) - 1 for place in (6, 8)
        )
    if min(width, height) < 0:
        raise Refused("it is damaged")
    return struct.pack("<I", flags) + width.to_bytes(3, "little") + height.to_bytes(3, "little")
