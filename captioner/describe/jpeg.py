"""The XMP of a JPEG: one segment. Only this segment and the offsets in MPF change.

MPF (Multi-Picture Format) lists further pictures, such as gain maps and depth maps, by their
distance from a header. If the new segment moves them, the list is corrected.
"""

import re
import struct
from collections.abc import Iterator

from captioner.describe.errors import Refused
from captioner.describe.parts import Parts

XMP, EXTENSION = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
EXIF, JFIF, MPF = b"Exif\0\0", (b"JFIF\0", b"JFXX\0"), b"MPF\0"
APP0, APP1, APP2, APP11, SOS = 0xE0, 0xE1, 0xE2, 0xEB, 0xDA
LARGEST = 0xFFFF - 2  # bytes of data in a segment
MP_ENTRY = 0xB002


class Jpeg(Parts):
    """JPEG: segments with a marker, a length and data, up to the header of the first scan."""

    def split(self, content: bytes) -> tuple[list[bytes], bytes]:
        parts, place = [content[:2]], 2
        while _marker(parts[-1]) != SOS:
            start = place
            while content[place : place + 2] == b"\xff\xff":  # fill bytes
                place += 1
            marker, length = content[place : place + 2], content[place + 2 : place + 4]
            if not b"\xff\xc0" <= marker < b"\xff\xff" or b"\xff\xd0" <= marker < b"\xff\xda":
                raise Refused("it is damaged")
            place += 2 + int.from_bytes(length)
            if len(length) < 2 or length < b"\0\2" or place > len(content):
                raise Refused("it is damaged or cut short")
            parts.append(content[start:place])
        return parts, content[place:]

    def packet_of(self, part: bytes) -> bytes | None:
        return _data(part).removeprefix(XMP) if _is(part, APP1, XMP) else None

    def part_of(self, packet: bytes) -> bytes:
        if len(XMP) + len(packet) > LARGEST:
            raise Refused("its XMP is full")
        return struct.pack(">BBH", 0xFF, APP1, 2 + len(XMP) + len(packet)) + XMP + packet

    def place_for_packet(self, parts: list[bytes]) -> int:
        """After JFIF and EXIF, which readers expect first, and before MPF."""
        place = 1
        for number, part in enumerate(parts):
            if _is(part, APP2, MPF):
                break
            if _is(part, APP0, *JFIF):
                place = number + 1
            if _is(part, APP1, EXIF):
                return number + 1
        return place

    def is_signed(self, part: bytes) -> bool:
        return _is(part, APP11, b"") and b"c2pa" in part

    def read(self, content: bytes) -> bytes | None:
        """Also refuse captions in extended XMP."""
        parts, _ = self.split(content)
        # The data follow a hash, a length and an offset.
        pieces = [
            _data(part)[len(EXTENSION) + 40 :] for part in parts if _is(part, APP1, EXTENSION)
        ]
        extension = b"".join(pieces)
        if b":description" in extension or b"AltTextAccessibility" in extension:
            raise Refused("its XMP is in several parts, of which another one holds captions")
        return super().read(content)

    def write(self, content: bytes, packet: bytes | None) -> bytes:
        """Also correct MPF, and refuse to move pictures that maker notes refer to."""
        changed = bytearray(super().write(content, packet))
        (before, rest), (after, _) = self.split(content), self.split(bytes(changed))
        moved = len(changed) - len(content)
        for (old, end), (new, _) in zip(_bodies(before, EXIF), _bodies(after, EXIF), strict=True):
            if moved and old == new:
                _check_maker_notes(content[old:end], old, content, len(content) - len(rest))
        for (old, end), (new, _) in zip(_bodies(before, MPF), _bodies(after, MPF), strict=True):
            number = struct.Struct(_order(content, old) + "I")
            for entry, size, distance in _entries(content, old, end):
                place = entry + new - old
                if distance == 0:  # the first picture
                    number.pack_into(changed, place + 4, size + moved)
                elif old + distance >= len(content) - len(rest):
                    number.pack_into(changed, place + 8, distance + moved - (new - old))
        return bytes(changed)

    def others(self, content: bytes) -> list[bytes]:
        """Everything except the packet and MPF, plus the pictures in MPF."""
        parts, _ = self.split(content)
        pictures = [
            content[header + distance : header + distance + size]
            for header, end in _bodies(parts, MPF)
            for _, size, distance in _entries(content, header, end)
            if distance
        ]
        return [part for part in super().others(content) if not _is(part, APP2, MPF)] + pictures


def _marker(part: bytes) -> int:
    return part.lstrip(b"\xff")[0]


def _data(part: bytes) -> bytes:
    return part.lstrip(b"\xff")[3:]


def _is(part: bytes, marker: int, *prefixes: bytes) -> bool:
    """Whether a segment has this marker and one of these prefixes."""
    return _marker(part) == marker and _data(part).startswith(prefixes)


def _bodies(parts: list[bytes], prefix: bytes) -> Iterator[tuple[int, int]]:
    """The start and end of the data after the prefix, for each segment of EXIF or MPF.

    Offsets in these data count from the start.
    """
    end = 0
    for part in parts:
        end += len(part)
        if _is(part, APP1 if prefix == EXIF else APP2, prefix):
            yield end - len(_data(part)) + len(prefix), end


def _entries(content: bytes, header: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The entry, size and distance of each picture in MPF that the file contains."""
    order = _order(content, header)
    try:
        directory = header + struct.unpack_from(order + "I", content, header + 4)[0]
        (count,) = struct.unpack_from(order + "H", content, directory)
        for field in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, _, length, place = struct.unpack_from(order + "HHII", content, field)
            if tag == MP_ENTRY:
                if header + place + length > end or length % 16:
                    raise Refused("its list of pictures (MPF) is damaged")
                for entry in range(header + place, header + place + length, 16):
                    size, distance = struct.unpack_from(order + "II", content, entry + 4)
                    if (distance and header + distance) + size <= len(content):
                        yield entry, size, distance
    except struct.error as error:
        raise Refused("its list of pictures (MPF) is damaged") from error


def _order(content: bytes, header: int) -> str:
    return "<" if content.startswith(b"II", header) else ">"


def _check_maker_notes(exif: bytes, header: int, content: bytes, scan: int) -> None:
    """Refuse a JPEG if its EXIF data contain the offset of a picture that would move.

    Some cameras write a preview after the picture, and its offset into the maker notes.
    """
    for found in re.finditer(rb"\xff\xd9(?=\xff\xd8\xff)", content[scan:]):
        offset = scan + found.end() - header
        if struct.pack("<I", offset) in exif or struct.pack(">I", offset) in exif:
            raise Refused("its EXIF data refer to a picture that would move")
