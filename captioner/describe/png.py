"""The XMP of a PNG: one chunk."""

import struct
import zlib

from captioner.describe.errors import Refused
from captioner.describe.parts import Parts

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"XML:com.adobe.xmp\0"
LARGEST = 1 << 24  # bytes of a decompressed packet
# Keywords of other chunks with XMP.
ELSEWHERE = (KEYWORD, b"Raw profile type xmp\0")


class Png(Parts):
    """PNG: chunks with a length, a kind, data and a checksum."""

    def split(self, content: bytes) -> tuple[list[bytes], bytes]:
        parts, place = [SIGNATURE], len(SIGNATURE)
        while parts[-1][4:8] != b"IEND":
            length = 12 + int.from_bytes(content[place : place + 4])
            parts.append(content[place : place + length])
            if len(parts[-1]) < length:
                raise Refused("it is damaged or cut short")
            place += length
        return parts, content[place:]

    def packet_of(self, part: bytes) -> bytes | None:
        kind, data = part[4:8], part[8:-4]
        if kind == b"iTXt" and data.startswith(KEYWORD):
            return _unpacked(data.removeprefix(KEYWORD))
        if kind in (b"tEXt", b"zTXt") and data.startswith(ELSEWHERE):
            raise Refused("its XMP is in a chunk that only few programs read")
        return None

    def part_of(self, packet: bytes) -> bytes:
        data = b"iTXt" + KEYWORD + bytes(4) + packet  # not compressed, no language
        return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))

    def place_for_packet(self, parts: list[bytes]) -> int:
        kinds = [part[4:8] for part in parts]
        if b"IDAT" not in kinds:
            raise Refused("it is damaged")
        return kinds.index(b"IDAT")

    def is_signed(self, part: bytes) -> bool:
        return part[4:8] == b"caBX"


def _unpacked(data: bytes) -> bytes:
    """The packet in the data after the keyword of a chunk."""
    *names, text = data[2:].split(b"\0", 2)  # the language and the translated keyword
    if len(names) != 2:
        raise Refused("its XMP is broken (its chunk is too short)")
    if data[:1] != b"\1":
        return text
    try:
        unpacked = zlib.decompressobj()
        packet = unpacked.decompress(text, LARGEST)
    except zlib.error as error:
        raise Refused(f"its XMP is broken ({error})") from error
    if not unpacked.eof:
        raise Refused("its XMP is broken (its chunk is too long, or cut short)")
    return packet
