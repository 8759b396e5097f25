"""What every reader yields, and how it finds and reads its files."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DatasetError(ValueError):
    """A data set that cannot be read: names the file, and the line or entry where there is one."""


@dataclass(frozen=True)
class Example:
    """One photograph and what people said of it."""

    image: Path
    image_id: int | str  # COCO's integer id; else the file's stem
    references: tuple[str, ...]  # captions; of a question, its answers
    question: str | None = None
    question_id: int | str | None = None
    kind: str | None = None  # what the question asks for ("color"), where the data set says so


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
    if not (folder / name).exists() and (folder.parent / name).exists():
        return folder.parent / name
    return folder / name


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
