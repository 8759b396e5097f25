"""Descriptions of photographs in their XMP, in the file or in a sidecar beside it.

`dc:description` is what programs show as the caption, `Iptc4xmpCore:AltTextAccessibility` (of
2021) what a screen reader reads out. What was written here is noted in a property of our own, so
that it is told from what a person wrote, and can be taken out again.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pyexiv2

from captioner.describe.files import replacement

NAMESPACE, PREFIX = "urn:captioner:xmp:1.0/", "captioner"
DESCRIPTION, ALT = "Xmp.dc.description", "Xmp.iptc.AltTextAccessibility"
OURS = f"Xmp.{PREFIX}.written"  # the text that was written, while it is still there
DEFAULT = 'lang="x-default"'
# Where older programs keep a caption; whoever reads several takes that of XMP.
OLDER = ("Iptc.Application2.Caption", "Exif.Image.ImageDescription", "Exif.Photo.UserComment")
EMPTY = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
)


class Outcome(Enum):
    """What became of a photograph."""

    WRITTEN = "described"
    KEPT = "described by a person already"
    UNDONE = "taken out again"
    NOTHING = "nothing to take out"


class DescriptionError(ValueError):
    """A file that no description can be written to: names it and what to do."""


def sidecar_of(photograph: Path) -> Path:
    """The sidecar of a photograph: dog.jpg.xmp, for dog.png may lie beside it."""
    return photograph.with_name(photograph.name + ".xmp")


def describe(
    photograph: Path, text: str, sidecar: bool = False, overwrite: bool = False
) -> Outcome:
    """Write a description, unless a person has written one.

    The file is replaced as a whole, and its picture is the same byte for byte.

    Args:
        photograph: the file.
        text: the description.
        sidecar: whether it goes into a file beside it.
        overwrite: whether what a person wrote is written over.

    Raises:
        DescriptionError: the file cannot hold one, or is damaged.
        OSError: it cannot be read or written; it is as it was.
    """
    with _opened(photograph) as file:
        older = {**file.read_exif(), **file.read_iptc()}
        taken = {} if sidecar else file.read_xmp()
    if sidecar and sidecar_of(photograph).exists():
        with _opened(sidecar_of(photograph)) as file:
            taken = file.read_xmp()
    free = [name for name in (DESCRIPTION, ALT) if overwrite or _is_free(taken, name, older)]
    if not free:
        return Outcome.KEPT
    changes: dict[str, Any] = {name: {DEFAULT: text} for name in free}
    _rewrite(photograph, sidecar, {**changes, OURS: text})
    return Outcome.WRITTEN


def undo(photograph: Path, sidecar: bool = False) -> Outcome:
    """Take out what `describe` wrote, but not what a person has changed since.

    A sidecar that then holds nothing is removed. For the errors see `describe`.
    """
    place = sidecar_of(photograph) if sidecar else photograph
    if sidecar and not place.exists():
        return Outcome.NOTHING
    with _opened(place) as file:
        found = file.read_xmp()
    if OURS not in found:
        return Outcome.NOTHING
    ours = [name for name in (DESCRIPTION, ALT) if _text(found.get(name)) == found[OURS]]
    if sidecar and found.keys() <= {OURS, *ours}:
        place.unlink()
    else:
        _rewrite(photograph, sidecar, dict.fromkeys([OURS, *ours]))
    return Outcome.UNDONE


def _is_free(found: dict[str, Any], name: str, older: dict[str, Any]) -> bool:
    """Whether nobody has written a property, or we have."""
    text = _text(found.get(name))
    if text:
        return text == found.get(OURS)
    return name != DESCRIPTION or not any(str(older.get(key, "")).strip() for key in OLDER)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get(DEFAULT) or next(iter(value.values()), "")
    return str(value or "").strip()


def _rewrite(photograph: Path, sidecar: bool, changes: dict[str, Any]) -> None:
    """Change properties of the XMP of a file, None for none, in a copy that takes its place."""
    place = sidecar_of(photograph) if sidecar else photograph
    with replacement(place, mode_of=place if place.exists() else photograph) as copy:
        if place.exists():
            shutil.copyfile(place, copy)
        else:
            copy.write_text(EMPTY, encoding="utf-8")
        with _opened(copy, called=place) as file:
            left = file.read_xmp() | changes
            if sidecar:  # of which exiv2 makes older properties too, and back again
                file.clear_exif()
                file.clear_iptc()
            if any(left.values()):
                file.modify_xmp(changes)
            else:  # exiv2 does not take the last property out of a WebP file
                file.modify_raw_xmp(EMPTY)


@contextlib.contextmanager
def _opened(path: Path, called: Path | None = None) -> Iterator[pyexiv2.Image]:
    """A file with its metadata; what goes wrong is one line with its name."""
    with path.open("rb"):  # pyexiv2 tells nothing of what the system says
        pass
    pyexiv2.set_log_level(4)  # its warnings go to stdout
    with contextlib.suppress(RuntimeError):  # registered before
        pyexiv2.registerNs(NAMESPACE, PREFIX)
    try:
        with pyexiv2.Image(os.fspath(path)) as file:
            yield file
    except (RuntimeError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())[:120]
        raise DescriptionError(
            f"{called or path}: cannot be given a description ({line}); try --sidecar"
        ) from error
