"""The measure of attention on the object of a noun."""

import json
import math
import zlib
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from benchmarks import grounding
from benchmarks.grounding import (
    area,
    main,
    pointing,
    pointing_on_photographs,
    scenes,
    share_within,
)
from benchmarks.instances import names_of, read_instances
from captioner import presets
from captioner.data.records import DatasetError
from captioner.models.captioner import Captioner


class Word(NamedTuple):
    word: str
    attention: np.ndarray


class Caption(NamedTuple):
    words: list[Word]


class Double:
    """Writes of pictures what a function says: pairs of a word and an attention `float[h, w]`."""

    def __init__(self, says):
        self.says = says

    def caption(self, pictures):
        return [Caption([Word(*pair) for pair in self.says(picture)]) for picture in pictures]


@pytest.fixture
def model(monkeypatch):
    """Puts a double in the place of a preset."""

    def make(says):
        monkeypatch.setattr(Captioner, "from_preset", lambda weights: Double(says))

    return make


def write_instances(folder, photographs, **more):
    """COCO's file and PNGs of photographs, each a picture and triples of a category's name, its
    box in pixels, and whether it is a crowd."""
    names = sorted({name for _, boxes in photographs for name, *_ in boxes})
    images, annotations = [], []
    for number, (picture, boxes) in enumerate(photographs, start=7):
        Image.fromarray(picture).save(folder / f"{number}.png")
        height, width, _ = picture.shape
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": width, "height": height}
        )
        annotations += [
            {
                "image_id": number,
                "category_id": 3 * names.index(name),
                "bbox": list(box),
                "iscrowd": int(crowd),
            }
            for name, box, crowd in boxes
        ]
    categories = [{"id": 3 * i, "name": name} for i, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories, **more}
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return path


def grey(level, height=20, width=40):
    return np.full((height, width, 3), level, "uint8")


def test_a_region_counts_by_what_of_it_lies_in_the_box():
    attention = np.arange(1, 5).reshape(2, 2) / 10
    assert share_within(attention, (0, 0, 1, 1)) == pytest.approx(1)
    assert share_within(attention, (0, 0, 0.5, 0.5)) == pytest.approx(0.1)
    assert share_within(attention, (0.25, 0, 0.75, 0.5)) == pytest.approx(0.05 + 0.1)
    assert share_within(attention, (0.5, 0.5, 1, 1)) == pytest.approx(0.4)


@pytest.mark.parametrize("shape", [(8, 8), (7, 5)])
def test_an_even_look_is_the_area(shape):
    box = (0.1, 0.2, 0.65, 0.7)
    even = np.full(shape, 1 / np.prod(shape))
    assert share_within(even, box) == pytest.approx(area(box)) == pytest.approx(0.55 * 0.5)


def test_the_objects_lie_in_their_boxes():
    """Two scenes of one background differ only within the boxes of both."""
    found = list(scenes())
    assert len(found) == 3 * (3 * 9 + 6 * 2)
    one, other = found[0], found[8]
    ((_, first),), ((_, last),) = one.objects, other.objects
    differs = (one.picture != other.picture).any(-1)
    rows, columns = np.nonzero(differs)
    side = len(differs)
    for left, top, right, bottom in (first, last):
        inside = (columns >= left * side - 1) & (columns < right * side + 1)
        inside &= (rows >= top * side - 1) & (rows < bottom * side + 1)
        assert inside.any()
        differs[rows[inside], columns[inside]] = False
    assert not differs.any()


def test_what_boxes_share_counts_once():
    one, other = (0.0, 0.0, 0.6, 0.5), (0.4, 0.25, 1.0, 1.0)
    assert area(one, other) == pytest.approx(0.3 + 0.45 - 0.2 * 0.25)
    assert area(one, one) == pytest.approx(0.3)
    attention = np.arange(1, 5).reshape(2, 2) / 10
    # Of the regions are covered: all, 0.2 + 0.8 * 0.5 and 0.2 of the halves, and all.
    shares = np.array([[1 * 1 - 0, 0.2 * 1 + 0.8 * 0.5], [0.2, 1.0]])
    assert share_within(attention, one, other) == pytest.approx((attention * shares).sum())


