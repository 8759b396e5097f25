"""`captioner alt`, with a small double in the place of the model."""

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
    page.write_text("A\n\n![](bright.png)\n")
    assert main(["alt", str(page), "--dry-run"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2:] == ["-![](bright.png)", "+![Red 204.](bright.png)<!-- alt by captioner -->"]
    assert page.read_text() == "A\n\n![](bright.png)\n"


def test_one_bad_page_does_not_stop_the_others(page, capsys):
    Image.new("RGB", (8, 8)).save(page.parent / "broken.jpg", "PNG")
    assert main(["alt", "nowhere.html", "a.txt", str(page)]) == 1
    captured = capsys.readouterr()
    assert "nowhere.html: No such file" in captured.err and "a.txt: no page" in captured.err
    assert captured.out.count("\n") == 3
