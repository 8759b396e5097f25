"""Your own questions and captions, a JSON object on each line.

    {"image": "dog.jpg", "question": "what is the dog chasing ?", "answer": "ball"}
    {"image": "dog.jpg", "question": "what color is it ?", "answers": ["tan", "brown"]}
    {"image": "dog.jpg", "caption": "A dog runs after a ball ."}

Several captions of an image may be a list, `captions`. Lines may have `split`, `image_id`,
`question_id` and `kind`; and `objects`, names of objects in the image, which a head for concepts
learns even without captions. Paths of images are relative to the folder of the file, or absolute.
The root is the file, or a folder with `<split>.jsonl` or with only one `.jsonl`. The split of a
line is its `split`, or else the name of the file (train, dev, val or test), or else depends on a
hash of the path of the image: about one image in ten is "dev", the others are "train".
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from captioner.data.records import (
    DatasetError,
    Example,
    References,
    image_ids,
    is_set_aside,
    read_text,
)

ONE_IN = 10


def read(root: Path, split: str) -> list[Example]:
    """Read a split: an example for each question, and one for all captions of an image."""
    path = root if root.is_file() else _locate(root, split)
    captions = References(path)
    images: dict[Path, Example] = {}
    questions: list[Example] = []
    names: dict[Path, str] = {}  # of the images without an id
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            example = _example(entry, path.parent, number)
            belongs = _split(entry, path) == _plain(split)
            spoken = _captions(entry) if example.question is None else ()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            message = f"{path}:{number}: neither a question nor a caption of an image ({error!r})"
            raise DatasetError(message) from error
        if not belongs:
            continue
        if "image_id" not in entry:
            names[example.image] = _name(example.image, path.parent)
        if example.question is not None:
            questions.append(example)
            continue
        for caption in spoken:
            captions.add(example.image, caption, f"line {number}")
        known = images.setdefault(example.image, example)
        objects = tuple(dict.fromkeys(known.objects + example.objects))
        images[example.image] = replace(known, objects=objects)
    captions.report()
    ids = image_ids(names.values())
    return [
        replace(
            example,
            image_id=ids[names[example.image]] if example.image_id == "" else example.image_id,
            references=example.references or captions.of(example.image),
        )
        for example in (*images.values(), *questions)
    ]


def _name(image: Path, folder: Path) -> str:
    """The path of an image relative to the folder of the file, if it lies there."""
    return (image.relative_to(folder) if image.is_relative_to(folder) else image).as_posix()


def _locate(root: Path, split: str) -> Path:
    names = ("dev", "val") if _plain(split) == "dev" else (split,)
    for name in names:
        if (root / f"{name}.jsonl").is_file():
            return root / f"{name}.jsonl"
    found = sorted(root.glob("*.jsonl"))
    if len(found) != 1:
        what = "several" if found else "none"
        raise DatasetError(f"{root}: looked for {split}.jsonl or a single .jsonl; found {what}")
    return found[0]


def _split(entry: dict[str, Any], path: Path) -> str:
    if "split" in entry:
        return _plain(_text(entry["split"]))
    if _plain(path.stem) in ("train", "dev", "test"):
        return _plain(path.stem)
    return "dev" if is_set_aside(_text(entry["image"]), ONE_IN) else "train"


def _plain(split: str) -> str:
    return "dev" if split == "val" else split


def _example(entry: dict[str, Any], folder: Path, number: int) -> Example:
    """The content of a line without its captions. The id is "" if the line has none."""
    image, image_id = folder / _text(entry["image"]), _id(entry, "image_id", "")
    if "question" not in entry:
        return Example(image, image_id, (), objects=_list(entry.get("objects", [])))
    return Example(
        image,
        image_id,
        (_text(entry["answer"]),) if "answer" in entry else _list(entry["answers"]),
        question=_text(entry["question"]),
        question_id=_id(entry, "question_id", number),
        kind=_text(entry["kind"]) if entry.get("kind") is not None else None,
    )


def _captions(entry: dict[str, Any]) -> tuple[str, ...]:
    """The captions of a line. A line with objects may have none."""
    if "caption" in entry:
        captions = [entry["caption"]]
    else:
        captions = entry.get("captions", []) if "objects" in entry else entry["captions"]
    if not isinstance(captions, list) or not all(isinstance(text, str) for text in captions):
        raise TypeError("captions are no texts")
    return tuple(captions)


def _id(entry: dict[str, Any], name: str, default: int | str) -> int | str:
    value = entry.get(name, default)
    if not isinstance(value, int | str):
        raise TypeError(f"{name} is neither a number nor text")
    return value


def _list(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"expected a list of texts, got {values!r}")
    return tuple(map(_text, values))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected text, got {value!r}")
    return value.strip()
