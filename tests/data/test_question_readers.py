"""Each published format of questions, in miniature."""

import json

import pytest
from PIL import Image

from captioner.data.readers import load_dataset
from captioner.data.records import DatasetError, Example


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(path)
    return path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def asked(examples):
    return [(example.question, *example.references) for example in examples]


# ------------------------------------------------------------------------------- daquar


def daquar(root, lines, name="qa.894.raw.test.txt"):
    return write(root / name, "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", ["qa.894.raw.test.txt", "qa.37.raw.test.txt"])
@pytest.mark.parametrize("file", ["images/image3.jpg", "nyu_depth_images/image3.png"])
def test_daquar(tmp_path, name, file):
    image = photo(tmp_path / file)
    first = ["what is on the desk in the image3 ?", "book, scissor, papers, tape_dispenser"]
    daquar(tmp_path, [*first, "how many chairs are there in the image3 ?", " 2\r"], name)
    expected = "book, scissor, papers, tape dispenser"
    assert load_dataset("daquar", tmp_path, "test") == [
        Example(image, "image3", (expected,), "what is on the desk ?", 1),
        Example(image, "image3", ("2",), "how many chairs are there ?", 2),
    ]


def test_daquar_prefers_the_task_of_all_classes(tmp_path):
    photo(tmp_path / "images/image3.jpg")
    daquar(tmp_path, ["what is it in the image3 ?", "desk"])
    daquar(tmp_path, ["what is it in the image3 ?", "table"], "qa.37.raw.test.txt")
    assert asked(load_dataset("daquar", tmp_path, "test")) == [("what is it ?", "desk")]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what is the largest brown objects in this image3 ?", "what is the largest brown objects"),
        ("what is dominant color of the image3 ?", "what is dominant color"),
        ("how many chairs are there on the image3 ?", "how many chairs are there"),
        ("how many cupboards are in image3 ?", "how many cupboards are"),
        ("what is on the table image3 ?", "what is on the table"),
        ("What is it in the Image 3 ?", "What is it"),
        (
            "what is the largest object in the image3 on the counter in the image3 ?",
            "what is the largest object on the counter",
        ),
        (
            "what is in front of the image stand in the image3 ?",
            "what is in front of the image stand",
        ),
    ],
)
def test_daquar_does_not_ask_for_a_file_name(tmp_path, question, expected):
    photo(tmp_path / "images/image3.jpg")
    daquar(tmp_path, [question, "chair"])
    (example,) = load_dataset("daquar", tmp_path, "test")
    assert (example.image_id, example.question) == ("image3", f"{expected} ?")


def test_daquar_sets_images_aside_for_development(tmp_path):
    numbers = range(1, 101)
    lines = []
    for number in numbers:
        photo(tmp_path / f"images/image{number}.jpg")
        for thing in ("desk", "chair"):
            lines += [f"what is on the {thing} in the image{number} ?", "book"]
    daquar(tmp_path, lines, "qa.894.raw.train.txt")
    train, dev = (load_dataset("daquar", tmp_path, split) for split in ("train", "dev"))
    ids = {split: {e.image_id for e in part} for split, part in (("train", train), ("dev", dev))}
    assert not ids["train"] & ids["dev"]
    assert ids["train"] | ids["dev"] == {f"image{number}" for number in numbers}
    assert 12 <= len(ids["dev"]) <= 28
    assert (len(train), len(dev)) == (2 * len(ids["train"]), 2 * len(ids["dev"]))
    # The same in every run, on every machine.
    first = sorted(ids["dev"], key=lambda name: int(name.removeprefix("image")))[:4]
    assert first == ["image11", "image17", "image18", "image22"]


