"""Errors of files that cannot be changed."""

from collections.abc import Sequence

from captioner.errors import UserError

SIGNED = "it is signed with Content Credentials"


class Refused(ValueError):
    """Content that cannot be changed safely; the text is the reason, without the file."""


class DescriptionError(UserError):
    """A file that cannot get a description; the text names the file and the remedy."""


def only(packets: Sequence[bytes]) -> bytes | None:
    """The packet of a file, or None.

    Raises:
        Refused: there are several.
    """
    if len(packets) > 1:
        raise Refused(f"its XMP is broken ({len(packets)} packets)")
    return packets[0] if packets else None
