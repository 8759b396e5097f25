"""DAQUAR as its authors distribute it: a question on one line, its answer on the next.

    qa.894.raw.{train,test}.txt         what is on the desk in the image3 ?
                                        book, scissor, papers, tape_dispenser
    images/image3.jpg                   or nyu_depth_images/image3.png

Where only the lists of the 37-class task are there, `qa.37.raw.{train,test}.txt`, they are read.
"""

import re
from pathlib import Path

from captioner.data.records import DatasetError, Example, is_set_aside, locate, read_text

LISTS = {"train": "train", "dev": "train", "test": "test"}
# DAQUAR has no list for development: one training image in this many is set aside for it.
ONE_IN = 5
# People wrote "in the image3", "in this image3", "of the image3", "on the table image3", and some
# of them twice in a question.
_MENTION = re.compile(r"(?:\s+(?:in|on|of))?(?:\s+(?:the|this))?\s+image\s*(\d+)", re.IGNORECASE)


def read(root: Path, split: str) -> list[Example]:
    """Reads the split "train", "dev" (a fifth of the training images) or "test".

    The image's name is cut off the question, for nobody would ask so. The answer is one reference
    as published, even where it names several things: DAQUAR compares the whole set. Its underscores
    are read as spaces, as people write: "tape dispenser".
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