@pytest.mark.parametrize(
    ("lines", "split", "message"),
    [
        (["what is it ?", "desk"], "test", r"qa\.894\.raw\.test\.txt:1: no image in question"),
        (
            ["what is it in the image3 ?", "desk", "what else in the image3 ?"],
            "test",
            r"qa\.894\.raw\.test\.txt:4: expected the answer to 'what else",
        ),
        (["what is it in the image3 ?", "", "a", "b"], "test", r"test\.txt:2: expected the answer"),
        ([], "test", r"test\.txt:1: no image"),
        ([], "train", r"looked for qa\.894\.raw\.train\.txt, qa\.37\.raw\.train\.txt"),
        ([], "train+dev", "no split 'train.dev'; has train, dev, test"),
    ],
)
def test_daquar_malformed(tmp_path, lines, split, message):
    photo(tmp_path / "images/image3.jpg")
    daquar(tmp_path, lines)
    with pytest.raises(DatasetError, match=message):
        load_dataset("daquar", tmp_path, split)


# ------------------------------------------------------------------------------- vqa

TEN = ("net", "net", "net", "netting", "net", "mesh", "net", "net", "net", " net")


def vqa(root, subset="val2014", version="v2_", folders=("", ""), questions=None, annotations=None):
    questions = questions or [
        {"image_id": 262148, "question": "Where is he looking? ", "question_id": 262148000},
        {"image_id": 9, "question": "Is it day?", "question_id": 9001},
    ]
    annotations = annotations or [
        vqa_annotation(9001, ["yes"] * 10, "yes/no"),
        vqa_annotation(262148000, TEN, "other"),
    ]
    questions_file = f"{folders[0]}{version}OpenEnded_mscoco_{subset}_questions.json"
    write(root / questions_file, json.dumps({"questions": questions}))
    annotations_file = f"{folders[1]}{version}mscoco_{subset}_annotations.json"
    write(root / annotations_file, json.dumps({"annotations": annotations}))


def vqa_annotation(question_id, answers, kind):
    given = [{"answer": answer, "answer_id": n} for n, answer in enumerate(answers, start=1)]
    return {"question_id": question_id, "answers": given, "answer_type": kind}


@pytest.mark.parametrize("version", ["v2_", ""])
@pytest.mark.parametrize(
    ("folders", "images"),
    [
        (("", ""), "val2014"),
        (("", ""), "images/val2014"),
        (("Questions/", "Annotations/"), "Images/mscoco/val2014"),
    ],
)
@pytest.mark.parametrize("split", ["dev", "val"])
def test_vqa(tmp_path, version, folders, images, split):
    vqa(tmp_path, "val2014", version, folders)
    first = photo(tmp_path / images / "COCO_val2014_000000262148.jpg")
    second = photo(tmp_path / images / "COCO_val2014_000000000009.jpg")
    ten = ("net", "net", "net", "netting", "net", "mesh", "net", "net", "net", "net")
    assert load_dataset("vqa", tmp_path, split) == [
        Example(first, 262148, ten, "Where is he looking?", 262148000, "other"),
        Example(second, 9, ("yes",) * 10, "Is it day?", 9001, "yes/no"),
    ]


def test_vqa_train(tmp_path):
    vqa(tmp_path, "train2014")
    photo(tmp_path / "train2014/COCO_train2014_000000262148.jpg")
    photo(tmp_path / "train2014/COCO_train2014_000000000009.jpg")
    assert len(load_dataset("vqa", tmp_path, "train")) == 2
    with pytest.raises(DatasetError, match="looked for v2_OpenEnded_mscoco_val2014_questions"):
        load_dataset("vqa", tmp_path, "dev")
    with pytest.raises(DatasetError, match="no split 'test'"):
        load_dataset("vqa", tmp_path, "test")


QUESTION = {"image_id": 9, "question": "Is it day?", "question_id": 9001}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"questions": [QUESTION, {**QUESTION, "question_id": 1}]}, r"questions\[1\] .* no answer"),
        ({"questions": [{**QUESTION, "image_id": "9"}]}, r"questions\[0\] is malformed"),
        ({"questions": [{"question_id": 9001}]}, r"questions\[0\] is malformed"),
        ({"annotations": [{"question_id": 9001}]}, r"annotations\[0\] is malformed"),
        ({"annotations": [vqa_annotation(9001, [None], "x")]}, r"annotations\[0\] is malformed"),
        (
            {"questions": [QUESTION], "annotations": [vqa_annotation(9001, [], "other")]},
            r"COCO_val2014_000000000009\.jpg of split 'dev' has no answer",
        ),
    ],
)
def test_vqa_malformed(tmp_path, changes, message):
    photo(tmp_path / "val2014/COCO_val2014_000000000009.jpg")
    vqa(tmp_path, **changes)
    with pytest.raises(DatasetError, match=message):
        load_dataset("vqa", tmp_path, "dev")


