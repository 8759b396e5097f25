"""VQA, version 2 or 1: the questions and the answers in two files.

    v2_OpenEnded_mscoco_train2014_questions.json    questions: [{question_id, image_id, question}]
    v2_mscoco_train2014_annotations.json            annotations: [{question_id, answers, ...}]
    train2014/COCO_train2014_000000000009.jpg

The files may also be in `Questions/`, `Annotations/` and `Images/mscoco/`, as in the code of VQA.
In version 1, the names have no `v2_`.
"""

from pathlib import Path

from captioner.data.records import DatasetError, Example, locate, read_lists

SUBSETS = {"train": "train2014", "dev": "val2014", "val": "val2014"}


def read(root: Path, split: str) -> list[Example]:
    """Read the split "train" or "dev" ("val" in the names of files); test answers are not public.

    All ten answers of a question are references, because the accuracy of VQA counts them.
    """
    if split not in SUBSETS:
        raise DatasetError(f"{root}: no split {split!r}; has {', '.join(SUBSETS)}")
    subset = SUBSETS[split]
    questions = _locate(root, "Questions", f"OpenEnded_mscoco_{subset}_questions.json")
    annotations = _locate(root, "Annotations", f"mscoco_{subset}_annotations.json")
    folder = locate(root, subset, f"images/{subset}", f"Images/mscoco/{subset}")
    answers = _read_answers(annotations)
    examples = []
    for index, entry in enumerate(read_lists(questions, "questions")[0]):
        try:
            references, kind = answers[entry["question_id"]]
            example = Example(
                image=folder / f"COCO_{subset}_{entry['image_id']:012d}.jpg",
                image_id=entry["image_id"],
                references=references,
                question=entry["question"].strip(),
                question_id=entry["question_id"],
                kind=kind,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError(
                f"{questions}: questions[{index}] is malformed or has no answer ({error!r})"
            ) from error
        examples.append(example)
    return examples


def _locate(root: Path, folder: str, name: str) -> Path:
    return locate(root, *(f"{place}{v}{name}" for v in ("v2_", "") for place in ("", f"{folder}/")))


def _read_answers(path: Path) -> dict[int, tuple[tuple[str, ...], str]]:
    """The answers to each question, and their kind: "yes/no", "number" or "other"."""
    answers = {}
    for index, entry in enumerate(read_lists(path, "annotations")[0]):
        try:
            given = tuple(answer["answer"].strip() for answer in entry["answers"])
            answers[entry["question_id"]] = given, entry["answer_type"]
        except (KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{path}: annotations[{index}] is malformed ({error!r})") from error
    return answers
