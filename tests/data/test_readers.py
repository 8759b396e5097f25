"""Each published format, in miniature, and the holes that real data sets have."""

import json
import logging

import pytest
from PIL import Image

from captioner.data.image_checks import Checks, check_images
from captioner.data.images import load_images
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


def names(examples):
    return [example.image.name for example in examples]


def test_unknown_format_names_the_known_ones(tmp_path):
    with pytest.raises(DatasetError, match="'flickr9k'; known are flickr8k, flickr30k, cap"):
        load_dataset("flickr9k", tmp_path, "train")


def test_missing_root(tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        load_dataset("flickr8k", tmp_path / "nowhere", "train")


# ------------------------------------------------------------------------------- flickr8k

TOKENS = (
    "a_1.jpg#0\tA dog .\n"
    'a_1.jpg#1\tThe # 2 dog , "running" .\n'
    "b_2.jpg#0\tTwo girls . \r\n"
    "lost_9.jpg.1#0\tNo list names this one .\n"
    "c_3.jpg#0\tA café .\n"
)


def flickr8k(root, text="Flickr8k_text/", folder="Flicker8k_Dataset", tokens=TOKENS):
    for name in ("a_1.jpg", "b_2.jpg", "c_3.jpg"):
        photo(root / folder / name)
    write(root / f"{text}Flickr8k.token.txt", tokens)
    write(root / f"{text}Flickr_8k.trainImages.txt", "b_2.jpg\na_1.jpg\n")
    write(root / f"{text}Flickr_8k.devImages.txt", "c_3.jpg\n")
    return root


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("Flickr8k_text/", "Flicker8k_Dataset"),
        ("", "Images"),
        ("", "Flickr8k_Dataset/Flicker8k_Dataset"),
    ],
)
def test_flickr8k(tmp_path, text, folder):
    root = flickr8k(tmp_path, text, folder)
    assert load_dataset("flickr8k", root, "train") == [
        Example(root / folder / "b_2.jpg", "b_2", ("Two girls .",)),
        Example(root / folder / "a_1.jpg", "a_1", ("A dog .", 'The # 2 dog , "running" .')),
    ]
    (dev,) = load_dataset("flickr8k", root, "dev")
    assert dev.references == ("A café .",)


def test_flickr8k_without_a_split(tmp_path):
    with pytest.raises(DatasetError, match=r"looked for .*Flickr_8k\.testImages\.txt"):
        load_dataset("flickr8k", flickr8k(tmp_path), "test")


def test_flickr8k_without_images(tmp_path):
    with pytest.raises(DatasetError, match="looked for Flicker8k_Dataset, .*; found none"):
        load_dataset("flickr8k", flickr8k(tmp_path, folder="elsewhere"), "train")


@pytest.mark.parametrize(
    "line", ["b_2.jpg#1", "b_2.jpg#k\tA dog .", "b_2.jpg\tA dog .", "#1\tA dog ."]
)
def test_flickr8k_malformed_line(tmp_path, line):
    root = flickr8k(tmp_path, tokens=TOKENS + "\n" + line + "\n")
    with pytest.raises(DatasetError, match=r"Flickr8k\.token\.txt:7: expected name\.jpg#k<TAB>"):
        load_dataset("flickr8k", root, "train")


def test_flickr8k_image_without_caption(tmp_path, caplog):
    root = flickr8k(tmp_path, tokens="a_1.jpg#0\tA dog .\nb_2.jpg#0\t \n")
    (example,) = load_dataset("flickr8k", root, "train")
    assert example.image_id == "a_1"
    assert "b_2.jpg of split 'train' has no caption; skipped for this reason: 1 of 2" in caplog.text


def test_text_in_another_encoding(tmp_path):
    root = flickr8k(tmp_path)
    (root / "Flickr8k_text" / "Flickr8k.token.txt").write_bytes("a.jpg#0\tcafé".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"Flickr8k\.token\.txt: not a readable UTF-8"):
        load_dataset("flickr8k", root, "train")


# ------------------------------------------------------------------------------- captions-csv

