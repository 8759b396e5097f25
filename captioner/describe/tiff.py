"""The XMP of a TIFF: a tag of its first page. Nothing that is in the file moves.

A packet that is larger than the one before goes to the end of the file, with a copy of the first
directory that refers to it. All other pages, pictures and tags stay at their places.
"""

import struct

from captioner.describe.errors import SIGNED, Refused, only

XMP, C2PA = 700, 0xCD41
BYTE, UNDEFINED = 1, 7


class _Directory:
    """The first directory of a TIFF.

    Attributes:
        number: the format of a place in the file.
        entry: the format of a tag: its number, type, length and place.
        reference: where the place of the directory is.
        place: where the directory is.
        end: where it ends.
        others: its tags but for the XMP, as they are in the file.
        spans: where each XMP begins and ends.
        tail: the place of the second directory, as it is in the file.
    """

    def __init__(self, content: bytes) -> None:
        order = "<" if content.startswith(b"II") else ">"
        self.reference, number, count = (
            (8, "Q", "Q") if content[2:4] in (b"+\0", b"\0+") else (4, "I", "H")
        )
        self.number, self._count = struct.Struct(order + number), struct.Struct(order + count)
        self.entry = struct.Struct(f"{order}HH{number}{number}")
        try:
            (self.place,) = self.number.unpack_from(content, self.reference)
            (entries,) = self._count.unpack_from(content, self.place)
        except (struct.error, OverflowError) as error:
            raise Refused("it is damaged or cut short") from error
        start = self.place + self._count.size
        end = start + self.entry.size * entries
        self.end = end + self.number.size
        self.tail = content[end : self.end]
        if not entries or len(self.tail) < self.number.size:
            raise Refused("it is damaged or cut short")
        found = [content[at : at + self.entry.size] for at in range(start, end, self.entry.size)]
        self.others = [entry for entry in found if self.tag(entry) != XMP]
        self.spans = [self._span(entry) for entry in found if self.tag(entry) == XMP]

    def tag(self, entry: bytes) -> int:
        """The number of a tag."""
        return int(self.entry.unpack(entry)[0])

    def with_tags(self, *more: bytes) -> bytes:
        """The directory with other tags in the place of the XMP."""
        entries = sorted([*self.others, *more], key=self.tag)
        return self._count.pack(len(entries)) + b"".join(entries) + self.tail

    def _span(self, entry: bytes) -> tuple[int, int]:
        _, kind, length, place = self.entry.unpack(entry)
        if kind not in (BYTE, UNDEFINED) or length <= self.number.size:
            raise Refused("its XMP is broken (its tag is of another type)")
        return place, place + length


class Tiff:
    """TIFF and BigTIFF: directories of tags."""

    def read(self, content: bytes) -> bytes | None:
        """The XMP packet of a TIFF, if it has one.

        Raises:
            Refused: the TIFF is damaged.
        """
        spans = _Directory(content).spans
        if any(end > len(content) for _, end in spans):
            raise Refused("it is damaged or cut short")
        return only([content[start:end] for start, end in spans])

    def write(self, content: bytes, packet: bytes | None) -> bytes:
        """A TIFF with another packet; None for none.

        Raises:
            Refused: the TIFF is signed, or would be too large for its format.
        """
        directory = _Directory(content)
        if C2PA in map(directory.tag, directory.others):
            raise Refused(SIGNED)
        changed = bytearray(content)
        for start, end in directory.spans:
            if packet is not None and end - start == len(packet):
                changed[start:end] = packet
                return bytes(changed)
            changed[start:end] = bytes(end - start)  # no copy of what is taken out is left behind
        if packet is None:
            shorter = directory.with_tags()
            changed[directory.place : directory.place + len(shorter)] = shorter
            return bytes(changed)
        changed += bytes(-len(changed) % 8)
        try:
            entry = directory.entry.pack(XMP, BYTE, len(packet), len(changed))
            changed += packet + bytes(-len(packet) % 8)
            directory.number.pack_into(changed, directory.reference, len(changed))
        except struct.error as error:
            raise Refused("it would be larger than 4 GB") from error
        return bytes(changed + directory.with_tags(entry))

    def is_same(self, before: bytes, after: bytes) -> bool:
        """Whether two differ in nothing but their packets, first directories and ends."""
        old, new = _Directory(before), _Directory(after)
        rests = [bytearray(before), bytearray(after[: len(before)])]
        for rest in rests:
            reference = (old.reference, old.reference + old.number.size)
            for start, end in [reference, (old.place, old.end), *old.spans]:
                rest[start:end] = bytes(end - start)
        others = [(sorted(directory.others), directory.tail) for directory in (old, new)]
        return others[0] == others[1] and rests[0] == rests[1]
