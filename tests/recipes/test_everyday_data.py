"""The data that `python -m recipes.everyday_data` writes."""

import gzip
import json
import runpy
import sys

import pytest

from captioner.data.readers import load_dataset
from captioner.training.texts import Text, read_texts

DOG = ["A brown dog runs on the grass .", "A dog is running over green grass ."]

# TextBlob leaves its word lists open.
pytestmark = pytest.mark.filterwarnings(r"ignore:unclosed file .*en-\w+\.txt:ResourceWarning")


def written(path, *entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def test_each_photograph_says_what_people_said_and_else_what_is_there(tmp_path, monkeypatch):
    world, flickr = tmp_path / "world", tmp_path / "flickr8k" / "Flickr8k_text"
    common = {"objects": ["cat"], "split": "train", "coco_id": None}
    told = {"kind": "human_narrative", "captions": ["I can see a bed."], "scene": "bed_room"}
    written(
        world / "captions.jsonl",
        common | {"image": "1.jpg", "kind": "human", "captions": ["A cat."], "coco_id": 1},
        common | {"image": "2.jpg", "descriptions": ["a lamp"]} | told,
        common | {"image": "3.jpg", "split": "dev", "kind": "objects_only", "captions": []},
    )
    template = {"type": "ade_objects_template", "question": "is there a cat?", "answer": "yes"}
    person = {"type": "vqa2_human", "question": "how many?", "answers": ["1", "2"]}
    yes_no = {"type": "vqa_yesno", "question": "is it?", "answer": "no"}
    dialog = {"type": "visdial_human", "question": "color?", "answers": ["red", "reddish"]}
    asked = [
        {"image": "2.jpg"} | question
        for question in [template] * 7 + [yes_no] * 9 + [person, dialog]
    ]
    ten = {"image": "3.jpg", "answers": ["1"] * 10}
    asked += [ten | {"type": kind, "question": "?"} for kind in ("vqa2_human", "okvqa_human")]
    written(world / "qa.jsonl", *asked)
    sentences = [{"coco_id": i, "captions": [f"A cat {i}."]} for i in (1, 2)]
    written(world / "text" / "coco_captions_by_id.jsonl.gz", *sentences)
    written(world / "text" / "coco_objects_by_id.jsonl.gz", [2, ["sofa"]], [4, ["dog"]])
    unseen = [{"coco_id": i, "questions": [dialog]} for i in (1, 4, 5)]
    written(world / "text" / "vqa_by_id.jsonl.gz", *unseen)
    flickr.mkdir(parents=True)
    tokens = [f"{i}.jpg#{n}\t{text}\n" for i in range(12) for n, text in enumerate(DOG)]
    (flickr / "Flickr8k.token.txt").write_text("".join(tokens))
    for i in range(12):
        written(flickr.parent / "Images" / f"{i}.jpg")
    for i in (1, 2, 3):
        written(world / f"{i}.jpg")
    for split, numbers in (("train", range(11)), ("dev", [11])):
        names = "".join(f"{i}.jpg\n" for i in numbers)
        (flickr / f"Flickr_8k.{split}Images.txt").write_text(names)

    monkeypatch.setattr(sys, "argv", ["everyday_data.py", str(tmp_path)])
    runpy.run_module("recipes.everyday_data", run_name="__main__")

    (cat,) = load_dataset("jsonl", world / "coco.jsonl", "train", verify=False)
    assert (cat.references, cat.objects) == (("A cat.",), ("cat",))
    things = load_dataset("jsonl", world / "things.jsonl", "train", verify=False, spoken=False)
    bed, *questions = things
    assert bed.references == ()
    assert bed.objects == ("cat", "I can see a bed.", "a lamp", "bed room")
    human = [("1", "2"), ("red",), *[("no",)] * 4]
    assert [q.references for q in questions] == [("yes",)] * 2 + human
    (scored,) = load_dataset("jsonl", world / "things.jsonl", "dev", verify=False)
    assert scored.references == ("1",) * 10
    # Photograph 1 is in the data: its captions would be known beforehand. Nobody knows what is in
    # photograph 5.
    assert read_texts(world / "text" / "texts.jsonl.gz") == [
        Text(("A cat 2.",), ("sofa",)),
        Text((), ("dog",), (("color?", ("red",)),)),
    ]
    made = load_dataset("jsonl", tmp_path / "flickr8k" / "questions", "train", verify=False)
    assert {q.image.name for q in made} <= {f"{i}.jpg" for i in range(11)} and made
