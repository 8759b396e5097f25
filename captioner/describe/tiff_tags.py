"""The XMP of a TIFF: a tag of its first page. No existing data move.

A packet of another size goes to the end of the file, with a new first directory that refers to
it.
"""

import struct

from captioner.describe.errors import SIGNED, Refused, only

XMP, C2PA = 700, 0xCD41
BYTE, UNDEFINED = 1, 7


class _Directory:
    """The first directory of a TIFF.

    Attributes:
        number: the format of an offset.
        entry: the format of a tag: number, type, length, offset.
        reference: the position of the offset of the directory.
        place: the start of the directory.
        end: its end.
        others: its raw tags except XMP.
        spans: start and end of each XMP.
        tail: the raw offset of the second directory.
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
        """The directory with other tags instead of the XMP."""
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
        """The XMP packet of a TIFF, or None.

        Raises:
            Refused: the TIFF is damaged.
        """
        spans = _Directory(content).spans
        if any(end > len(content) for _, end in spans):
            raise Refused("it is damaged or cut short")
        return only([content[start:end] for start, end in spans])

    def write(self, content: bytes, packet: bytes | None) -> bytes:
        """The TIFF with a new packet; None removes it.

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
            changed[start:end] = bytes(end - start)  # erase the old packet
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
        """Whether two files differ only in packets, first directories and ends."""
        old, new = _Directory(before), _Directory(after)
        rests = [bytearray(before), bytearray(after[: len(before)])]
        for rest in rests:
            reference = (old.reference, old.reference + old.number.size)
            for start, end in [reference, (old.place, old.end), *old.spans]:
                rest[start:end] = bytes(end - start)
        others = [(sorted(directory.others), directory.tail) for directory in (old, new)]
        return others[0] == others[1] and rests[0] == rests[1]
