"""The records of data sets, and helpers of their readers."""

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

from captioner.errors import UserError

logger = logging.getLogger("captioner.data")


class DatasetError(UserError):
    """A data set cannot be read. The message names the file and, if possible, the line or entry."""


class NoSuchSplit(DatasetError):
    """A data set has no photographs in a split."""


@dataclass(frozen=True)
class Example:
    """A photograph with its captions, or with a question and its answers."""

    image: Path
    image_id: int | str  # COCO's integer id, or the stem of the file
    references: tuple[str, ...]  # captions, or the answers to the question
    question: str | None = None
    question_id: int | str | None = None
    kind: str | None = None  # the kind of question ("color"), if the data set names it
    objects: tuple[str, ...] = ()  # names of objects in the photograph


def locate(root: Path, *names: str) -> Path:
    """Find the first of `names` in `root`, because archives can be unpacked in several ways.

    Raises:
        DatasetError: there is none.
    """
    for name in names:
        if (root / name).exists():
            return root / name
    raise DatasetError(f"{root}: looked for {', '.join(names)}; found none")


def named(folder: Path, name: str) -> Path:
    """The image of a name in a folder. Some data sets include the folder in the name."""
    beside = folder.parent / name
    # os.path also returns False for names that are too long.
    return beside if os.path.exists(beside) and not os.path.exists(folder / name) else folder / name


def image_ids(names: Iterable[str]) -> dict[str, str]:
    """An id for each image: its name without the suffix, if that is unique.

    The stem alone is not enough: cats/1.jpg and dogs/1.jpg are two images, and so are dog.jpg and
    dog.png.
    """
    bare = {name: posixpath.splitext(name)[0] for name in names}
    count = Counter(bare.values())
    return {name: stem if count[stem] == 1 else name for name, stem in bare.items()}


class References:
    """Collects the captions of images. Empty captions are counted and left out.

    Args:
        path: the file of the captions.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts: dict[Hashable, list[str]] = {}
        self.empty: list[str] = []

    def add(self, image: Hashable, caption: str, place: str) -> None:
        """Add a caption of an image. The place is for messages, such as "row 7"."""
        texts = self.texts.setdefault(image, [])
        if caption := caption.strip():
            texts.append(caption)
        else:
            self.empty.append(place)

    def of(self, image: Hashable) -> tuple[str, ...]:
        """The captions of an image."""
        return tuple(self.texts.get(image, ()))

    def report(self) -> None:
        """Log the number of empty captions."""
        if self.empty:
            count, first = len(self.empty), self.empty[0]
            logger.warning("%s: %d empty captions skipped, the first: %s", self.path, count, first)


def is_set_aside(name: str, one_in: int) -> bool:
    """True for one image in `one_in`, by a hash of its name. These are not for training.

    The choice does not depend on other images. Python's own hash of strings changes between runs.
    """
    return hashlib.sha256(name.encode()).digest()[0] % one_in == 0


def read_text(path: Path) -> str:
    """Read UTF-8, with or without a byte order mark (spreadsheets write one).

    Raises:
        DatasetError: the file is missing or not UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a readable UTF-8 text file ({error})") from error


def read_lists(path: Path, *keys: str) -> list[list[dict[str, Any]]]:
    """Read the lists of records under `keys` of a JSON file.

    Raises:
        DatasetError: the file is not JSON, or a list is missing.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: not JSON ({error.msg})") from error
    except (RecursionError, ValueError) as error:  # too deep, or a number with too many digits
        raise DatasetError(f"{path}: not JSON that can be read ({error})") from error
    for key in keys:
        if not (isinstance(content, dict) and isinstance(content.get(key), list)):
            raise DatasetError(f"{path}: has no list named {key!r}")
    return [content[key] for key in keys]