# ------------------------------------------------------------------------------- coco-qa


def cocoqa(root, split, rows):
    names = ("questions", "answers", "types", "img_ids")
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        write(root / split / f"{name}.txt", "\n".join(column) + "\n")


ROWS = [
    ("what is the color of the bus", "red", "2", "9"),
    ("how many giraffes are standing", "two", "1", "30"),
    ("what is sitting on the bench", "cat", "0", "30"),
    ("where is the cat", "room", "3", "9"),
]


@pytest.mark.parametrize("prefix", ["", "images/"])
def test_cocoqa(tmp_path, prefix):
    cocoqa(tmp_path, "test", ROWS)
    nine = photo(tmp_path / prefix / "val2014/COCO_val2014_000000000009.jpg")
    thirty = photo(tmp_path / prefix / "train2014/COCO_train2014_000000000030.jpg")
    assert load_dataset("coco-qa", tmp_path, "test") == [
        Example(nine, 9, ("red",), "what is the color of the bus", 1, "color"),
        Example(thirty, 30, ("two",), "how many giraffes are standing", 2, "number"),
        Example(thirty, 30, ("cat",), "what is sitting on the bench", 3, "object"),
        Example(nine, 9, ("room",), "where is the cat", 4, "location"),
    ]


def test_cocoqa_sets_images_aside_for_development(tmp_path):
    rows = [("what is it", answer, "0", str(n)) for n in range(1, 201) for answer in ("cat", "dog")]
    cocoqa(tmp_path, "train", rows)
    for number in range(1, 201):
        photo(tmp_path / f"train2014/COCO_train2014_{number:012d}.jpg")
    train, dev = (load_dataset("coco-qa", tmp_path, split) for split in ("train", "dev"))
    train_ids, dev_ids = ({e.image_id for e in part} for part in (train, dev))
    assert not train_ids & dev_ids
    assert train_ids | dev_ids == set(range(1, 201))
    assert 10 <= len(dev_ids) <= 30
    assert (len(train), len(dev)) == (2 * len(train_ids), 2 * len(dev_ids))


def test_cocoqa_missing_photographs_are_counted(tmp_path):
    cocoqa(tmp_path, "test", ROWS)
    photo(tmp_path / "val2014/COCO_val2014_000000000009.jpg")
    with pytest.raises(DatasetError, match=r"1 of 2 photographs .*COCO_train2014_000000000030"):
        load_dataset("coco-qa", tmp_path, "test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"types": "2\n4\n0\n3\n"}, r"test/types\.txt:2: expected 0 to 3, got '4'"),
        ({"img_ids": "9\n30\nx\n9\n"}, r"test/img_ids\.txt:3: expected COCO's id, got 'x'"),
        ({"answers": "red\n\ncat\nroom\n"}, r"test: line 2 lacks the question or the answer"),
        ({"answers": "red\ntwo\ncat\n"}, r"test/questions\.txt:4: the other files have no such"),
        ({"types": "2\n1\n0\n3\n0\n"}, r"test/types\.txt:5: the other files have no such line"),
        ({"answers": None}, r"test/answers\.txt: not a readable UTF-8 text file"),
    ],
)
def test_cocoqa_malformed(tmp_path, changes, message):
    cocoqa(tmp_path, "test", ROWS)
    for name, text in changes.items():
        path = tmp_path / "test" / f"{name}.txt"
        path.unlink() if text is None else write(path, text)
    with pytest.raises(DatasetError, match=message):
        load_dataset("coco-qa", tmp_path, "test")


def test_cocoqa_unknown_split(tmp_path):
    with pytest.raises(DatasetError, match="no split 'val'; has train, dev, test"):
        load_dataset("coco-qa", tmp_path, "val")


# ------------------------------------------------------------------------------- jsonl


def jsonl(path, *entries):
    return write(path, "".join(json.dumps(entry) + "\n" for entry in entries))


