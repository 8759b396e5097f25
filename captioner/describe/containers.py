"""File formats that can contain an XMP packet."""

from captioner.data.metadata import pages_of
from captioner.describe.errors import Refused
from captioner.describe.jpeg import Jpeg
from captioner.describe.parts import Parts
from captioner.describe.png import SIGNATURE, Png
from captioner.describe.tiff_tags import Tiff
from captioner.describe.webp import WebP
from captioner.describe.xmp import EMPTY, Packet


class Sidecar:
    """A file that consists of a packet."""

    def read(self, content: bytes) -> bytes | None:
        """The content itself; an empty file has no packet."""
        return content or None

    def write(self, content: bytes, packet: bytes | None) -> bytes:
        """The packet."""
        return packet or b""

    def is_same(self, before: bytes, after: bytes) -> bool:
        """Always true, because a sidecar contains only the packet."""
        return True


Container = Parts | Tiff | Sidecar


def container_of(content: bytes) -> Container:
    """The container for the format of an image file.

    Raises:
        Refused: the format cannot contain XMP.
    """
    if content.startswith(b"\xff\xd8\xff"):
        return Jpeg()
    if content.startswith(SIGNATURE):
        return Png()
    if content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return Tiff()
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return WebP()
    raise Refused("files of this format hold no XMP")


def verify(container: Container, before: bytes, after: bytes) -> None:
    """Check that a change affects only the captions of this program.

    Args:
        container: the format of the file.
        before: the old content.
        after: the new content.

    Raises:
        Refused: other data would change.
    """
    old, new = container.read(before) or EMPTY, container.read(after) or EMPTY
    if not container.is_same(before, after):
        raise Refused("other parts of it would change")
    if Packet(old).others() != Packet(new).others():
        raise Refused("other properties in its XMP would change")
    if pages_of(before) != pages_of(after):
        raise Refused("its pictures would change")
