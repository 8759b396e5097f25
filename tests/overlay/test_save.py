"""The format of an overlay by the suffix of its file."""

import re

import pytest
from overlay.looks import Caption, photograph, words
from PIL import Image

from captioner import overlay
from captioner.data.images import ImageError


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".png", b"\x89PNG"),
        (".jpg", b"\xff\xd8"),
        (".JPEG", b"\xff\xd8"),
        (".pdf", b"%PDF"),
        (".svg", b"<?xml"),
        (".gif", b"GIF89a"),
        (".html", b"<!DOCTYPE html>"),
    ],
)
def test_save_chooses_by_suffix(tmp_path, suffix, start):
    path = tmp_path / f"out{suffix}"
    overlay.save(photograph(), Caption("One.", words((0, 0))), path)
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["out.webp", "out", "png"])
def test_save_refuses_an_unknown_suffix(tmp_path, name):
    with pytest.raises(ValueError) as error:
        overlay.save(photograph(), Caption("One.", words((0, 0))), tmp_path / name)
    expected = "unknown suffix; use one of .png, .jpg, .jpeg, .pdf, .svg, .gif, .html"
    assert str(error.value) == f"{tmp_path / name}: {expected}"
    assert list(tmp_path.iterdir()) == []


def test_save_names_a_photograph_that_is_missing(tmp_path):
    with pytest.raises(ImageError, match="missing.jpg"):
        overlay.save(tmp_path / "missing.jpg", Caption("One.", words((0, 0))), tmp_path / "o.png")


# Questions


@pytest.mark.parametrize("suffix", [".png", ".gif", ".html"])
def test_an_endless_question_with_broken_characters(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    question = "what \ud800 is" + 10_000 * " it" + 10_000 * "t"
    overlay.save(photograph(), Caption("red", words((0, 0))), path, question)
    if suffix != ".html":
        with Image.open(path) as image:
            assert max(image.size) < 2_000
    else:
        (heading,) = re.findall("<h1>(.*)</h1>", path.read_text())
        assert heading.startswith("what ? is it it") and heading.endswith(" it … → red")
