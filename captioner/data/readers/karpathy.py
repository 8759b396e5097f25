"""Karpathy's splits of Flickr8k, Flickr30k and COCO: one JSON file with everything.

The root is a folder with one `dataset_*.json` and the images (for COCO in `train2014/` and
`val2014/`), or one of several JSON files in a folder.
"""

from pathlib import Path

from captioner.data.records import DatasetError, Example, References, locate, read_lists

# "restval" is the rest of the validation images of COCO, commonly used for training.
SPLITS = {"train": ("train", "restval"), "dev": ("val",), "val": ("val",), "test": ("test",)}
IMAGE_FOLDERS = "Flicker8k_Dataset Images images flickr30k_images flickr30k-images .".split()


def read(root: Path, split: str) -> list[Example]:
    """Read the split "train", "dev" (in the file: "val") or "test"."""
    if split not in SPLITS:
        raise DatasetError(f"{root}: no split {split!r}; has {', '.join(SPLITS)}")
    path = root if root.is_file() else _locate_json(root)
    references, examples = References(path), []
    folders: dict[str, Path] = {}
    for index, entry in enumerate(read_lists(path, "images")[0]):
        try:
            if entry["split"] not in SPLITS[split]:
                continue
            subfolder = entry.get("filepath", "")
            if subfolder not in folders:
                folders[subfolder] = _locate_images(path.parent, subfolder)
            for sentence in entry["sentences"]:
                references.add(index, sentence["raw"], f"images[{index}]")
            examples.append(
                Example(
                    image=folders[subfolder] / entry["filename"],
                    image_id=entry["cocoid"] if "cocoid" in entry else entry["imgid"],
                    references=references.of(index),
                )
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{path}: images[{index}] is malformed ({error!r})") from error
    references.report()
    return examples


def _locate_json(root: Path) -> Path:
    found = sorted(root.glob("dataset_*.json"))
    if not found:
        raise DatasetError(f"{root}: looked for dataset_*.json; found none")
    if len(found) > 1:
        raise DatasetError(f"{root}: several dataset_*.json; give the path of one of them instead")
    return found[0]


def _locate_images(root: Path, subfolder: str) -> Path:
    if subfolder:
        return locate(root, subfolder, f"images/{subfolder}", f"Images/{subfolder}")
    return locate(root, *IMAGE_FOLDERS)
