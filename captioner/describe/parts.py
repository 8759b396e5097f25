"""Image files that consist of parts (chunks or segments); one part can be an XMP packet."""

from abc import ABC, abstractmethod

from captioner.describe.errors import SIGNED, Refused, only


class Parts(ABC):
    """A file format that consists of parts."""

    @abstractmethod
    def split(self, content: bytes) -> tuple[list[bytes], bytes]:
        """The parts of a file, and the bytes after them.

        Raises:
            Refused: the file is damaged.
        """

    @abstractmethod
    def packet_of(self, part: bytes) -> bytes | None:
        """The packet in a part, or None."""

    @abstractmethod
    def part_of(self, packet: bytes) -> bytes:
        """The part with a packet."""

    @abstractmethod
    def place_for_packet(self, parts: list[bytes]) -> int:
        """The index for a new packet."""

    @abstractmethod
    def is_signed(self, part: bytes) -> bool:
        """Whether a part is a signature of the file."""

    def join(self, parts: list[bytes], rest: bytes) -> bytes:
        """The file with these parts, and the bytes after them."""
        return b"".join([*parts, rest])

    def read(self, content: bytes) -> bytes | None:
        """The XMP packet of a file, or None.

        Raises:
            Refused: the file or its XMP is damaged.
        """
        parts, _ = self.split(content)
        return only([packet for packet in map(self.packet_of, parts) if packet is not None])

    def write(self, content: bytes, packet: bytes | None) -> bytes:
        """The file with a new packet; None removes it.

        Raises:
            Refused: the file is damaged or signed, or has no room for the packet.
        """
        parts, rest = self.split(content)
        if any(map(self.is_signed, parts)):
            raise Refused(SIGNED)
        held = [i for i, part in enumerate(parts) if self.packet_of(part) is not None]
        place = held[0] if held else self.place_for_packet(parts)
        parts[place : place + len(held)] = [] if packet is None else [self.part_of(packet)]
        return self.join(parts, rest)

    def is_same(self, before: bytes, after: bytes) -> bool:
        """Whether two files differ only in their packets."""
        return self.others(before) == self.others(after)

    def others(self, content: bytes) -> list[bytes]:
        """Everything but the packet."""
        parts, rest = self.split(content)
        return [*(part for part in parts if self.packet_of(part) is None), rest]
