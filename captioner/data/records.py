"""What every reader yields, and how it finds and reads its files."""

import hashlib
import json
import logging
import os
import posixpath
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger("captioner.data")


class DatasetError(ValueError):
    """A data set that cannot be read: names the file, and the line or entry where there is one."""


class NoSuchSplit(DatasetError):
    """A data set that has no photographs in the split that is asked for."""


@dataclass(frozen=True)
class Example:
    """One photograph and what people said of it."""

    image: Path
    image_id: int | str  # COCO's integer id; else the file's stem
    references: tuple[str, ...]  # captions; of a question, its answers
    question: str | None = None
    question_id: int | str | None = None
    kind: str | None = None  # what the question asks for ("color"), where the data set says so
    objects: tuple[str, ...] = ()  # names of what is known to be in it


def locate(root: Path, *names: str) -> Path:
    """Finds the first of `names` that lies in `root`: people unpack archives in several ways.

    Raises:
        DatasetError: if there is none.
    """
    for name in names:
        if (root / name).exists():
            return root / name
    raise DatasetError(f"{root}: looked for {', '.join(names)}; found none")


def named(folder: Path, name: str) -> Path:
    """The image of that name in a folder, which some data sets name as well: "Images/a.jpg"."""
    beside = folder.parent / name
    # Of os.path, for it says no of a name that is too long as well.
    return beside if os.path.exists(beside) and not os.path.exists(folder / name) else folder / name


def image_ids(names: Iterable[str]) -> dict[str, str]:
    """An id for each image: its name without the ending, unless two would have the same.

    Not the bare stem: in one's own data, cats/1.jpg and dogs/1.jpg are two images, and so are
    dog.jpg and dog.png.
    """
    bare = {name: posixpath.splitext(name)[0] for name in names}
    count = Counter(bare.values())
    return {name: stem if count[stem] == 1 else name for name, stem in bare.items()}


class References:
    """The captions of images, as a reader finds them; empty ones are counted and left out.

    Args:
        path: the file they are read from.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts: dict[Hashable, list[str]] = {}
        self.empty: list[str] = []

    def add(self, image: Hashable, caption: str, place: str) -> None:
        """Keep a caption of an image, found at a place such as "row 7"."""
        texts = self.texts.setdefault(image, [])
        if caption := caption.strip():
            texts.append(caption)
        else:
            self.empty.append(place)

    def of(self, image: Hashable) -> tuple[str, ...]:
        """What is said of an image, if anything."""
        return tuple(self.texts.get(image, ()))

    def report(self) -> None:
        """Say in the log how many were empty."""
        if self.empty:
            count, first = len(self.empty), self.empty[0]
            logger.warning("%s: %d empty captions skipped, the first: %s", self.path, count, first)


def is_set_aside(name: str, one_in: int) -> bool:
    """Whether an image, by its name, is the one in so many that training goes without.

    It stays so when other images are added or removed; Python's own hash of a string would change
    from run to run.
    """
    return hashlib.sha256(name.encode()).digest()[0] % one_in == 0


def read_text(path: Path) -> str:
    """Reads UTF-8, with or without the byte order mark that spreadsheets write.

    Raises:
        DatasetError: if it is not that.
    """
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a readable UTF-8 text file ({error})") from error


def read_lists(path: Path, *keys: str) -> list[list[dict[str, Any]]]:
    """Reads the lists of records that a JSON file holds under `keys`.

    Raises:
        DatasetError: if it is not JSON or lacks one of them.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: not JSON ({error.msg})") from error
    except (RecursionError, ValueError) as error:  # nested too deeply, a number of too many digits
        raise DatasetError(f"{path}: not JSON that can be read ({error})") from error
    for key in keys:
        if not (isinstance(content, dict) and isinstance(content.get(key), list)):
            raise DatasetError(f"{path}: has no list named {key!r}")
    return [content[key] for key in keys]
