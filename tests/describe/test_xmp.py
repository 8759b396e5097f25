"""Descriptions in files, read back by pyexiv2 and by exiftool."""

import json
import os
import shutil
import stat
import subprocess

import numpy as np
import pyexiv2
import pytest
from PIL import Image

from captioner.describe import xmp
from captioner.describe.xmp import (
    ALT,
    DESCRIPTION,
    OURS,
    DescriptionError,
    Outcome,
    describe,
    sidecar_of,
    undo,
)

TEXT = 'A dog & a "cat" — café.'


@pytest.fixture
def photo(tmp_path):
    def make(name="dog.jpg", **settings):
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), "uint8")
        Image.fromarray(pixels).save(tmp_path / name, **settings)
        return tmp_path / name

    return make


def written(path):
    with pyexiv2.Image(os.fspath(path)) as file:
        return file.read_xmp()


def given(path, **properties):
    with pyexiv2.Image(os.fspath(path)) as file:
        for name, value in properties.items():
            file.modify_xmp({name: {'lang="x-default"': value}})


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def scan(path):
    """The compressed picture of a JPEG file: from its first quantisation table on."""
    content = path.read_bytes()
    return content[content.index(b"\xff\xdb") :]


@pytest.mark.parametrize("name", ["dog.jpg", "dog.png", "dog.tif", "dog.webp"])
def test_a_description_is_written_and_taken_out_again(photo, name):
    path = photo(name)
    before = pixels(path)
    assert describe(path, TEXT) is Outcome.WRITTEN
    np.testing.assert_array_equal(pixels(path), before)
    text = {'lang="x-default"': TEXT}
    assert written(path) == {DESCRIPTION: text, ALT: text, OURS: TEXT}
    assert describe(path, "Another one.") is Outcome.WRITTEN  # it was ours
    assert undo(path) is Outcome.UNDONE
    assert written(path) == {}
    np.testing.assert_array_equal(pixels(path), before)
    assert undo(path) is Outcome.NOTHING


def test_the_picture_stays_the_same_byte_for_byte(photo):
    path = photo(quality=80)
    before = scan(path)
    describe(path, TEXT)
    assert scan(path) == before
    undo(path)
    assert scan(path) == before


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize("sidecar", [False, True])
def test_exiftool_reads_it(photo, sidecar):
    path = photo()
    describe(path, TEXT, sidecar=sidecar)
    place = sidecar_of(path) if sidecar else path
    run = subprocess.run(["exiftool", "-json", place], capture_output=True, check=True)
    (found,) = json.loads(run.stdout)
    assert (found["Description"], found["AltTextAccessibility"]) == (TEXT, TEXT)
    assert "Warning" not in found


def test_what_a_person_wrote_is_kept(photo):
    path = photo()
    given(path, **{DESCRIPTION: "My dog", ALT: "Rex"})
    assert describe(path, TEXT) is Outcome.KEPT
    assert describe(path, TEXT, overwrite=True) is Outcome.WRITTEN
    assert written(path)[ALT] == {'lang="x-default"': TEXT}


def test_what_lacks_is_added_to_what_a_person_wrote(photo):
    path = photo()
    given(path, **{DESCRIPTION: "My dog"})
    assert describe(path, TEXT) is Outcome.WRITTEN
    assert written(path)[DESCRIPTION] == {'lang="x-default"': "My dog"}
    assert written(path)[ALT] == {'lang="x-default"': TEXT}
    # What a person has changed since is theirs.
    given(path, **{ALT: "Rex"})
    assert undo(path) is Outcome.UNDONE
    assert written(path) == {
        DESCRIPTION: {'lang="x-default"': "My dog"},
        ALT: {'lang="x-default"': "Rex"},
    }


def test_a_caption_of_an_older_kind_counts_as_a_person_s(photo):
    exif = Image.Exif()
    exif[0x010E] = "My dog"
    path = photo(exif=exif)
    describe(path, TEXT)
    assert DESCRIPTION not in written(path) and ALT in written(path)
    with pyexiv2.Image(os.fspath(path)) as file:
        assert file.read_exif()["Exif.Image.ImageDescription"] == "My dog"


def test_a_sidecar_leaves_the_photograph_alone(photo):
    path = photo("dog.bmp")
    with pytest.raises(DescriptionError, match=r"dog\.bmp: cannot be given .*; try --sidecar"):
        describe(path, TEXT)
    before = path.read_bytes()
    assert describe(path, TEXT, sidecar=True) is Outcome.WRITTEN
    assert path.read_bytes() == before and sidecar_of(path).name == "dog.bmp.xmp"
    assert written(sidecar_of(path))[ALT] == {'lang="x-default"': TEXT}
    assert undo(path, sidecar=True) is Outcome.UNDONE
    assert not sidecar_of(path).exists()
    assert undo(path, sidecar=True) is Outcome.NOTHING


def test_a_sidecar_of_a_person_is_added_to(photo):
    path = photo()
    sidecar_of(path).write_text(xmp.EMPTY)
    given(sidecar_of(path), **{"Xmp.dc.title": "Rex"})
    describe(path, TEXT, sidecar=True)
    assert {"Xmp.dc.title", ALT} <= written(sidecar_of(path)).keys()
    undo(path, sidecar=True)
    assert written(sidecar_of(path)).keys() == {"Xmp.dc.title"}


def test_an_interruption_loses_nothing(photo, monkeypatch):
    path = photo()
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xmp.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        describe(path, TEXT)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["dog.jpg"]


def test_rights_and_links_stay(photo):
    path = photo()
    path.chmod(0o640)
    link = path.with_name("link.jpg")
    link.symlink_to(path)
    describe(link, TEXT)
    assert link.is_symlink() and ALT in written(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 no more")
    with pytest.raises(DescriptionError, match=r"broken\.jpg: cannot be given a description"):
        describe(path, TEXT)
    with pytest.raises(FileNotFoundError):
        describe(tmp_path / "none.jpg", TEXT)
