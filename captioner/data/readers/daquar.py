"""DAQUAR: a question on one line, its answer on the next.

    qa.894.raw.{train,test}.txt         what is on the desk in the image3 ?
                                        book, scissor, papers, tape_dispenser
    images/image3.jpg                   or nyu_depth_images/image3.png

Without these files, the lists of the task with 37 classes, `qa.37.raw.{train,test}.txt`, are read.
"""

import re
from pathlib import Path

from captioner.data.records import DatasetError, Example, is_set_aside, locate, read_text

LISTS = {"train": "train", "dev": "train", "test": "test"}
# DAQUAR has no split for development: this is one training image in
ONE_IN = 5
# Questions contain "in the image3", "in this image3", "of the image3" or "on the table image3",
# sometimes twice.
_MENTION = re.compile(r"(?:\s+(?:in|on|of))?(?:\s+(?:the|this))?\s+image\s*(\d+)", re.IGNORECASE)


def read(root: Path, split: str) -> list[Example]:
    """Read the split "train", "dev" (a fifth of the training images) or "test".

    The name of the image is removed from the question. An answer with several things is one
    reference, because DAQUAR compares the whole set. Its underscores become spaces.
    """
    if split not in LISTS:
        raise DatasetError(f"{root}: no split {split!r}; has {', '.join(LISTS)}")
    path = locate(root, *(f"qa.{classes}.raw.{LISTS[split]}.txt" for classes in (894, 37)))
    folder = locate(root, "images", "nyu_depth_images")
    suffix = ".png" if next(folder.glob("image*.png"), None) else ".jpg"
    lines = [line.strip() for line in read_text(path).rstrip().split("\n")]
    examples = []
    for number in range(0, len(lines), 2):
        mentions = _MENTION.findall(lines[number])
        if not mentions:
            raise DatasetError(f"{path}:{number + 1}: no image in question {lines[number]!r}")
        if not "".join(lines[number + 1 : number + 2]):
            raise DatasetError(f"{path}:{number + 2}: expected the answer to {lines[number]!r}")
        name = f"image{mentions[-1]}"
        if split == "test" or is_set_aside(name, ONE_IN) == (split == "dev"):
            examples.append(
                Example(
                    image=folder / (name + suffix),
                    image_id=name,
                    references=(lines[number + 1].replace("_", " "),),
                    question=_MENTION.sub("", lines[number]),
                    question_id=number // 2 + 1,
                )
            )
    return examples
