"""COCO captions: a JSON file and a folder of images for each split and year.

    annotations/captions_train2017.json     images: [{id, file_name}],
                                            annotations: [{image_id, caption}]
    train2017/*.jpg                         or images/train2017/*.jpg

"train" is enough for a folder of one year; otherwise give the year, as in "train2014".
"""

import re
from pathlib import Path

from captioner.data.records import DatasetError, Example, References, locate, named, read_lists


def read(root: Path, split: str) -> list[Example]:
    """Read the split "train" or "dev" (in the file names: "val"), with or without the year."""
    path = _locate_annotations(root, "val" if split == "dev" else split)
    entries, annotations = read_lists(path, "images", "annotations")
    folder = path.stem.removeprefix("captions_")
    images = locate(root, folder, f"images/{folder}", "images", ".")
    references = References(path)
    files: dict[int, Path] = {}
    for index, entry in enumerate(entries):
        try:
            if entry["id"] in files:
                raise DatasetError(f"{path}: images[{index}] has the id of another image")
            files[entry["id"]] = named(images, entry["file_name"])
        except (KeyError, TypeError) as error:
            raise DatasetError(f"{path}: images[{index}] is malformed ({error!r})") from error
    for index, annotation in enumerate(annotations):
        try:
            if annotation["image_id"] not in files:
                raise KeyError(annotation["image_id"])
            references.add(annotation["image_id"], annotation["caption"], f"annotations[{index}]")
        except (KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{path}: annotations[{index}] is malformed ({error!r})") from error
    references.report()
    return [
        Example(image=file, image_id=image_id, references=references.of(image_id))
        for image_id, file in files.items()
    ]


def _locate_annotations(root: Path, split: str) -> Path:
    wanted = re.compile(rf"captions_{re.escape(split)}\d*")
    folder = locate(root, "annotations", ".")
    found = sorted(path for path in folder.glob("captions_*.json") if wanted.fullmatch(path.stem))
    if not found:
        raise DatasetError(f"{folder}: looked for captions_{split}*.json; found none")
    if len(found) > 1:
        names = ", ".join(path.stem.removeprefix("captions_") for path in found)
        raise DatasetError(f"{folder}: {split!r} may be {names}; give one of them as the split")
    return found[0]