def test_a_union_is_what_a_fine_grid_says():
    rng = np.random.default_rng(0)
    boxes = []
    for _ in range(6):
        (left, right), (top, bottom) = np.sort(rng.integers(0, 61, (2, 2))) / 60
        boxes.append((left, top, right, bottom))
    fine = np.zeros((60, 60))
    for left, top, right, bottom in boxes:
        fine[round(top * 60) : round(bottom * 60), round(left * 60) : round(right * 60)] = 1
    expected = fine.reshape(6, 10, 4, 15).mean((1, 3))
    np.testing.assert_allclose(grounding.covered(boxes, (6, 4)), expected, atol=1e-12)


def test_a_category_has_the_words_that_captions_use():
    assert {"dog", "dogs"} <= names_of("dog")
    assert {"racket", "rackets"} <= names_of("Tennis Racket") and "tennis" not in names_of(
        "tennis racket"
    )
    assert "benches" in names_of("bench") and "puppies" in names_of("puppy")
    assert {"person", "people", "man", "women"} <= names_of("person")
    with pytest.raises(ValueError, match="no words"):
        names_of(" . ")


def test_pointing_on_photographs_is_what_one_reckons(tmp_path, model):
    """Boxes of 40 x 20 pixels, and attention over 2 x 2 regions, in which all can be counted."""
    attention = np.array([[0.4, 0.3], [0.2, 0.1]])
    says = {
        1: ("a", "dogs", "red"),  # two boxes that overlap
        2: ("a", "man", "cat"),  # the cat is a crowd; a man is a person
        3: ("a", "cat", "cat"),  # only a dog is there
        4: ("dog",),  # in the upper left, half outside
    }
    model(lambda picture: [(word, attention) for word in says[picture[0, 0, 0]]])
    path = write_instances(
        tmp_path,
        [
            (grey(1), [("dog", (0, 0, 20, 10), 0), ("dog", (10, 0, 20, 10), False)]),
            (grey(2), [("cat", (0, 0, 40, 20), True), ("person", (20, 10, 20, 10), False)]),
            (grey(3), [("dog", (0, 0, 40, 20), False)]),
            (grey(4), [("dog", (-20, -10, 40, 20), False)]),
            (grey(5), []),  # nothing is there to be named
            (grey(6), [("dog", (3, 3, 0, 5), False), ("cat", (0, 0, 40, 20), True)]),  # nor here
        ],
    )
    found = pointing_on_photographs("any", path, tmp_path)
    dogs = (0.4 + 0.15) / (3 / 8)
    person = 0.1 / (1 / 4)
    dog = 0.4 / (1 / 4)
    assert found["named"] == 3 / 4
    assert found["pointing"] == pytest.approx((dogs + person + dog) / 3)
    found = pointing_on_photographs("any", path, tmp_path, limit=1)
    assert found == {"named": 1.0, "pointing": pytest.approx(dogs)}


def test_photographs_of_which_nothing_is_named(tmp_path, model):
    model(lambda picture: [("a", np.full((2, 2), 0.25))])
    path = write_instances(tmp_path, [(grey(1), [("dog", (0, 0, 20, 10), False)])])
    found = pointing_on_photographs("any", path, tmp_path)
    assert found["named"] == 0 and math.isnan(found["pointing"])


