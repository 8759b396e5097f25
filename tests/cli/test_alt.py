"""`captioner alt`, with a small double in the place of the model."""

import os

import pytest
from cli.test_describe import photos
from PIL import Image

from captioner.cli import main

__all__ = ["photos"]
PAGE = (
    '<img src="bright.png">\n<img src="dark.png"><img src="broken.jpg">\n<img src="https://x.y/">\n'
)


@pytest.fixture
def page(photos):
    (photos / "page.html").write_text(PAGE)
    return photos / "page.html"


def test_a_page_is_filled_and_what_fails_is_named(page, capsys):
    assert main(["alt", str(page), "--min-confidence", "0.5"]) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{page}:1\tRed 204.\n"
    error, counts = captured.err.splitlines()
    assert f"{page}:2: " in error and "broken.jpg: empty or not an image" in error
    assert counts == (
        "captioner: 1 not fetched, 1 left out, for their confidence is less, 1 filled in"
    )
    new = '<img src="bright.png" alt="Red 204." data-alt-by="captioner">'
    assert page.read_text() == PAGE.replace('<img src="bright.png">', new)


def test_a_dry_run_shows_the_difference(photos, capsys):
    page = photos / "notes.md"
    for text in ("A\n\n![](bright.png)\n", "A\r\r![](bright.png)"):
        page.write_bytes(text.encode())
        assert main(["alt", str(page), "--dry-run"]) == 0
        shown = capsys.readouterr().out.splitlines()
        new = "![Red 204.](bright.png)<!-- alt by captioner -->"
        assert shown[-2:] == ["-![](bright.png)", f"+{new}"]
        assert page.read_bytes() == text.encode()


def test_one_bad_page_does_not_stop_the_others(page, capsys):
    Image.new("RGB", (8, 8)).save(page.parent / "broken.jpg", "PNG")
    assert main(["alt", "nowhere.html", "a.txt", str(page)]) == 1
    captured = capsys.readouterr()
    assert "nowhere.html: No such file" in captured.err and "a.txt: no page" in captured.err
    assert captured.out.count("\n") == 3


def test_a_page_that_is_a_named_pipe_does_not_stop_the_others(page, capsys):
    os.mkfifo(page.parent / "pipe.html")
    (page.parent / "broken.html").write_text("<![ endif]><img src='//[x'>")
    (page.parent / "good.html").write_text("<img src=bright.png>")
    names = [str(page.parent / f"{name}.html") for name in ("pipe", "broken", "good")]
    assert main(["alt", *names]) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{names[2]}:1\tRed 204.\n"
    assert captured.err.splitlines() == [
        f"captioner: {names[0]}: not a regular file",
        "captioner: 1 not fetched, 1 filled in",
    ]


def test_what_is_no_photograph_is_counted(photos, capsys):
    os.mkfifo(photos / "pipe.jpg")
    page = photos / "notes.md"
    page.write_text("![](pipe.jpg) ![](logo.SVG) ![](/bright.png) ![](https://x.y/a.jpg)")
    assert main(["alt", str(page)]) == 0
    assert capsys.readouterr() == (
        "",
        "captioner: 1 not regular files, 1 drawings in SVG, 1 not found without --root, "
        "1 not fetched\n",
    )


def test_images_below_the_root_of_the_site(photos, capsys):
    page = photos / "posts" / "notes.md"
    page.parent.mkdir()
    page.write_text("![](/bright.png){width=50%}")
    assert main(["alt", str(page), "--root", str(photos), "--no-mark"]) == 0
    assert page.read_text() == "![Red 204.](/bright.png){width=50%}"


def test_a_page_that_would_change_otherwise_is_left_as_it_was(page, capsys, monkeypatch):
    """As if a caption ended the paragraph."""
    monkeypatch.setattr(
        "captioner.describe.alt._escaped", lambda text: text.replace("Red", "\n\nRed")
    )
    notes = page.parent / "notes.md"
    notes.write_text("![](bright.png)")
    Image.new("RGB", (8, 8)).save(page.parent / "broken.jpg", "PNG")
    assert main(["alt", str(notes), str(page)]) == 1
    assert notes.read_text() == "![](bright.png)" and "Red 204." in page.read_text()
    said = f"captioner: {notes}: its markup is not clear enough to be changed; left as it is"
    assert capsys.readouterr().err.splitlines()[0] == said
