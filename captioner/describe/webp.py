"""The XMP of a WebP: one chunk, and a flag in the header."""

import struct

from captioner.describe.errors import Refused
from captioner.describe.parts import Parts

HEADER = 12  # bytes: "RIFF", the length, "WEBP"
LEAST = {b"VP8X": 10, b"VP8 ": 10, b"VP8L": 5}  # minimum bytes of the first chunk
ALPHA, XMP = 0x10, 0x04  # flags of VP8X


class WebP(Parts):
    """WebP: chunks with a kind, a length and data."""

    def split(self, content: bytes) -> tuple[list[bytes], bytes]:
        """Split; the first part is always VP8X, with the XMP flag cleared."""
        end = 8 + int.from_bytes(content[4:8], "little")
        parts, place = list[bytes](), HEADER
        while place < end:
            length = int.from_bytes(content[place + 4 : place + 8], "little")
            part = content[place : place + 8 + length]
            least = 0 if parts else LEAST.get(part[:4], end)
            if length < least or len(part) < 8 + length or place + len(part) > end:
                raise Refused("it is damaged or cut short")
            parts.append(part + bytes(length % 2))
            place += len(parts[-1])
        if end > len(content) or not parts:
            raise Refused("it is damaged or cut short")
        if not parts[0].startswith(b"VP8X"):  # required for metadata
            parts.insert(0, _extended(parts[0][:4], parts[0][8:]))
        parts[0] = _flagged(parts[0], False)
        return parts, content[end:]

    def join(self, parts: list[bytes], rest: bytes) -> bytes:
        has_packet = any(self.packet_of(part) is not None for part in parts)
        body = b"".join([b"WEBP", _flagged(parts[0], has_packet), *parts[1:]])
        return b"RIFF" + struct.pack("<I", len(body)) + body + rest

    def packet_of(self, part: bytes) -> bytes | None:
        kind, length = struct.unpack_from("<4sI", part)
        return part[8 : 8 + length] if kind == b"XMP " else None

    def part_of(self, packet: bytes) -> bytes:
        return b"XMP " + struct.pack("<I", len(packet)) + packet + bytes(len(packet) % 2)

    def place_for_packet(self, parts: list[bytes]) -> int:
        return len(parts)

    def is_signed(self, part: bytes) -> bool:
        return part.startswith(b"C2PA")


def _flagged(header: bytes, has_packet: bool) -> bytes:
    """A chunk VP8X with the XMP flag set or cleared."""
    flags = header[8] | XMP if has_packet else header[8] & ~XMP
    return header[:8] + bytes([flags]) + header[9:]


def _extended(kind: bytes, data: bytes) -> bytes:
    """A new chunk VP8X for a picture."""
    flags = 0
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        flags = ALPHA if bits >> 28 & 1 else 0
        sides = [bits & 0x3FFF, bits >> 14 & 0x3FFF]  # width and height, minus 1
    else:
        sides = [(side & 0x3FFF) - 1 for side in struct.unpack_from("<HH", data, 6)]
    if min(sides) < 0:
        raise Refused("it is damaged")
    size = b"".join(side.to_bytes(3, "little") for side in sides)
    return b"VP8X" + struct.pack("<II", 10, flags) + size
