"""Flickr8k: one file of captions, and a list of images for each split.

    Flicker8k_Dataset/*.jpg                                 (the misspelling is theirs)
    Flickr8k_text/Flickr8k.token.txt                        name.jpg#k<TAB>caption
    Flickr8k_text/Flickr_8k.{train,dev,test}Images.txt      name.jpg

The text files may also be in the root.
"""

from pathlib import Path

from captioner.data.records import DatasetError, Example, References, locate, read_text

IMAGE_FOLDERS = (
    "Flicker8k_Dataset",
    "Flickr8k_Dataset/Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "Images",
    "images",
)
TEXT_FOLDERS = ("Flickr8k_text", ".")


def read(root: Path, split: str) -> list[Example]:
    """Read the split "train", "dev" or "test"."""
    names = read_split(root, split)
    captions = _read_captions(_locate_text(root, "Flickr8k.token.txt"))
    folder = locate(root, *IMAGE_FOLDERS)
    return [
        Example(image=folder / name, image_id=Path(name).stem, references=captions.of(name))
        for name in names
    ]


def has_splits(root: Path) -> bool:
    """Whether the folder has one of the official lists."""
    return any(any(root.glob(f"{folder}/Flickr_8k.*Images.txt")) for folder in TEXT_FOLDERS)


def read_split(root: Path, split: str) -> list[str]:
    """The file names of a split in its official list."""
    return read_text(_locate_text(root, f"Flickr_8k.{split}Images.txt")).split()


def _locate_text(root: Path, name: str) -> Path:
    return locate(root, *(str(Path(folder, name)) for folder in TEXT_FOLDERS))


def _read_captions(path: Path) -> References:
    captions = References(path)
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        key, tab, caption = line.partition("\t")
        name, _, index = key.rpartition("#")
        if not (tab and name and index.isdigit()):
            raise DatasetError(f"{path}:{number}: expected name.jpg#k<TAB>caption, got {line!r}")
        # 2258277193_586949ec62.jpg.1 has captions, but no image. It is in no list.
        captions.add(name, caption, f"line {number}")
    captions.report()
    return captions