TABLE = 'image,caption\na.jpg,"A dog , running ."\na.jpg,"A dog says ""no"" ."\nb.jpg,Two girls .\n'


@pytest.mark.parametrize("folder", ["Images", "."])
@pytest.mark.parametrize("table", ["captions.txt", "captions.csv"])
def test_csv_with_official_lists(tmp_path, folder, table):
    write(tmp_path / table, "\ufeff" + TABLE)
    write(tmp_path / "Flickr_8k.trainImages.txt", "a.jpg\n")
    write(tmp_path / "Flickr_8k.devImages.txt", "b.jpg\n")
    a, b = (photo(tmp_path / folder / name) for name in ("a.jpg", "b.jpg"))
    references = ("A dog , running .", 'A dog says "no" .')
    assert load_dataset("captions-csv", tmp_path, "train") == [Example(a, "a", references)]
    assert load_dataset("captions-csv", tmp_path, "dev") == [Example(b, "b", ("Two girls .",))]
    with pytest.raises(DatasetError, match=r"Flickr_8k\.testImages\.txt"):
        load_dataset("captions-csv", tmp_path, "test")


def test_csv_with_a_split_column(tmp_path):
    rows = "a.jpg,A dog,train\nb.jpg,Girls,val\nc.jpg,Sea,test\na.jpg,Dog,train\n"
    write(tmp_path / "captions.csv", "image,caption,split\n" + rows)
    for name in "abc":
        photo(tmp_path / f"{name}.jpg")
    found = {
        split: load_dataset("captions-csv", tmp_path, split) for split in ("train", "dev", "test")
    }
    assert {split: names(examples) for split, examples in found.items()} == {
        "train": ["a.jpg"],
        "dev": ["b.jpg"],
        "test": ["c.jpg"],
    }
    assert found["train"][0].references == ("A dog", "Dog")
    with pytest.raises(DatasetError, match=r"no image in split 'tune'; has dev, test, train"):
        load_dataset("captions-csv", tmp_path, "tune")


def csv_of(root, numbers):
    rows = "".join(f"{number}.jpg,Caption {k}\n" for number in numbers for k in range(2))
    write(root / "captions.txt", "image,caption\n" + rows)
    for number in numbers:
        photo(root / "Images" / f"{number}.jpg")
    return {
        split: set(names(load_dataset("captions-csv", root, split))) for split in ("train", "dev")
    }


def test_csv_without_splits_hashes_the_names(tmp_path):
    many = csv_of(tmp_path / "many", range(300))
    assert many["train"] | many["dev"] == {f"{number}.jpg" for number in range(300)}
    assert not many["train"] & many["dev"]
    assert 15 <= len(many["dev"]) <= 45
    # The same in every run, on every machine, whatever else is there.
    few = csv_of(tmp_path / "few", range(0, 300, 2))
    assert few["dev"] == {name for name in many["dev"] if int(name[:-4]) % 2 == 0}
    assert "0.jpg" in many["train"]
    assert min(many["dev"], key=lambda name: int(name[:-4])) == "8.jpg"


def test_csv_tells_images_of_one_name_in_two_folders_apart(tmp_path):
    rows = "cats/1.jpg,Cat,dev\ndogs/1.jpg,Dog,dev\n"
    write(tmp_path / "captions.csv", "image,caption,split\n" + rows)
    for name in ("cats", "dogs"):
        photo(tmp_path / name / "1.jpg")
    examples = load_dataset("captions-csv", tmp_path, "dev")
    assert [example.image_id for example in examples] == ["cats/1", "dogs/1"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("picture,text\na.jpg,A dog\n", "captions.csv:1: expected the header image,caption"),
        ("", "captions.csv:1: expected the header image,caption"),
        ("image,caption\na.jpg,A dog, running\n", "captions.csv:2: expected 2 fields"),
        ("image,caption\na.jpg,A dog\nb.jpg\n", "captions.csv:3: expected 2 fields"),
        ("image,caption,split\na.jpg,,train\n", "a.jpg of split 'train' has no caption"),
        ("image,caption\n,A dog\n", "captions.csv:2: empty image"),
        (
            "image,caption,split\na.jpg,A,train\n./a.jpg,B,dev\n",
            "captions.csv:3: a.jpg is in split train",
        ),
        (
            'image,caption\na.jpg,"A dog\nb.jpg,Sea\n',
            "captions.csv:3: .*unclosed quote",
        ),
        (
            "image,caption,split\na.jpg,A,train\na.jpg,B,dev\n",
            "captions.csv:3: a.jpg is in split train",
        ),
        ("image,caption\n", "no image in split 'train'; has none"),
    ],
)
def test_csv_malformed(tmp_path, table, message):
    write(tmp_path / "captions.csv", table)
    with pytest.raises(DatasetError, match=message):
        load_dataset("captions-csv", tmp_path, "train")