@pytest.mark.slow
@pytest.mark.parametrize(("count", "measure"), [(1, "pointing"), (2, "pointing of two")])
def test_photographs_of_scenes_give_what_the_scenes_give(tmp_path, model, count, measure):
    def says(picture):
        rng = np.random.default_rng(zlib.crc32(picture.tobytes()))
        looks = rng.dirichlet(np.ones(64), 4).reshape(4, 8, 8)
        return list(zip(("a", *rng.choice(["cat", "cup", "man", "girl"], 3)), looks, strict=True))

    model(says)
    expected = pointing("any")
    photographs = []
    for scene in scenes():
        boxes = []
        for names, box in scene.objects:
            left, top, right, bottom = (round(edge * grounding.SIDE) for edge in box)
            boxes += [(name, (left, top, right - left, bottom - top), False) for name in names]
        if len(scene.objects) == count:
            photographs.append((scene.picture, boxes))
    path = write_instances(tmp_path, photographs)
    found = pointing_on_photographs("any", path, tmp_path)
    assert 0.5 < found["pointing"] < 1.5
    assert found["pointing"] == pytest.approx(expected[measure], rel=1e-12)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"categories": None}, "has no list named 'categories'"),
        ({"images": [{"id": 7, "file_name": "7.png"}]}, r"images\[0\] is malformed .*'width'"),
        (
            {"images": 2 * [{"id": 7, "file_name": "7.png", "width": 40, "height": 20}]},
            r"images\[1\] is malformed .*the id of another",
        ),
        (
            {"images": [{"id": 7, "file_name": "7.png", "width": 40, "height": 0}]},
            r"images\[0\] is malformed .*pixels, got 0",
        ),
        ({"categories": [{"id": 0, "name": "..."}]}, r"categories\[0\] is malformed .*no words"),
        ({"categories": 2 * [{"id": 0, "name": "dog"}]}, r"categories\[1\] is .*id of another"),
        ({"annotations": [3]}, r"annotations\[0\] is malformed"),
        (
            {"annotations": [{"image_id": 7, "category_id": 5, "bbox": [0, 0, 1, 1]}]},
            r"annotations\[0\] is malformed \(KeyError\(5\)\)",
        ),
        *(
            (
                {"annotations": [{"image_id": 7, "category_id": 0, "bbox": bbox}]},
                r"annotations\[0\] is malformed",
            )
            for bbox in ([0, 0, 1], [0, 0, -1, 1], [0, 0, float("nan"), 1], 4, [10**400, 0, 1, 1])
        ),
        ({"annotations": []}, "no photograph holds any category"),
    ],
)
def test_a_file_that_is_malformed_is_said_in_a_line(tmp_path, change, said):
    path = write_instances(tmp_path, [(grey(1), [("dog", (0, 0, 20, 10), False)])], **change)
    with pytest.raises(DatasetError, match=f"instances.json: {said}") as error:
        pointing_on_photographs("any", path, tmp_path)
    assert "\n" not in str(error.value)


def test_photographs_that_do_not_belong_to_the_boxes_are_named(tmp_path, model):
    model(lambda picture: [])
    path = write_instances(tmp_path, [(grey(1), [("dog", (0, 0, 20, 10), False)])])
    assert [photograph.path for photograph in read_instances(path, tmp_path)] == [
        tmp_path / "7.png"
    ]
    Image.fromarray(grey(1, height=40, width=20)).save(tmp_path / "7.png")
    with pytest.raises(DatasetError, match=r"7.png: is 20 x 40 pixels, but 40 x 20 where"):
        pointing_on_photographs("any", path, tmp_path)
    (tmp_path / "7.png").unlink()
    with pytest.raises(DatasetError, match="1 of 1 photographs are missing or broken"):
        pointing_on_photographs("any", path, tmp_path)


def test_the_command_measures_photographs(tmp_path, model, capsys):
    model(lambda picture: [("dog", np.array([[1.0, 0], [0, 0]]))])
    path = write_instances(tmp_path, [(grey(1), [("dog", (0, 0, 20, 20), False)])])
    main(["--instances", str(path), "--images", str(tmp_path), "--limit", "1"])
    assert capsys.readouterr().out.split() == ["named", "1.000", "pointing", "2.000"]
    with pytest.raises(SystemExit, match="nowhere.json: not a readable UTF-8 text file"):
        main(["--instances", str(tmp_path / "nowhere.json"), "--images", str(tmp_path)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--instances i.json", "go together"),
        ("--images photographs", "go together"),
        ("--limit 3", "of --instances"),
        ("--instances i.json --images photographs --limit 0", "at least 1"),
        ("--instances i.json --images photographs --record", "leave out --instances"),
    ],
)
def test_a_call_that_means_nothing_is_refused(arguments, said, capsys):
    with pytest.raises(SystemExit):
        main(arguments.split())
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_the_preset_that_ships_looks_at_the_object_that_it_names():
    """An even look scores 1; a look that is the same in all scenes scores alike for both of two."""
    scores = pointing(presets.DEFAULT_PRESET)
    assert scores["pointing"] > 1
    assert scores["pointing of two"] > max(1, scores["other of two"])
