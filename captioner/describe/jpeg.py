"""The XMP of a JPEG: one segment, replaced or inserted; no other byte changes but offsets of MPF.

MPF (Multi-Picture Format) lists pictures that lie after the first one, such as gain maps and depth,
by their distance from a header. Where the segment moves them, the list is corrected.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from captioner.describe.errors import Refused

XMP, EXTENSION = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
EXIF, JFIF, MPF = b"Exif\0\0", (b"JFIF\0", b"JFXX\0"), b"MPF\0"
APP0, APP1, APP2, APP11, SOS = 0xE0, 0xE1, 0xE2, 0xEB, 0xDA
LARGEST = 0xFFFF - 2  # of what a segment holds
MP_ENTRY = 0xB002


@dataclass(frozen=True)
class _Segment:
    """A part of a file before its first scan: `file[start:end]`, whose content is at `data`."""

    marker: int
    start: int
    data: int
    end: int


def read(content: bytes) -> bytes | None:
    """The XMP packet of a JPEG, if it has one.

    Raises:
        Refused: the JPEG is damaged, or another part of its XMP holds captions.
    """
    segments = _segments(content)
    extension = b""
    for segment in segments:
        data = content[segment.data : segment.end]
        if segment.marker == APP1 and data.startswith(EXTENSION):
            extension += data[len(EXTENSION) + 40 :]  # after its hash, length and place
    if b":description" in extension or b"AltTextAccessibility" in extension:
        raise Refused("its XMP is in several parts, of which another one holds captions")
    found = _of(content, segments, APP1, XMP)
    if len(found) > 1:
        raise Refused(f"its XMP is broken ({len(found)} packets)")
    return content[found[0].data + len(XMP) : found[0].end] if found else None


def write(content: bytes, packet: bytes | None) -> bytes:
    """A JPEG with another packet; None for none.

    Raises:
        Refused: there is no room for it, the JPEG is signed, or maker notes would lose a picture.
    """
    segments = _segments(content)
    if any(b"c2pa" in content[s.data : s.end] for s in segments if s.marker == APP11):
        raise Refused("it is signed with Content Credentials")
    new = b""
    if packet is not None:
        if len(XMP) + len(packet) > LARGEST:
            raise Refused("its XMP is full")
        new = struct.pack(">BBH", 0xFF, APP1, 2 + len(XMP) + len(packet)) + XMP + packet
    if found := _of(content, segments, APP1, XMP):
        start, end = found[0].start, found[0].end
    else:
        start = end = _place_for_xmp(content, segments)
    changed = bytearray(content[:start] + new + content[end:])
    grown = len(changed) - len(content)
    if grown:
        _check_maker_notes(content, segments, start)
    for mpf in _of(content, segments, APP2, MPF):
        _correct(content, changed, mpf, end)
    return bytes(changed)


def is_same(before: bytes, after: bytes) -> bool:
    """Whether two JPEGs differ in nothing but their packets and the offsets of their pictures."""
    rests = []
    for content in (before, after):
        segments = _segments(content)
        left_out = {*_of(content, segments, APP1, XMP), *_of(content, segments, APP2, MPF)}
        kept = [content[s.start : s.end] for s in segments if s not in left_out]
        rests.append([*kept, content[segments[-1].end :], *_pictures(content, segments)])
    return rests[0] == rests[1]


def _segments(content: bytes) -> list[_Segment]:
    """What comes before the first scan, the header of the scan included."""
    segments: list[_Segment] = []
    place = 2
    while not segments or segments[-1].marker != SOS:
        start = place
        while content[place : place + 2] == b"\xff\xff":  # fill bytes
            place += 1
        marker, length = content[place + 1 : place + 2], content[place + 2 : place + 4]
        end = place + 2 + int.from_bytes(length)
        if content[place : place + 1] != b"\xff" or marker < b"\xc0" or b"\xd0" <= marker < b"\xda":
            raise Refused("it is damaged")
        if len(length) < 2 or int.from_bytes(length) < 2 or end > len(content):
            raise Refused("it is damaged or cut short")
        segments.append(_Segment(marker[0], start, place + 4, end))
        place = end
    return segments


def _of(content: bytes, segments: list[_Segment], marker: int, *prefixes: bytes) -> list[_Segment]:
    return [s for s in segments if s.marker == marker and content.startswith(prefixes, s.data)]


def _place_for_xmp(content: bytes, segments: list[_Segment]) -> int:
    """After JFIF and EXIF, which readers expect first, and before MPF, which then stays right."""
    place = segments[0].start
    for segment in segments:
        if segment.marker == APP2 and content.startswith(MPF, segment.data):
            break
        if segment.marker == APP0 and content.startswith(JFIF, segment.data):
            place = segment.end
        if segment.marker == APP1 and content.startswith(EXIF, segment.data):
            return segment.end
    return place


def _correct(content: bytes, changed: bytearray, mpf: _Segment, end: int) -> None:
    """Write into a changed JPEG where the pictures of its MPF are now.

    Args:
        content: the JPEG before.
        changed: the JPEG after.
        mpf: the segment before.
        end: from which byte on everything was moved.
    """
    moved = len(changed) - len(content)
    header = mpf.data + len(MPF)
    header_moved = moved if header >= end else 0
    number = struct.Struct(_order(content, header) + "I")
    for entry, size, distance in _entries(content, mpf):
        if distance == 0:  # the picture that the segments belong to
            number.pack_into(changed, entry + header_moved + 4, size + moved)
        elif header + distance >= end:
            number.pack_into(changed, entry + header_moved + 8, distance + moved - header_moved)


def _entries(content: bytes, mpf: _Segment) -> Iterator[tuple[int, int, int]]:
    """For each picture that MPF lists and that is there, its entry, its size and its distance."""
    header = mpf.data + len(MPF)
    order = _order(content, header)
    try:
        directory = header + struct.unpack_from(order + "I", content, header + 4)[0]
        (count,) = struct.unpack_from(order + "H", content, directory)
        for number in range(count):
            field = directory + 2 + 12 * number
            tag, _, length, place = struct.unpack_from(order + "HHII", content, field)
            if tag == MP_ENTRY:
                if header + place + length > mpf.end or length % 16:
                    raise Refused("its list of pictures (MPF) is damaged")
                for entry in range(header + place, header + place + length, 16):
                    size, distance = struct.unpack_from(order + "II", content, entry + 4)
                    if (distance and header + distance) + size <= len(content):
                        yield entry, size, distance
    except struct.error as error:
        raise Refused("its list of pictures (MPF) is damaged") from error


def _order(content: bytes, header: int) -> str:
    return "<" if content.startswith(b"II", header) else ">"


def _pictures(content: bytes, segments: list[_Segment]) -> list[bytes]:
    """The pictures that MPF lists, but for the first."""
    found = []
    for segment in _of(content, segments, APP2, MPF):
        header = segment.data + len(MPF)
        for _, size, distance in _entries(content, segment):
            if distance:
                found.append(content[header + distance : header + distance + size])
    return found


def _check_maker_notes(content: bytes, segments: list[_Segment], edited: int) -> None:
    """Refuse a JPEG whose EXIF data hold the offset of a picture that would move.

    Some cameras put a preview after the end of the picture, and its offset into their own notes.
    """
    pictures = []
    place = content.find(b"\xff\xd9\xff\xd8\xff", segments[-1].end)
    while place >= 0:
        pictures.append(place + 2)
        place = content.find(b"\xff\xd9\xff\xd8\xff", place + 2)
    for segment in _of(content, segments, APP1, EXIF):
        header = segment.data + len(EXIF)
        data = content[header : segment.end]
        for offset in (picture - header for picture in pictures if segment.start < edited):
            if struct.pack("<I", offset) in data or struct.pack(">I", offset) in data:
                raise Refused("its EXIF data refer to a picture that would move")