def test_csv_rows_without_a_caption_are_counted(tmp_path, caplog):
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "b.jpg")
    rows = ["a.jpg,A dog", "a.jpg,", "b.jpg, ", "b.jpg,Sea"]
    table = "image,caption,split\n" + "".join(f"{row},train\n" for row in rows)
    write(tmp_path / "captions.csv", table)
    examples = load_dataset("captions-csv", tmp_path, "train")
    assert [example.references for example in examples] == [("A dog",), ("Sea",)]
    assert "2 empty captions skipped, the first: row 3" in caplog.text


def test_every_reader_counts_empty_captions(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("captioner.data.readers.flickr30k.is_set_aside", lambda name, one_in: False)
    flickr8k(tmp_path / "flickr8k", tokens=TOKENS + "b_2.jpg#1\t \n")
    write(tmp_path / "flickr30k" / "results.csv", FLICKR30K + "1.jpg| 2| \n")
    for name in ("1.jpg", "2.jpg"):
        photo(tmp_path / "flickr30k" / name)
    said = [{"raw": "A dog ."}, {"raw": " "}]
    entry = {"filename": "a.jpg", "imgid": 1, "split": "train", "sentences": said}
    photo(tmp_path / "karpathy" / "a.jpg")
    write(tmp_path / "karpathy" / "dataset_toy.json", json.dumps({"images": [entry]}))
    coco(tmp_path / "coco", "train2014", extra=[{"image_id": 5, "caption": ""}])
    for name in ("007.jpg", "005.jpg"):
        photo(tmp_path / "coco" / "train2014" / name)
    places = {
        "flickr8k": "1 empty captions skipped, the first: line ",
        "flickr30k": "2 empty captions skipped, the first: row 5",
        "karpathy": "1 empty captions skipped, the first: images[0]",
        "coco": "1 empty captions skipped, the first: annotations[3]",
    }
    for name, message in places.items():
        caplog.clear()
        assert all("" not in e.references for e in load_dataset(name, tmp_path / name, "train"))
        assert message in caplog.text


def test_names_that_no_file_can_have_are_missing_photographs(tmp_path, caplog):
    photo(tmp_path / "a.jpg")
    names = ("a.jpg", ".", "a" * 300 + ".jpg", "a\0.jpg")
    rows = "".join(f"{name},A dog,train\n" for name in names)
    write(tmp_path / "captions.csv", "image,caption,split\n" + rows)
    for verify in (True, False):
        examples = load_dataset("captions-csv", tmp_path, "train", max_missing=0.8, verify=verify)
        assert [example.image.name for example in examples] == ["a.jpg"]
        assert "3 of 4 photographs are missing or broken" in caplog.text


def test_csv_names_may_contain_the_folder(tmp_path):
    path = photo(tmp_path / "Images" / "a.jpg")
    write(tmp_path / "captions.csv", "image,caption\nImages/a.jpg,A dog\n")
    (example,) = load_dataset("captions-csv", tmp_path, "train")
    assert example.image == path


def test_csv_dog_jpg_is_not_dog_png(tmp_path):
    for name in ("dog.jpg", "dog.png", "cat.jpg"):
        photo(tmp_path / name)
    write(
        tmp_path / "captions.csv",
        "image,caption,split\n"
        + "".join(f"{name},An animal,dev\n" for name in ("dog.jpg", "dog.png", "cat.jpg")),
    )
    examples = load_dataset("captions-csv", tmp_path, "dev")
    assert [example.image_id for example in examples] == ["dog.jpg", "dog.png", "cat"]


FLICKR30K = """image_name| comment_number| comment
1.jpg| 0| Two dogs , running .
1.jpg| 1| A field | with a fence .
2.jpg| 4   A dog runs across the grass .
3.jpg| 0|
"""


def test_flickr30k(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("captioner.data.readers.flickr30k.is_set_aside", lambda name, one_in: False)
    write(tmp_path / "results.csv", FLICKR30K)
    for number in (1, 2, 3):
        photo(tmp_path / "flickr30k_images" / f"{number}.jpg")
    one, two = load_dataset("flickr30k", tmp_path, "train")
    assert one.references == ("Two dogs , running .", "A field | with a fence .")
    assert (two.image_id, two.references) == ("2", ("A dog runs across the grass .",))
    assert "3.jpg of split 'train' has no caption" in caplog.text
    named = FLICKR30K.replace("1.jpg", "flickr30k_images/1.jpg").replace("running", "run\u2028ning")
    write(tmp_path / "results.csv", named)
    one, _ = load_dataset("flickr30k", tmp_path, "train")
    assert one.image.exists() and one.references[0] == "Two dogs , run\u2028ning ."
    with pytest.raises(DatasetError, match="no photographs in split 'dev'"):
        load_dataset("flickr30k", tmp_path, "dev")


def test_flickr30k_dog_jpg_is_not_dog_png(tmp_path, monkeypatch):
    monkeypatch.setattr("captioner.data.readers.flickr30k.is_set_aside", lambda name, one_in: False)
    names = ("dog.jpg", "dog.png", "cat.jpg")
    for name in names:
        photo(tmp_path / name)
    rows = "".join(f"{name}| 0| An animal .\n" for name in names)
    write(tmp_path / "results.csv", "image_name| comment_number| comment\n" + rows)
    examples = load_dataset("flickr30k", tmp_path, "train")
    assert [example.image_id for example in examples] == ["dog.jpg", "dog.png", "cat"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "results.csv:1: expected the header"),
        ("", "results.csv:1: expected the header"),
        (FLICKR30K + "4.jpg, 0, A cat\n", "results.csv:6: expected name.jpg"),
    ],
)
def test_flickr30k_malformed(tmp_path, text, message):
    write(tmp_path / "results.csv", text)
    with pytest.raises(DatasetError, match=message):
        load_dataset("flickr30k", tmp_path, "train")


