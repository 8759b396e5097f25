"""Puts the photographs of many sources into the form that `everyday.toml` reads.

    python recipes/everyday_data.py DATA

reads `DATA/world/captions.jsonl`, `qa.jsonl`, and `text/`, and writes beside them `coco.jsonl`,
`things.jsonl` and `text/texts.jsonl.gz`; of the captions of `DATA/flickr8k` it makes
`flickr8k/questions/{train,dev}.jsonl`, as `captioner questions` does and with what that needs.

A line of `captions.jsonl` has `image`, `captions`, `kind`, `objects`, `coco_id` (null where there
is none), `split`, and of rooms also `descriptions` and `scene`. Sentences that no person wrote as a
caption (narratives, descriptions, templates of a class) are read for the things that they name; of
the questions made from a template six a photograph are taken.
"""

import argparse
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from captioner.data.readers import load_dataset
from captioner.questions.generate import write_questions

TEMPLATE, MOST = "ade_objects_template", 6
SPOKEN = "human"  # the kind whose captions are captions


def lines(path: Path) -> list[Any]:
    """The values of a file of JSON lines, which may be compressed."""
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        return [json.loads(line) for line in file]


def rows_of(entry: dict[str, Any], questions: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """The lines for a photograph: what is said of it and in it, and what is asked about it."""
    same = {"image": entry["image"], "split": entry["split"]}
    spoken = entry["kind"] == SPOKEN
    told = [] if spoken else entry["captions"]
    told = [*told, *(entry.get("descriptions") or []), (entry.get("scene") or "").replace("_", " ")]
    objects = [text for text in (*entry["objects"], *told) if text.strip()]
    yield {**same, "captions": entry["captions"] if spoken else [], "objects": objects}
    made = [q for q in questions if q["type"] == TEMPLATE][:MOST]
    for question in [*made, *(q for q in questions if q["type"] != TEMPLATE)]:
        answers = question["answers"] if "answers" in question else [question["answer"]]
        yield {**same, "question": question["question"], "answers": answers}


def write(path: Path, rows: Iterable[Any]) -> None:
    """Write JSON lines, compressed where the name says so."""
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
    for name, wanted in (("coco", True), ("things", False)):
        rows = (
            row
            for entry in entries
            if (entry["coco_id"] is not None and bool(entry["captions"])) == wanted
            for row in rows_of(entry, asked[entry["image"]])
        )
        write(output / f"{name}.jsonl", rows)
    # No sentence about a photograph that is there, be it in train or in dev.
    shown = {entry["coco_id"] for entry in entries}
    objects = dict(lines(world / "text" / "coco_objects_by_id.jsonl.gz"))
    write(
        output / "text" / "texts.jsonl.gz",
        (
            {"captions": text["captions"], "objects": objects.get(text["coco_id"], [])}
            for text in lines(world / "text" / "coco_captions_by_id.jsonl.gz")
            if text["coco_id"] not in shown
        ),
    )
    for split in ("train", "dev"):
        captions = load_dataset("flickr8k", args.data / "flickr8k", split, verify=False)
        write_questions(captions, output.parent / "flickr8k" / "questions" / f"{split}.jsonl")


if __name__ == "__main__":
    main()
