"""A walk through a folder finds the photographs, and says what it leaves."""

import os

import pytest

from captioner.data.folders import walk


def test_it_is_recursive_and_sorted_and_counts_the_rest(tmp_path):
    wanted = ["a.JPG", "b/c.jpeg", "b/d.Tiff", "b/e.HEIC", "f.avif", "z.webp"]
    others = ["notes.txt", "jpg", "b/film.MOV", "b/other.mov"]
    hidden = [".hidden.jpg", ".trash/e.jpg", "b/._c.jpeg", ".notes"]
    for name in [*wanted, *others, *hidden]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    found = walk(tmp_path)
    assert found.images == [tmp_path / name for name in wanted]
    assert found.passed_over == {".mov": 2, ".txt": 1, "no suffix": 1}
    assert found.unreadable == []


def test_it_works_below_a_hidden_folder(tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.jpg").touch()
    assert walk(tmp_path / ".cache").images == [tmp_path / ".cache" / "a.jpg"]


def test_an_unreadable_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path):  # permissions do not bind the superuser, who may run the tests
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = walk(tmp_path)
    assert found.images == [tmp_path / "a.jpg"]
    (error,) = found.unreadable
    assert str(error) == f"{tmp_path / 'locked'}: cannot be read (Permission denied)"


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_without_any(tmp_path, name):
    (tmp_path / "empty").mkdir()
    found = walk(tmp_path / name)
    assert found.images == [] and found.passed_over == {}
    assert len(found.unreadable) == (name == "missing")