# ------------------------------------------------------------------------------- karpathy


def karpathy_entry(number, split, **fields):
    sentences = [{"raw": f" Caption {k} of {number}.\n"} for k in range(2)]
    entry = {"filename": f"{number}.jpg", "imgid": number, "split": split, "sentences": sentences}
    return entry | fields


def karpathy(root, entries, name="dataset_flickr8k.json"):
    return write(root / name, json.dumps({"images": entries, "dataset": "flickr8k"}))


def test_karpathy_flickr(tmp_path):
    karpathy(
        tmp_path, [karpathy_entry(n, split) for n, split in enumerate(["test", "train", "val"])]
    )
    for number in range(3):
        photo(tmp_path / "Images" / f"{number}.jpg")
    references = ("Caption 0 of 1.", "Caption 1 of 1.")
    expected = [Example(tmp_path / "Images" / "1.jpg", 1, references)]
    assert load_dataset("karpathy", tmp_path, "train") == expected
    for split, name in (("dev", "2.jpg"), ("val", "2.jpg"), ("test", "0.jpg")):
        assert names(load_dataset("karpathy", tmp_path, split)) == [name]


@pytest.mark.parametrize("prefix", ["", "images/"])
def test_karpathy_coco_trains_on_restval_too(tmp_path, prefix):
    entries = [
        karpathy_entry(0, "train", filepath="train2014", cocoid=500),
        karpathy_entry(1, "restval", filepath="val2014", cocoid=0),
        karpathy_entry(2, "val", filepath="val2014", cocoid=502),
    ]
    karpathy(tmp_path, entries, "dataset_coco.json")
    for entry in entries:
        photo(tmp_path / prefix / entry["filepath"] / entry["filename"])
    train = load_dataset("karpathy", tmp_path, "train")
    assert [example.image_id for example in train] == [500, 0]
    assert train[1].image == tmp_path / prefix / "val2014" / "1.jpg"
    assert [example.image_id for example in load_dataset("karpathy", tmp_path, "dev")] == [502]


