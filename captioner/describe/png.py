"""The XMP of a PNG: one chunk, replaced or inserted; no other byte changes."""

import struct
import zlib

from captioner.describe.errors import Refused

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"XML:com.adobe.xmp\0"
LARGEST = 1 << 24  # of a packet that was compressed
# Other kinds of chunk in which programs have put XMP.
ELSEWHERE = (KEYWORD, b"Raw profile type xmp\0")


def read(content: bytes) -> bytes | None:
    """The XMP packet of a PNG, if it has one.

    Raises:
        Refused: the PNG is damaged, or its XMP is of another kind.
    """
    found = []
    for kind, data in _chunks(content):
        if _is_xmp(kind, data):
            found.append(_packet(data))
        elif kind in (b"tEXt", b"zTXt", b"iTXt") and data.startswith(ELSEWHERE):
            raise Refused("its XMP is in a chunk that only few programs read")
    if len(found) > 1:
        raise Refused(f"its XMP is broken ({len(found)} packets)")
    return found[0] if found else None


def write(content: bytes, packet: bytes | None) -> bytes:
    """A PNG with another packet; None for none.

    Raises:
        Refused: the PNG is damaged or signed.
    """
    data = KEYWORD + bytes(4) + (packet or b"")  # neither compressed, nor translated
    new = b"" if packet is None else _chunk(b"iTXt", data)
    chunks = _chunks(content)
    if any(kind == b"caBX" for kind, _ in chunks):
        raise Refused("it is signed with Content Credentials")
    place = next((i for i, chunk in enumerate(chunks) if _is_xmp(*chunk)), None)
    if place is None:
        place = next((i for i, (kind, _) in enumerate(chunks) if kind == b"IDAT"), None)
    if place is None:
        raise Refused("it is damaged")
    offset = len(SIGNATURE) + sum(12 + len(data) for _, data in chunks[:place])
    old = 12 + len(chunks[place][1]) if _is_xmp(*chunks[place]) else 0
    return content[:offset] + new + content[offset + old :]


def is_same(before: bytes, after: bytes) -> bool:
    """Whether two PNGs differ in nothing but their packets."""
    rests = []
    for content in (before, after):
        chunks = _chunks(content)
        end = len(SIGNATURE) + sum(12 + len(data) for _, data in chunks)
        rests.append(([chunk for chunk in chunks if not _is_xmp(*chunk)], content[end:]))
    return rests[0] == rests[1]


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """The kinds and the data of the chunks up to the last one."""
    chunks: list[tuple[bytes, bytes]] = []
    place = len(SIGNATURE)
    while not chunks or chunks[-1][0] != b"IEND":
        if place + 12 > len(content):
            raise Refused("it is damaged or cut short")
        length, kind = struct.unpack_from(">I4s", content, place)
        if place + 12 + length > len(content):
            raise Refused("it is damaged or cut short")
        chunks.append((kind, content[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def _is_xmp(kind: bytes, data: bytes) -> bool:
    return kind == b"iTXt" and data.startswith(KEYWORD)


def _packet(data: bytes) -> bytes:
    compressed, rest = data[len(KEYWORD) : len(KEYWORD) + 1], data[len(KEYWORD) + 2 :]
    *names, text = rest.split(b"\0", 2)  # the language and the translated keyword
    if len(names) != 2:
        raise Refused("its XMP is broken (its chunk is too short)")
    if compressed != b"\1":
        return text
    try:
        unpacked = zlib.decompressobj()
        packet = unpacked.decompress(text, LARGEST)
    except zlib.error as error:
        raise Refused(f"its XMP is broken ({error})") from error
    if not unpacked.eof:
        raise Refused("its XMP is broken (its chunk is too long, or cut short)")
    return packet
