"""Names of people in captions."""

import pytest
from describe.samples import (
    digikam_faces,
    encoded,
    exif,
    jpeg,
    lightroom_faces,
    microsoft_faces,
    xmp,
)

from captioner.describe.containers import container_of
from captioner.describe.names import Face, faces_of, names_in_order, with_names
from captioner.describe.plan import plan
from captioner.describe.xmp import DESCRIPTION, Packet

ANN, BOB = ("Ann", 0.7, 0.25), ("Bob", 0.2, 0.5)
BENCH = "A man and a woman are sitting on a bench."


@pytest.mark.parametrize("program", [lightroom_faces, digikam_faces, microsoft_faces])
def test_faces_of_programs(program):
    faces = faces_of(Packet(xmp(program(ANN, BOB, ("", 0.9, 0.1)))))
    assert [face.name for face in faces] == ["Ann", "Bob", ""]
    assert [face[1:] for face in faces[:2]] == [pytest.approx(ANN[1:]), pytest.approx(BOB[1:])]


@pytest.mark.parametrize(
    "properties",
    [
        "",
        lightroom_faces(("Rex", 0.5, 0.5), kind="Pet"),
        lightroom_faces(("Ann", "left", 0.5)),
        microsoft_faces(ANN).replace(", 0.1", ""),
    ],
)
def test_what_is_no_face(properties):
    assert faces_of(Packet(xmp(properties))) == []


@pytest.mark.parametrize(("orientation", "first"), [(1, "L"), (2, "R"), (3, "R"), (4, "L")])
@pytest.mark.parametrize("quarter", [False, True])
def test_names_go_from_left_to_right_as_the_photograph_is_shown(orientation, first, quarter):
    faces = [Face("L", 0.1, 0.5), Face("R", 0.9, 0.5)]
    if quarter:  # 5 to 8: the top of what is stored is at the left or at the right
        faces = [Face("L", 0.5, 0.1), Face("R", 0.5, 0.9)]
        orientation = {1: 5, 2: 6, 3: 7, 4: 8}[orientation]
    assert names_in_order(faces, orientation)[0] == first


@pytest.mark.parametrize(
    ("caption", "names", "text"),
    [
        ("A man is sitting on a bench.", "Ann", "Ann is sitting on a bench."),
        (BENCH, "Ann Bob", "Ann and Bob are sitting on a bench."),
        ("A man and woman stand.", "Ann Bob", "A man and woman stand (Ann and Bob)."),
        ("Two young men wearing hats.", "Ann Bob", "Ann and Bob wearing hats."),
        ("A boy and two women in a car.", "Ann Bob Cy", "Ann, Bob and Cy in a car."),
        ("A girl and a dog are running.", "Ann", "Ann and a dog are running."),
        ("The man's hat is red.", "Ann", "Ann's hat is red."),
        # Another number of people, or one that nobody knows.
        ("A man is sitting on a bench.", "Ann Bob", "A man is sitting on a bench (Ann and Bob)."),
        ("A man is holding a baby.", "Ann", "A man is holding a baby (Ann)."),
        ("A man is holding a baby.", "Ann Bob", "A man is holding a baby (Ann and Bob)."),
        ("Two men are walking.", "Ann -", "Two men are walking (Ann)."),
        ("A group of people at a table.", "Ann Bob", "A group of people at a table (Ann and Bob)."),
        # The face is not that of the elephant, nor of the dog.
        ("A baby elephant is walking.", "Ann", "A baby elephant is walking (Ann)."),
        ("A dog is walking.", "Ann", "A dog is walking."),
        ("A man is sitting on a bench.", "-", "A man is sitting on a bench."),
        ("A man is sitting on a bench.", "", "A man is sitting on a bench."),
    ],
)
def test_a_caption_gets_names(caption, names, text):
    assert with_names(caption, [name.strip("-") for name in names.split()]) == text


def test_a_plan_has_the_names_if_it_is_asked_for(tmp_path):
    path = tmp_path / "dog.jpg"
    path.write_bytes(jpeg("exif", "xmp", packet=xmp(lightroom_faces(ANN, BOB))))
    assert plan(path, BENCH).texts[DESCRIPTION] == BENCH
    planned = plan(path, BENCH, names=True)
    assert planned.texts[DESCRIPTION] == "Bob and Ann are sitting on a bench."
    kept = Packet(container_of(planned.content).read(planned.content))
    assert [face.name for face in faces_of(kept)] == ["Ann", "Bob"]


def test_a_sidecar_names_people_of_a_turned_photograph(tmp_path):
    path = tmp_path / "dog.jpg"
    path.write_bytes(encoded("JPEG", exif=exif(tag112=6)))  # its top is shown at the right
    (tmp_path / "dog.xmp").write_bytes(xmp(digikam_faces(BOB, ANN)))
    planned = plan(path, BENCH, overwrite=True, names=True)
    assert planned.texts[DESCRIPTION] == "Bob and Ann are sitting on a bench."