def entry(image="a.jpg", question="what is it ?", answer="dog", **fields):
    return {"image": image, "question": question, "answer": answer} | fields


def test_jsonl_questions_and_captions(tmp_path):
    a, b = photo(tmp_path / "a.jpg"), photo(tmp_path / "pets/b.jpg")
    jsonl(
        tmp_path / "train.jsonl",
        {"image": "a.jpg", "caption": " A dog ."},
        entry(kind="object", question_id="q7", image_id=5, caption="A dog ."),
        {"image": "pets/b.jpg", "question": "what color ?", "answers": ["tan", "brown"]},
        {"image": "a.jpg", "captions": ["A brown dog .", "A pet ."]},
    )
    assert load_dataset("jsonl", tmp_path, "train") == [
        Example(a, "a", ("A dog .", "A brown dog .", "A pet .")),
        Example(a, 5, ("dog",), "what is it ?", "q7", "object"),
        Example(b, "pets/b", ("tan", "brown"), "what color ?", 3),
    ]


def test_jsonl_by_the_split_of_the_line(tmp_path):
    photo(tmp_path / "a.jpg")
    entries = [entry(answer=split, split=split) for split in ("train", "dev", "val", "test")]
    path = jsonl(tmp_path / "pets.jsonl", *entries)
    for root in (path, tmp_path):
        answers = {
            split: [answer for _, answer in asked(load_dataset("jsonl", root, split))]
            for split in ("train", "dev", "val", "test")
        }
        dev = ["dev", "val"]
        assert answers == {"train": ["train"], "dev": dev, "val": dev, "test": ["test"]}


def test_jsonl_names_images_by_absolute_paths_too(tmp_path):
    inside, outside = photo(tmp_path / "data" / "a.jpg"), photo(tmp_path / "a.jpg")
    entries = [{"image": str(path), "caption": "A dog ."} for path in (inside, outside)]
    path = jsonl(tmp_path / "data" / "train.jsonl", *entries)
    examples = load_dataset("jsonl", path, "train")
    assert [(e.image, e.image_id) for e in examples] == [
        (inside, "a"),
        (outside, outside.with_suffix("").as_posix()),
    ]


def test_jsonl_by_the_name_of_the_file(tmp_path):
    photo(tmp_path / "a.jpg")
    jsonl(tmp_path / "train.jsonl", entry(answer="train"))
    path = jsonl(tmp_path / "val.jsonl", entry(answer="val"))
    assert asked(load_dataset("jsonl", tmp_path, "train")) == [("what is it ?", "train")]
    assert asked(load_dataset("jsonl", tmp_path, "dev")) == [("what is it ?", "val")]
    assert asked(load_dataset("jsonl", path, "dev")) == [("what is it ?", "val")]
    with pytest.raises(DatasetError, match="no photographs in split 'train'"):
        load_dataset("jsonl", path, "train")
    with pytest.raises(DatasetError, match=r"looked for test\.jsonl or a single .*; found several"):
        load_dataset("jsonl", tmp_path, "test")


def test_jsonl_by_a_hash_of_the_image(tmp_path):
    names = [f"{number}.jpg" for number in range(200)]
    for name in names:
        photo(tmp_path / name)
    jsonl(tmp_path / "pets.jsonl", *(entry(name, answer=a) for name in names for a in "ab"))
    found = {split: load_dataset("jsonl", tmp_path, split) for split in ("train", "dev")}
    images = {split: {e.image.name for e in examples} for split, examples in found.items()}
    assert not images["train"] & images["dev"]
    assert images["train"] | images["dev"] == set(names)
    assert 10 <= len(images["dev"]) <= 30
    assert len(found["dev"]) == 2 * len(images["dev"])