def test_karpathy_files_side_by_side(tmp_path):
    photo(tmp_path / "0.jpg")
    karpathy(tmp_path, [], "dataset_flickr30k.json")
    path = karpathy(tmp_path, [karpathy_entry(0, "train")])
    with pytest.raises(DatasetError, match="several dataset_"):
        load_dataset("karpathy", tmp_path, "train")
    assert names(load_dataset("karpathy", path, "train")) == ["0.jpg"]


@pytest.mark.parametrize(
    ("text", "split", "message"),
    [
        (None, "train", r"looked for dataset_\*\.json"),
        ("{}", "tune", "no split 'tune'"),
        ('{\n"images": [}', "train", r"dataset_coco\.json:2: not JSON"),
        ("[]", "train", r"dataset_coco\.json: has no list named 'images'"),
        ('{"images": []}', "train", "no photographs in split 'train'"),
        (
            '{"images": [{"split": "val"}, {"split": "train"}]}',
            "train",
            r"images\[1\] is malformed",
        ),
    ],
)
def test_karpathy_malformed(tmp_path, text, split, message):
    if text is not None:
        write(tmp_path / "dataset_coco.json", text)
    with pytest.raises(DatasetError, match=message):
        load_dataset("karpathy", tmp_path, split)


# ------------------------------------------------------------------------------- coco


def coco(root, name, images=((7, "007.jpg"), (5, "005.jpg")), extra=()):
    annotations = [
        {"image_id": 5, "caption": "Five."},
        {"image_id": 7, "caption": "Seven.\n"},
        {"image_id": 5, "caption": "Again five."},
        *extra,
    ]
    entries = [{"id": image_id, "file_name": file} for image_id, file in images]
    content = {"images": entries, "annotations": annotations}
    write(root / "annotations" / f"captions_{name}.json", json.dumps(content))


@pytest.mark.parametrize("folder", ["val2017", "images/val2017", "images"])
@pytest.mark.parametrize("split", ["dev", "val", "val2017"])
def test_coco(tmp_path, split, folder):
    coco(tmp_path, "val2017")
    seven, five = (photo(tmp_path / folder / name) for name in ("007.jpg", "005.jpg"))
    assert load_dataset("coco", tmp_path, split) == [
        Example(seven, 7, ("Seven.",)),
        Example(five, 5, ("Five.", "Again five.")),
    ]


def test_coco_of_two_years(tmp_path):
    for name in ("train2014", "train2017", "trainval2014"):
        coco(tmp_path, name)
        for file in ("007.jpg", "005.jpg"):
            photo(tmp_path / name / file)
    with pytest.raises(DatasetError, match="'train' may be train2014, train2017; give one"):
        load_dataset("coco", tmp_path, "train")
    first, _ = load_dataset("coco", tmp_path, "train2014")
    assert first.image == tmp_path / "train2014" / "007.jpg"


@pytest.mark.parametrize(
    ("split", "changes", "message"),
    [
        ("test", {}, r"looked for captions_test\*\.json"),
        ("train", {"extra": [{"image_id": 6, "caption": "x"}]}, r"annotations\[3\] is malformed"),
        ("train", {"extra": [{"image_id": 5}]}, r"annotations\[3\] is malformed"),
        ("train", {"images": [(7, 3)]}, r"images\[0\] is malformed"),
        (
            "train",
            {"images": [(5, "5.jpg"), (7, "7.jpg"), (5, "8.jpg")]},
            r"images\[2\] has the id",
        ),
    ],
)
def test_coco_malformed(tmp_path, split, changes, message):
    coco(tmp_path, "train2014", **changes)
    with pytest.raises(DatasetError, match=message):
        load_dataset("coco", tmp_path, split)


# ------------------------------------------------------------------------------- holes


