"""COCO-QA: four files for each split, with one question on each line.

{train,test}/questions.txt          what is the color of the bus
{train,test}/answers.txt            red
{train,test}/types.txt              2
{train,test}/img_ids.txt            9
train2014/COCO_train2014_000000000009.jpg, val2014/...
"""

from pathlib import Path

from captioner.data.records import DatasetError, Example, is_set_aside, read_text

FOLDERS = {"train": "train", "dev": "train", "test": "test"}
KINDS = {"0": "object", "1": "number", "2": "color", "3": "location"}
# COCO-QA has no split for development: this is one training image in
ONE_IN = 10
COLUMNS = ("questions.txt", "answers.txt", "types.txt", "img_ids.txt")


def read(root: Path, split: str) -> list[Example]:
    """Read the split "train", "dev" (a tenth of the training images) or "test"."""
    if split not in FOLDERS:
        raise DatasetError(f"{root}: no split {split!r}; has {', '.join(FOLDERS)}")
    folder = root / FOLDERS[split]
    columns = [_read_column(folder / name) for name in COLUMNS]
    shortest = min(map(len, columns))
    for name, column in zip(COLUMNS, columns, strict=True):
        if len(column) > shortest:
            raise DatasetError(f"{folder / name}:{shortest + 1}: the other files have no such line")
    examples = []
    images: dict[str, Path] = {}
    for number, (question, answer, kind, image) in enumerate(zip(*columns, strict=True), start=1):
        if not (question and answer):
            raise DatasetError(f"{folder}: line {number} lacks the question or the answer")
        if kind not in KINDS:
            raise DatasetError(f"{folder}/types.txt:{number}: expected 0 to 3, got {kind!r}")
        if not image.isdecimal():
            raise DatasetError(f"{folder}/img_ids.txt:{number}: expected COCO's id, got {image!r}")
        if split != "test" and is_set_aside(image, ONE_IN) != (split == "dev"):
            continue
        if image not in images:
            images[image] = _find_image(root, int(image))
        examples.append(
            Example(
                image=images[image],
                image_id=int(image),
                references=(answer,),
                question=question,
                question_id=number,
                kind=KINDS[kind],
            )
        )
    return examples


def _read_column(path: Path) -> list[str]:
    return [line.strip() for line in read_text(path).rstrip().split("\n")]


def _find_image(root: Path, image_id: int) -> Path:
    """The path of an image in the folder of one of the years; the first if it is missing."""
    paths = [
        folder / f"COCO_{subset}_{image_id:012d}.jpg"
        for subset in ("train2014", "val2014")
        for folder in (root / subset, root / "images" / subset)
    ]
    return next((path for path in paths if path.exists()), paths[0])
