"""`captioner alt`, with a small double in the place of the model."""

import os
import tomllib
from pathlib import Path

import pytest
import yaml
from cli.double import Candidate, Caption, Double
from PIL import Image

from captioner.cli import build_parser, main
from captioner.data.vocabulary import SPECIAL, Vocabulary

PAGE = (
    '<img src="bright.png">\n<img src="dark.png"><img src="broken.jpg">\n<img src="https://x.y/">\n'
)


class Calibrated(Double):
    calibration = True
    vocabulary = Vocabulary([*SPECIAL, "how", "lady", "red"])


def caption(red):
    text = f"Red {red}."
    return Caption(text, 0.0, [], [Candidate(text, 0.0)], confidence=red / 255)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of a bright and a dark photograph and a broken one."""

    def generate(model, inputs, questions, *, sampler, seed):
        return [[caption(int(image[0, 0, 0]))] for image in inputs["photographs"]]

    monkeypatch.setattr("captioner.generation.batching.generate", generate)
    monkeypatch.setattr("captioner.cli.models.load_captioner", lambda _: ("toy", Calibrated()))
    for name, red in (("bright.png", 204), ("dark.png", 51)):
        Image.new("RGB", (8, 8), (red, 0, 0)).save(tmp_path / name)
    (tmp_path / "broken.jpg").write_bytes(b"none")
    return tmp_path


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
        "captioner: 1 not fetched, 1 skipped: confidence below --min-confidence, 1 filled in"
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
    said = f"captioner: {notes}: its markup cannot be changed safely; the page is unchanged"
    assert capsys.readouterr().err.splitlines()[0] == said


CHECKED = """<img src="bright.png" alt="Red 204"><p>é <img src="dark.png" title="Image of red">
<img src="https://x.y/"><img src=x.svg alt="a.jpg"><img src="missing.jpg" alt="Red">
<img src="bright.png" alt="How is a lady?" data-alt-by="captioner"><img :src="x" src=a alt="a.jpg">
<img src=broken.jpg alt=""><img src="dark.png" alt="How is a lady?">
"""


def test_a_check_names_each_fault_and_changes_nothing(photos, capsys):
    page = photos / "page.html"
    page.write_text(CHECKED)
    assert main(["alt", "--check", str(page)]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        f'{page}:1:42: begins with "Image of", which screen readers say already; leave it out',
        f"{page}:2:1: no alternative text",
        f'{page}:2:25: "a.jpg" is the name of a file; describe the image',
        f'{page}:3:1: "How is a lady?" has nothing in common with the photograph; '
        'perhaps "Red 204."',
    ]
    error, counts = captured.err.splitlines()
    assert f"{page}:2: " in error and "missing.jpg" in error
    assert counts == "captioner: 1 not fetched, 1 drawings in SVG"
    assert page.read_text() == CHECKED


def test_a_check_without_faults(photos, capsys):
    (photos / "notes.md").write_text("![Red](bright.png) ![*A* red wall](dark.png) [![a][r]](x)\n")
    assert main(["alt", "--check", str(photos / "notes.md")]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_hook_installs_what_the_extra_does():
    root = Path(__file__).parents[2]
    (hook,) = yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text())
    described = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert set(hook["additional_dependencies"]) <= set(
        described["optional-dependencies"]["describe"]
    )
    arguments = hook["entry"].split()
    assert arguments[0] in described["scripts"]
    assert build_parser()[0].parse_args([*arguments[1:], "a.md"]).check
