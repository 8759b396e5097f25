"""Readers of published data sets. All return the same kind of record.

    examples = load_dataset("flickr8k", "~/flickr8k", "train")

A reader is a function `(root, split) -> list[Example]` in a module of its own, listed in `READERS`.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from captioner.data.image_checks import Checks, check_images
from captioner.data.readers import (
    captions_csv,
    coco,
    cocoqa,
    daquar,
    flickr8k,
    flickr30k,
    jsonl,
    karpathy,
    vqa,
)
from captioner.data.records import DatasetError, Example, NoSuchSplit

__all__ = ["READERS", "load_dataset"]

logger = logging.getLogger("captioner.data")

READERS: dict[str, Callable[[Path, str], list[Example]]] = {
    "flickr8k": flickr8k.read,
    "flickr30k": flickr30k.read,
    "captions-csv": captions_csv.read,
    "karpathy": karpathy.read,
    "coco": coco.read,
    "daquar": daquar.read,
    "vqa": vqa.read,
    "coco-qa": cocoqa.read,
    "jsonl": jsonl.read,
}


def load_dataset(
    name: str,
    root: str | os.PathLike[str],
    split: str,
    max_missing: float = 0.01,
    verify: bool = True,
    spoken: bool = True,
    checks: Checks | None = None,
) -> list[Example]:
    """Read a split of a data set, without missing, broken and undescribed photographs.

    Args:
        name: one of `READERS`.
        root: the folder of the data set; the module of each reader describes its files.
        split: "train", "dev" or "test".
        max_missing: the allowed fraction of missing or broken photographs. The log names them.
        verify: whether to decode every photograph to find broken ones.
        spoken: whether to leave out photographs with names of objects but without a caption.
        checks: the cache of earlier checks of photographs.

    Raises:
        NoSuchSplit: the split is empty; this is also a `DatasetError`.
        DatasetError: a file or the split is missing, a line is malformed, or too many photographs
            are missing or broken.
    """
    if name not in READERS:
        raise DatasetError(f"no data set format {name!r}; known are {', '.join(READERS)}")
    root = Path(root).expanduser()
    if not root.exists():
        raise DatasetError(f"{root}: no such folder")
    examples = READERS[name](root, split)
    if not examples:
        raise NoSuchSplit(f"{root}: no photographs in split {split!r}")
    used = [e for e in examples if e.references or (e.objects and not spoken)]
    if len(used) < len(examples):
        first = next(e for e in examples if not e.references and (spoken or not e.objects))
        what = "caption" if first.question is None else "answer"
        problem = f"{root}: {first.image.name} of split {split!r} has no {what}"
        if not used:
            raise DatasetError(problem)
        without = len(examples) - len(used)
        logger.warning("%s; skipped for this reason: %d of %d", problem, without, len(examples))
    return check_images(used, max_missing, verify, checks)
