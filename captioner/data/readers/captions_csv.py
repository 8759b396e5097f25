"""A table of captions, `captions.txt` or `captions.csv`: Flickr8k from Kaggle, or your own data.

    image,caption[,split]
    dog.jpg,"A dog , running ."

The images are in `Images/` or beside the table. The split of an image comes from the first of

1. the official lists of Flickr8k, `Flickr_8k.{train,dev,test}Images.txt`, beside the table;
2. the column `split`: train, dev (or val), test;
3. a hash of the file name: about one image in ten is "dev", the others are "train". The split of an
   image does not depend on other images.
"""

import csv
import io
from pathlib import Path, PurePosixPath

from captioner.data.readers import flickr8k
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


def read(root: Path, split: str) -> list[Example]:
    """Read the split "train", "dev", or another one in the lists or the column."""
    path = locate(root, "captions.txt", "captions.csv")
    captions, splits = _read_table(path)
    if flickr8k.has_splits(root):
        names = flickr8k.read_split(root, split)
    else:
        names = [name for name in splits if splits[name] == split]
        if not names:
            known = ", ".join(sorted(set(splits.values())))
            raise DatasetError(f"{path}: no image in split {split!r}; has {known or 'none at all'}")
    folder = locate(root, "Images", "images", ".")
    ids = image_ids(names)
    return [
        Example(named(folder, name), image_id=ids[name], references=captions.of(name))
        for name in names
    ]


def _read_table(path: Path) -> tuple[References, dict[str, str]]:
    """The captions and the split of each image."""
    captions = References(path)
    splits: dict[str, str] = {}
    names: dict[str, str] = {}  # as written -> as a path
    rows = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True)
    try:
        fields = rows.fieldnames or ()
        if not {"image", "caption"} <= set(fields):
            raise DatasetError(f"{path}:1: expected the header image,caption[,split]")
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if None in row or None in row.values():
                raise DatasetError(f"{where}: expected {len(fields)} fields; quote commas")
            name, caption = row["image"].strip(), row["caption"].strip()
            if not name or "\n" in caption:
                raise DatasetError(f"{where}: empty image name, or unclosed quote")
            if name not in names:
                names[name] = str(PurePosixPath(name))  # "./a.jpg" is a.jpg
            name = names[name]
            if "split" in row:
                split = row["split"].strip()
            else:
                split = "dev" if is_set_aside(name, one_in=10) else "train"
            split = "dev" if split == "val" else split
            if splits.setdefault(name, split) != split:
                raise DatasetError(f"{where}: {name} is in split {splits[name]} and in {split!r}")
            captions.add(name, caption, f"row {rows.line_num}")
    except csv.Error as error:
        raise DatasetError(f"{path}:{rows.line_num}: {error}") from error
    captions.report()
    return captions, splits
