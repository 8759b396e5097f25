"""One's own questions and captions, a JSON object a line.

    {"image": "dog.jpg", "question": "what is the dog chasing ?", "answer": "ball"}
    {"image": "dog.jpg", "question": "what color is it ?", "answers": ["tan", "brown"]}
    {"image": "dog.jpg", "caption": "A dog runs after a ball ."}

A caption may also be a list, `captions`. Lines may have `split`, `image_id`, `question_id` and
`kind`. Paths of images are relative to the folder of the file. The root is the file, or a folder
that holds `<split>.jsonl` or just one `.jsonl`. What belongs to a split is said, in this order, by
the line's `split`, by the file's name if it is train, dev, val or test, and by a hash of the
image's path: about one image in ten is "dev", the others "train".
"""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from captioner.data.records import DatasetError, Example, is_set_aside, read_text

ONE_IN = 10


def read(root: Path, split: str) -> list[Example]:
    """Reads a split: each question is an example, the captions of an image are one together."""
    path = root if root.is_file() else _locate(root, split)
    found: dict[int | Path, Example] = {}  # by the line of a question, by the image of captions
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            example = _example(entry, path.parent, number)
            belongs = _split(entry, path) == _plain(split)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            message = f"{path}:{number}: neither a question nor a caption of an image ({error!r})"
            raise DatasetError(message) from error
        if not belongs:
            continue
        if example.question is not None:
            found[number] = example
        elif (known := found.get(example.image)) is not None:
            references = known.references + example.references
            found[example.image] = replace(known, references=references)
        else:
            found[example.image] = example
    return list(found.values())


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
    image = _text(entry["image"])
    image_id = _id(entry, "image_id", str(PurePosixPath(image).with_suffix("")))
    if "question" not in entry:
        return Example(folder / image, image_id, _texts(entry, "caption"))
    return Example(
        folder / image,
        image_id,
        _texts(entry, "answer"),
        question=_text(entry["question"]),
        question_id=_id(entry, "question_id", number),
        kind=_text(entry["kind"]) if entry.get("kind") is not None else None,
    )


def _id(entry: dict[str, Any], name: str, default: int | str) -> int | str:
    value = entry.get(name, default)
    if not isinstance(value, int | str):
        raise TypeError(f"{name} is neither a number nor text")
    return value


def _texts(entry: dict[str, Any], name: str) -> tuple[str, ...]:
    """What stands under `name`, or under its plural as a list."""
    if name in entry:
        return (_text(entry[name]),)
    if not isinstance(entry[f"{name}s"], list):
        raise TypeError(f"{name}s is no list")
    return tuple(map(_text, entry[f"{name}s"]))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected text, got {value!r}")
    return value.strip()
