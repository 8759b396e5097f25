"""Photographs in a folder."""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from captioner.data.images import SUFFIXES, ImageError


class Folder(NamedTuple):
    """The photographs in a folder and its subfolders.

    Attributes:
        images: the photographs, in sorted order.
        passed_over: the number of other files, by their suffix.
        unreadable: an error for each subfolder that may not be read.
    """

    images: list[Path]
    passed_over: dict[str, int]
    unreadable: list[ImageError]


def walk(folder: str | os.PathLike[str]) -> Folder:
    """Looks for photographs in a folder and its subfolders. Hidden entries are skipped."""
    images: list[Path] = []
    passed_over: Counter[str] = Counter()
    unreadable: list[ImageError] = []

    def note(error: OSError) -> None:
        unreadable.append(ImageError(f"{error.filename}: cannot be read ({error.strerror})"))

    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() in SUFFIXES and _may_be_file(path):
                images.append(path)
            else:
                passed_over[path.suffix.lower() or "no suffix"] += 1
    return Folder(sorted(images), dict(passed_over.most_common()), unreadable)


def _may_be_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # not readable: opening the file reports the error
        return True
