"""Image files as places of an XMP packet."""

from captioner.data.metadata import pages_of
from captioner.describe.errors import Refused
from captioner.describe.jpeg import Jpeg
from captioner.describe.parts import Parts
from captioner.describe.png import SIGNATURE, Png
from captioner.describe.tiff import Tiff
from captioner.describe.webp import WebP
from captioner.describe.xmp import EMPTY, Packet


class Sidecar:
    """A file that is a packet."""

    def read(self, content: bytes) -> bytes | None:
        """The content itself; an empty file has no packet."""
        return content or None

    def write(self, content: bytes, packet: bytes | None) -> bytes:
        """The packet."""
        return packet or b""

    def is_same(self, before: bytes, after: bytes) -> bool:
        """There is nothing else."""
        return True


Container = Parts | Tiff | Sidecar  # what holds a packet


def container_of(content: bytes) -> Container:
    """The kind of an image file.

    Raises:
        Refused: it is of a kind that holds no packet.
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
    """Check that a change touched nothing but our own properties.

    Args:
        container: the kind of the file.
        before: the content.
        after: the content with the change.

    Raises:
        Refused: it did.
    """
    old, new = container.read(before) or EMPTY, container.read(after) or EMPTY
    if not container.is_same(before, after):
        raise Refused("other parts of it would change")
    if Packet(old).others() != Packet(new).others():
        raise Refused("other properties in its XMP would change")
    if pages_of(before) != pages_of(after):
        raise Refused("its pictures would change")
