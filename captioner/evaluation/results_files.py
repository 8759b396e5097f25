"""Results files in the official formats of COCO and VQA."""

import json
from collections.abc import Hashable, Mapping
from pathlib import Path

from captioner import presets
from captioner.data.records import DatasetError, Example, read_text

# The fields of a result: the id and the text.
FIELDS = {"captions": ("image_id", "caption"), "vqa": ("question_id", "answer")}


def write_results(path: Path, task: str, written: dict[Example, str]) -> None:
    """Write the texts of examples to a results file."""
    identity, text = FIELDS[task]
    results = [
        {identity: getattr(example, identity), text: value} for example, value in written.items()
    ]
    presets.write_json(path, results)


def read_results(path: Path, task: str) -> dict[Hashable, str]:
    """Read the texts of a results file, by id.

    Raises:
        DatasetError: it is not a results file of the task.
    """
    identity, text = FIELDS[task]
    content = read_text(path)
    try:
        results = {result[identity]: result[text] for result in json.loads(content)}
        if not all(isinstance(value, str) for value in results.values()):
            raise TypeError(f"{text} is not a string")
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path}: not a results file of the task {task} ({error!r}); give a file from "
            f"`captioner evaluate --task {task}`"
        ) from error
    return results


def others_of(
    path: Path, task: str, photographs: Mapping[Hashable, Hashable]
) -> dict[Hashable, str]:
    """Read the texts of another results file that belong to a split.

    Raises:
        DatasetError: it is not a results file of the task, or has none for this split.
    """
    found = {i: value for i, value in read_results(path, task).items() if i in photographs}
    if not found:
        identity, _ = FIELDS[task]
        raise DatasetError(f"{path}: has no {identity} of this split; give results of the same one")
    return found
