"""Puts the photographs of many sources into the form that `everyday.toml` reads.

    python -m recipes.everyday_data DATA

reads `DATA/world/captions.jsonl`, `qa.jsonl`, and `text/`, and writes beside them `coco.jsonl`,
`things.jsonl` and `text/texts.jsonl.gz`, and for the scores of the model card `coco_dev.jsonl` and
`vqa_dev.jsonl`. From the captions of `DATA/flickr8k` it makes questions,
`flickr8k/questions/train.jsonl`, as `python -m recipes.questions` does (extra `questions`).

A line of `captions.jsonl` has `image`, `captions`, `kind`, `objects`, `coco_id` (null where there
is none), `split`, and of rooms also `descriptions` and `scene`. Photographs with captions go into
`coco.jsonl`. Other sentences (narratives, descriptions, templates of a class) are read for the
names of objects in them. Dev questions are those of VQA v2 with ten answers.
"""

import argparse
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from captioner.data.readers import load_dataset
from recipes.questions.generate import write_questions

TEMPLATE, DIALOG, DEV = "ade_objects_template", "visdial_human", "vqa2_human"
# The most questions of a photograph from a template. Their "no" only means: not annotated.
TEMPLATES = 2
CAPTIONS = 5  # or more, of a photograph whose caption is scored
HUMAN = "human"  # the kind of photographs with captions by people
YES_NO = {"yes", "no"}


def lines(path: Path) -> list[Any]:
    """The values of a file of JSON lines, which may be compressed."""
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        return [json.loads(line) for line in file]


def rows_of(entry: dict[str, Any], questions: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """The lines of a photograph: its captions and objects, and its questions."""
    same = {"image": entry["image"], "split": entry["split"]}
    captioned = entry["kind"] == HUMAN
    sentences = [] if captioned else [*entry["captions"], *(entry.get("descriptions") or [])]
    scene = (entry.get("scene") or "").replace("_", " ")
    objects = [text for text in (*entry["objects"], *sentences, scene) if text.strip()]
    yield {**same, "captions": entry["captions"] if captioned else [], "objects": objects}
    for question in chosen(questions, entry["split"]):
        yield {**same, "question": question["question"], "answers": answers_of(question)}


def chosen(questions: list[dict[str, Any]], split: str) -> list[dict[str, Any]]:
    """The questions of a photograph to learn from, or to score.

    At most two more yes/no questions than others, or most answers would be yes or no.
    """
    if split == "dev":
        return [q for q in questions if q["type"] == DEV and len(answers_of(q)) == 10]
    made = [q for q in questions if q["type"] == TEMPLATE][:TEMPLATES]
    human = [q for q in questions if q["type"] != TEMPLATE]
    others = [q for q in human if not YES_NO.intersection(answers_of(q))]
    yes_no = [q for q in human if YES_NO.intersection(answers_of(q))]
    return [*made, *others, *yes_no[: len(others) + 2]]


def answers_of(question: dict[str, Any]) -> list[str]:
    """The answers of people. Of VisDial only the first: the others rank lower."""
    answers = question["answers"] if "answers" in question else [question["answer"]]
    return answers[:1] if question["type"] == DIALOG else answers


def write(path: Path, rows: Iterable[Any]) -> None:
    """Write JSON lines, compressed if the suffix is .gz."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    content = text.encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, help="where to write, if not there")
    args = parser.parse_args()
    world, output = args.data / "world", (args.output or args.data) / "world"
    (output / "text").mkdir(parents=True, exist_ok=True)
    entries = lines(world / "captions.jsonl")
    asked = defaultdict(list)
    for question in lines(world / "qa.jsonl"):
        asked[question["image"]].append(question)
    for name, captioned in (("coco", True), ("things", False)):
        rows = (
            row
            for entry in entries
            if (entry["kind"] == HUMAN) == captioned
            for row in rows_of(entry, asked[entry["image"]])
        )
        write(output / f"{name}.jsonl", rows)
    # For the scores: photographs with five captions, and the questions about the others.
    described: list[Any] = []
    asked_about: list[Any] = []
    for entry in entries:
        if entry["split"] == "dev":
            photograph, *questions = rows_of(entry, asked[entry["image"]])
            if len(entry["captions"]) >= CAPTIONS:
                described.append(photograph)
            else:
                asked_about += questions
    write(output / "coco_dev.jsonl", described)
    write(output / "vqa_dev.jsonl", asked_about)
    write(output / "text" / "texts.jsonl.gz", texts(world / "text", entries))
    captions = load_dataset("flickr8k", args.data / "flickr8k", "train", verify=False)
    write_questions(captions, output.parent / "flickr8k" / "questions" / "train.jsonl")


def texts(folder: Path, entries: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Captions and questions of photographs that are neither in train nor in dev."""
    shown = {entry["coco_id"] for entry in entries}
    objects = dict(lines(folder / "coco_objects_by_id.jsonl.gz"))
    captions = {e["coco_id"]: e["captions"] for e in lines(folder / "coco_captions_by_id.jsonl.gz")}
    questions = {e["coco_id"]: e["questions"] for e in lines(folder / "vqa_by_id.jsonl.gz")}
    for number in sorted((captions.keys() | questions.keys()) - shown):
        named = objects.get(number, [])
        if number in captions or named:  # otherwise the content of the photograph is unknown
            asked = [
                {"question": question["question"], "answers": answers_of(question)}
                for question in questions.get(number, [])
            ]
            yield {"captions": captions.get(number, []), "objects": named, "questions": asked}


if __name__ == "__main__":
    main()