@pytest.fixture
def hundred(tmp_path):
    """A hundred photographs, two examples each."""
    paths = [photo(tmp_path / f"{number:02}.jpg") for number in range(100)]
    return [
        Example(path, path.stem, ("A dog .",), question=q) for path in paths for q in ("a", "b")
    ]


def test_nothing_missing_says_nothing(hundred, caplog):
    assert check_images(hundred, max_missing=0) == hundred
    assert not caplog.records


@pytest.mark.parametrize("verify", [True, False])
def test_missing_photographs_are_named_counted_and_dropped(hundred, caplog, verify):
    hundred[20].image.unlink()
    kept = check_images(hundred, verify=verify)
    assert kept == hundred[:20] + hundred[22:]
    assert {(record.name, record.levelno) for record in caplog.records} == {
        ("captioner.data", logging.WARNING)
    }
    named, count = (record.getMessage() for record in caplog.records)
    assert "10.jpg: " in named
    assert "1 of 100 photographs are missing or broken" in count


def test_broken_photographs_are_found_by_decoding(hundred, caplog):
    content = hundred[0].image.read_bytes()
    hundred[0].image.write_bytes(content[:-40])
    assert check_images(hundred, verify=False) == hundred
    assert check_images(hundred) == hundred[2:]
    assert "00.jpg: damaged or cut short" in caplog.text
    assert "1 of 100 photographs" in caplog.text


def test_what_was_decoded_is_not_decoded_again(hundred, tmp_path, caplog, monkeypatch):
    broken, changed, gone = (hundred[i].image for i in (0, 20, 40))
    content = broken.read_bytes()
    broken.write_bytes(content[:-40])
    path = tmp_path / "cache" / "checks.json"
    checks = Checks(path)
    kept = check_images(hundred, checks=checks)
    checks.save()
    changed.write_bytes(content[:-50])
    gone.unlink()
    opened = []

    def load(paths, size):
        paths = list(paths)
        opened.extend(paths)
        return load_images(paths, size)

    monkeypatch.setattr("captioner.data.image_checks.load_images", load)
    again = check_images(hundred, max_missing=0.03, checks=Checks(path))
    assert opened == [changed, gone]
    assert [e for e in kept if e.image not in opened] == again
    assert caplog.text.count("00.jpg: damaged or cut short") == 2
    broken.write_bytes(content)
    assert broken in {e.image for e in check_images(hundred, 0.03, checks=Checks(path))}


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_checks_that_cannot_be_read_are_made_again(hundred, tmp_path, content):
    path = tmp_path / "checks.json"
    path.write_text(content)
    assert check_images(hundred, checks=Checks(path)) == hundred


def test_more_than_the_ceiling_raises(hundred):
    hundred[0].image.unlink()
    hundred[2].image.write_text("no photograph")
    message = r"2 of 100 photographs are missing or broken, more than the 1\.0% allowed; .*00\.jpg"
    with pytest.raises(DatasetError, match=message):
        check_images(hundred)
    assert len(check_images(hundred, max_missing=0.02)) == 196


def test_at_most_ten_are_named(hundred, caplog):
    for example in hundred[:24:2]:
        example.image.unlink()
    check_images(hundred, max_missing=0.5)
    messages = [record.getMessage() for record in caplog.records]
    assert sum(".jpg: " in message for message in messages) == 10
    assert messages[-2] == "... and 2 more"
    assert messages[-1].startswith("12 of 100 photographs")


def test_load_dataset_checks_with_the_given_ceiling(tmp_path, caplog):
    root = flickr8k(tmp_path)
    (root / "Flicker8k_Dataset" / "a_1.jpg").unlink()
    with pytest.raises(DatasetError, match="1 of 2 photographs"):
        load_dataset("flickr8k", root, "train")
    (root / "Flicker8k_Dataset" / "b_2.jpg").write_text("not decoded")
    examples = load_dataset("flickr8k", root, "train", max_missing=0.5, verify=False)
    assert names(examples) == ["b_2.jpg"]


def test_no_progress_bar_away_from_a_terminal(hundred, capfd):
    check_images(hundred)
    assert capfd.readouterr().err == ""
