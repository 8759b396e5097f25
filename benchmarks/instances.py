"""Where things are in photographs: COCO's `instances_*.json`.

images: [{id, file_name, width, height}], categories: [{id, name}],
annotations: [{image_id, category_id, bbox: [x, y, width, height] in pixels, iscrowd}]
"""

import math
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from captioner.data.records import DatasetError, named, read_lists
from captioner.data.tokenizer import tokenize

Box = tuple[float, ...]  # left, top, right, bottom, as shares of the width and of the height

# Synonyms of categories, in addition to the last word of their name and its plural.
ALSO = {
    "knife": "knives",
    "mouse": "mice",
    "person": "people man men woman women boy boys girl girls child children lady ladies guy guys",
}


@dataclass
class Located:
    """A photograph, its width and height in pixels, and the boxes of its objects by their names."""

    path: Path
    size: tuple[int, int]
    boxes: dict[str, list[Box]] = field(default_factory=dict)


def names_of(category: str) -> frozenset[str]:
    """The words that name a category in captions: "racket" and its plurals for "tennis racket".

    Raises:
        ValueError: a name without words.
    """
    words = tokenize(category)
    if not words:
        raise ValueError(f"no words in the name {category!r}")
    noun = words[-1]
    plurals = {f"{noun}s", f"{noun}es"}
    if noun.endswith("y"):
        plurals.add(f"{noun[:-1]}ies")
    return frozenset({noun, *plurals, *ALSO.get(noun, "").split()})


def read_instances(path: str | PathLike[str], images: str | PathLike[str]) -> list[Located]:
    """Read the categories of each photograph and their boxes, without crowds.

    Args:
        path: the JSON file.
        images: the folder of the photographs.

    Returns:
        The photographs in which any category is, in the order of the file.

    Raises:
        DatasetError: the file cannot be read, or an entry is malformed.
    """
    path, images = Path(path), Path(images)
    entries, categories, annotations = read_lists(path, "images", "categories", "annotations")
    found: dict[Any, Located] = {}
    words: dict[Any, frozenset[str]] = {}
    place = ""
    try:
        for index, entry in enumerate(entries):
            place = f"images[{index}]"
            size = (_pixels(entry["width"]), _pixels(entry["height"]))
            if entry["id"] in found:
                raise ValueError("has the id of another")
            found[entry["id"]] = Located(named(images, entry["file_name"]), size)
        for index, entry in enumerate(categories):
            place = f"categories[{index}]"
            if entry["id"] in words:
                raise ValueError("has the id of another")
            words[entry["id"]] = names_of(entry["name"])
        for index, entry in enumerate(annotations):
            place = f"annotations[{index}]"
            photograph, names = found[entry["image_id"]], words[entry["category_id"]]
            box = _box(entry["bbox"], photograph.size)
            if entry.get("iscrowd", 0) or box[0] >= box[2] or box[1] >= box[3]:
                continue
            for name in names:
                photograph.boxes.setdefault(name, []).append(box)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: {place} is malformed ({error!r})") from error
    return [photograph for photograph in found.values() if photograph.boxes]


def _pixels(number: Any) -> int:
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"expected a number of pixels, got {number!r}")
    return number


def _box(bbox: Any, size: tuple[int, int]) -> Box:
    """The part of a box inside the photograph."""
    left, top, width, height = map(float, bbox)
    if not all(map(math.isfinite, (left, top, width, height))) or min(width, height) < 0:
        raise ValueError(f"expected [x, y, width, height], got {bbox!r}")
    edges = (left, top, left + width, top + height)
    return tuple(
        min(max(edge / side, 0.0), 1.0) for edge, side in zip(edges, size * 2, strict=True)
    )
