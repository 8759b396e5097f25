"""Flickr30k: `results.csv` with bars between its fields.

    results.csv                image_name| comment_number| comment
                               1000092795.jpg| 0| Two young guys ...
    flickr30k_images/*.jpg     or Images/*.jpg, or beside the table

It has no official splits. About one image in ten, by a hash of its name, is "dev", the others are
"train". `karpathy` reads the splits of Karpathy.
"""

import re
from pathlib import Path

from captioner.data.records import (
    DatasetError,
    Example,
    References,
    image_ids,
    is_set_aside,
    locate,
    named,
    read_text,
)

# In the published file, row 19,999 lacks its second bar: "2199200615.jpg| 4   A dog runs ...".
ROW = re.compile(r"(?P<image>[^|]+)\|\s*\d+\s*(?:\||\s)(?P<caption>.*)")


def read(root: Path, split: str) -> list[Example]:
    """Read the split "train" or "dev"."""
    path = locate(root, "results.csv", "flickr30k_images/results.csv")
    captions, names = References(path), []
    header, *rows = read_text(path).split("\n") or [""]
    if "".join(header.split()) != "image_name|comment_number|comment":
        raise DatasetError(f"{path}:1: expected the header image_name| comment_number| comment")
    for number, row in enumerate(rows, start=2):
        if not row.strip():
            continue
        found = ROW.fullmatch(row.rstrip("\r"))
        if found is None:
            raise DatasetError(f"{path}:{number}: expected name.jpg| number| caption, got {row!r}")
        names.append(found["image"].strip())
        captions.add(names[-1], found["caption"], f"row {number}")
    captions.report()
    ids = image_ids(dict.fromkeys(names))
    folder = locate(root, "flickr30k_images/flickr30k_images", "flickr30k_images", "Images", ".")
    return [
        Example(named(folder, name), image_id=ids[name], references=captions.of(name))
        for name in ids
        if ("dev" if is_set_aside(name, one_in=10) else "train") == split
    ]
