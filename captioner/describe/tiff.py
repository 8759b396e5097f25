"""The XMP of a TIFF: a tag of its first page. Nothing that is in the file moves.

A packet that is larger than the one before goes to the end of the file, with a copy of the first
directory that refers to it. All other pages, pictures and tags stay at their places.
"""

import struct
from typing import NamedTuple

from captioner.describe.errors import Refused

XMP, C2PA = 700, 0xCD41
BYTE, UNDEFINED = 1, 7


class _Directory(NamedTuple):
    """The first directory of a TIFF.

    Attributes:
        order: "<" or ">".
        big: whether it is a BigTIFF.
        place: of the directory in the file.
        entries: its tags, as they are in the file.
        tail: the place of the second directory, as it is in the file.
    """

    order: str
    big: bool
    place: int
    entries: list[bytes]
    tail: bytes

    @property
    def number(self) -> struct.Struct:
        """Of a place in the file."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    def tag(self, entry: bytes) -> int:
        """The number of a tag."""
        return int(struct.unpack_from(self.order + "H", entry)[0])

    @property
    def xmp(self) -> list[bytes]:
        """The entries of the XMP."""
        return [entry for entry in self.entries if self.tag(entry) == XMP]

    def span(self, entry: bytes) -> tuple[int, int]:
        """The place and the end of the XMP of an entry."""
        kind = struct.unpack_from(self.order + "H", entry, 2)[0]
        length, place = (self.number.unpack_from(entry, at)[0] for at in _fields(self.big))
        if kind not in (BYTE, UNDEFINED) or length <= self.number.size:
            raise Refused("its XMP is broken (its tag is of another type)")
        return place, place + length

    def to_bytes(self, entries: list[bytes]) -> bytes:
        """The directory with other tags."""
        count = struct.pack(self.order + ("Q" if self.big else "H"), len(entries))
        ordered = sorted(entries, key=self.tag)
        return count + b"".join(ordered) + self.tail


def read(content: bytes) -> bytes | None:
    """The XMP packet of a TIFF, if it has one.

    Raises:
        Refused: the TIFF is damaged.
    """
    directory = _directory(content)
    if len(directory.xmp) > 1:
        raise Refused(f"its XMP is broken ({len(directory.xmp)} packets)")
    if not directory.xmp:
        return None
    start, end = directory.span(directory.xmp[0])
    if end > len(content):
        raise Refused("it is damaged or cut short")
    return content[start:end]


def write(content: bytes, packet: bytes | None) -> bytes:
    """A TIFF with another packet; None for none.

    Raises:
        Refused: the TIFF is signed, or would be too large for its format.
    """
    directory = _directory(content)
    if any(directory.tag(entry) == C2PA for entry in directory.entries):
        raise Refused("it is signed with Content Credentials")
    changed = bytearray(content)
    others = [entry for entry in directory.entries if directory.tag(entry) != XMP]
    spans = [directory.span(entry) for entry in directory.xmp]
    if packet is not None and spans and spans[0][1] - spans[0][0] == len(packet):
        changed[slice(*spans[0])] = packet
        return bytes(changed)
    for start, end in spans:  # no copy of what is taken out is left behind
        changed[start:end] = bytes(end - start)
    if packet is None:
        shorter = directory.to_bytes(others)
        changed[directory.place : directory.place + len(shorter)] = shorter
        return bytes(changed)
    changed += bytes(-len(changed) % 8)
    header = struct.pack(directory.order + "HH", XMP, BYTE)
    try:
        entry = header + b"".join(map(directory.number.pack, (len(packet), len(changed))))
        changed += packet + bytes(-len(packet) % 8)
        directory.number.pack_into(changed, _first(directory.big), len(changed))
    except struct.error as error:
        raise Refused("it would be larger than 4 GB") from error
    return bytes(changed + directory.to_bytes([*others, entry]))


def is_same(before: bytes, after: bytes) -> bool:
    """Whether two TIFFs differ in nothing but their packets, their first directory and the end."""
    directories = [_directory(before), _directory(after)]
    tags = [
        sorted(entry for entry in directory.entries if directory.tag(entry) != XMP)
        for directory in directories
    ]
    old, new = directories
    first = _first(old.big)
    spans = [
        (first, first + old.number.size),
        (old.place, old.place + len(old.to_bytes(old.entries))),
    ]
    spans += [old.span(entry) for entry in old.xmp]
    rests = [bytearray(before), bytearray(after[: len(before)])]
    for start, end in spans:
        for rest in rests:
            rest[start:end] = bytes(end - start)
    return tags[0] == tags[1] and old.tail == new.tail and rests[0] == rests[1]


def _first(big: bool) -> int:
    """Where the place of the first directory is."""
    return 8 if big else 4


def _fields(big: bool) -> tuple[int, int]:
    """Where an entry has its count and its place."""
    return (4, 12) if big else (4, 8)


def _directory(content: bytes) -> _Directory:
    order = "<" if content.startswith(b"II") else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    number, count, size = ("Q", "Q", 20) if big else ("I", "H", 12)
    try:
        (place,) = struct.unpack_from(order + number, content, _first(big))
        (entries,) = struct.unpack_from(order + count, content, place)
    except (struct.error, OverflowError) as error:
        raise Refused("it is damaged or cut short") from error
    start = place + struct.calcsize(order + count)
    end = start + size * entries
    tail = content[end : end + struct.calcsize(order + number)]
    if not entries or len(tail) < struct.calcsize(order + number):
        raise Refused("it is damaged or cut short")
    found = [content[at : at + size] for at in range(start, end, size)]
    return _Directory(order, big, place, found, tail)
