"""Errors of files that are left as they are."""

from collections.abc import Sequence

SIGNED = "it is signed with Content Credentials"


class Refused(ValueError):
    """Content that cannot be read or changed safely: says why, and names no file."""


class DescriptionError(ValueError):
    """A file that no description can be written to: names it and what to do."""


def only(packets: Sequence[bytes]) -> bytes | None:
    """The packet of a file, if it has one.

    Raises:
        Refused: it has several.
    """
    if len(packets) > 1:
        raise Refused(f"its XMP is broken ({len(packets)} packets)")
    return packets[0] if packets else None