@pytest.mark.parametrize(
    "line",
    [
        "not JSON",
        "[]",
        "{}",
        '{"image": "a.jpg"}',
        '{"image": "", "caption": "A dog ."}',
        '{"image": 3, "caption": "A dog ."}',
        '{"image": "a.jpg", "question": "what ?"}',
        '{"image": "a.jpg", "question": " ", "answer": "dog"}',
        '{"image": "a.jpg", "question": "what ?", "answer": 2}',
        '{"image": "a.jpg", "question": "what ?", "answers": "dog"}',
        '{"image": "a.jpg", "captions": ["A dog .", 3]}',
        '{"image": "a.jpg", "captions": "A dog ."}',
        '{"image": "a.jpg", "objects": "dog"}',
        '{"image": "a.jpg", "objects": [""]}',
        '{"image": "a.jpg", "caption": "A dog .", "split": 1}',
        '{"image": "a.jpg", "caption": "A dog .", "image_id": ["a"]}',
        '{"image": "a.jpg", "question": "what ?", "answer": "dog", "question_id": {}}',
        '{"image": "a.jpg", "question": "what ?", "answer": "dog", "kind": 3}',
        "[" * 100_000,
    ],
)
def test_jsonl_malformed(tmp_path, line):
    photo(tmp_path / "a.jpg")
    write(tmp_path / "train.jsonl", json.dumps(entry()) + "\n\n" + line + "\n")
    with pytest.raises(DatasetError, match=r"train\.jsonl:3: neither a question nor a caption"):
        load_dataset("jsonl", tmp_path, "train")


def test_jsonl_empty_captions_are_counted(tmp_path, caplog):
    a = photo(tmp_path / "a.jpg")
    jsonl(
        tmp_path / "train.jsonl",
        {"image": "a.jpg", "caption": " "},
        {"image": "a.jpg", "captions": ["A dog .", ""]},
    )
    assert load_dataset("jsonl", tmp_path, "train") == [Example(a, "a", ("A dog .",))]
    assert "2 empty captions skipped, the first: line 1" in caplog.text


def test_jsonl_objects_are_enough_where_they_are_asked_for(tmp_path, caplog):
    a, b = photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg")
    jsonl(
        tmp_path / "train.jsonl",
        {"image": "a.jpg", "objects": ["dog", "ball"]},
        {"image": "a.jpg", "captions": [], "objects": ["dog", "hot dog"]},
        {"image": "b.jpg", "caption": "A cat .", "objects": ["cat"]},
    )
    seen = Example(a, "a", (), objects=("dog", "ball", "hot dog"))
    told = Example(b, "b", ("A cat .",), objects=("cat",))
    assert load_dataset("jsonl", tmp_path, "train", spoken=False) == [seen, told]
    assert not caplog.text
    assert load_dataset("jsonl", tmp_path, "train") == [told]
    assert "a.jpg of split 'train' has no caption; skipped for this reason: 1 of 2" in caplog.text


def test_jsonl_dog_jpg_is_not_dog_png(tmp_path):
    names = ("dog.jpg", "dog.png", "pets/dog.jpg", "cat.jpg")
    for name in names:
        photo(tmp_path / name)
    entries = [{"image": name, "caption": "An animal ."} for name in names]
    jsonl(tmp_path / "train.jsonl", *entries, entry("cat.jpg"), entry("dog.png", image_id=7))
    assert [e.image_id for e in load_dataset("jsonl", tmp_path, "train")] == [
        *("dog.jpg", "dog.png", "pets/dog", "cat"),
        *("cat", 7),
    ]


def test_jsonl_question_without_answers(tmp_path):
    photo(tmp_path / "a.jpg")
    jsonl(tmp_path / "train.jsonl", {"image": "a.jpg", "question": "what ?", "answers": []})
    with pytest.raises(DatasetError, match=r"a\.jpg of split 'train' has no answer"):
        load_dataset("jsonl", tmp_path, "train")


def test_jsonl_missing(tmp_path):
    with pytest.raises(DatasetError, match=r"looked for train\.jsonl or a single .*; found none"):
        load_dataset("jsonl", tmp_path, "train")


def test_examples_are_rows_of_a_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    photo(tmp_path / "a.jpg")
    jsonl(tmp_path / "train.jsonl", {"image": "a.jpg", "caption": "A dog ."}, entry(kind="object"))
    table = pandas.DataFrame(load_dataset("jsonl", tmp_path, "train"))
    assert list(table.columns[:4]) == ["image", "image_id", "references", "question"]
    assert table.references.explode().tolist() == ["A dog .", "dog"]
    assert table.kind.fillna("").tolist() == ["", "object"]
