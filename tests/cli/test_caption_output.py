"""Overlays that are asked for."""

from pathlib import Path

import pytest
from cli.double import HOW, WHAT, Double, paint, records, run, usage_error
from PIL import Image

from captioner.cli import main

# Overlays


def files(folder):
    """The names of the pictures in a folder, each of which is one."""
    for path in Path(folder).iterdir():
        Image.open(path).verify()
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize(
    ("name", "start"), [("o.png", b"\x89PNG"), ("o.GIF", b"GIF89a"), ("o.html", b"<!DOCTYPE html>")]
)
def test_an_overlay_of_one_photograph_is_a_file(photos, capsys, name, start):
    assert main(["caption", "a.png", "--overlay", name]) == 0
    assert capsys.readouterr() == ("Red 10, take 1.\n", "")
    assert Path(name).read_bytes().startswith(start)


def test_an_overlay_shows_the_photograph_and_the_best_caption(photos):
    assert main(["caption", "--top", "2", "b.png", "--overlay", "o.html"]) == 0
    assert "<h1>Red 20, take 1.</h1>" in Path("o.html").read_text()


def test_an_overlay_of_an_answer_shows_the_question(photos):
    question = "what is <b>red</b> & 'new'?"
    assert main(["caption", "b.png", "--question", question, "--overlay", "o.html"]) == 0
    page = Path("o.html").read_text()
    heading = "what is &lt;b&gt;red&lt;/b&gt; &amp; &#x27;new&#x27;? → what: red 20, take 1"
    assert f"<h1>{heading}</h1>" in page and "<b>" not in page


def test_overlays_of_several_questions_are_files_of_a_folder(photos, capsys):
    asked = ["--question", WHAT, "--question", HOW]
    assert main(["caption", "a.png", *asked, "--overlay", "looks"]) == 0
    assert files("looks") == ["a-2.png", "a.png"]
    capsys.readouterr()
    line = usage_error(capsys, "a.png", *asked, "--overlay", "o.png")
    assert line.endswith("--overlay o.png: several questions need a folder")


def test_overlays_of_several_photographs_are_files_of_a_folder(photos, capsys):
    paint("more/a.jpg", 50)
    paint("more/A.b.png", 60)
    pictures = ["a.png", "more", "a.png", "c.png"]
    assert main(["caption", "--json", *pictures, "--overlay", "new/looks"]) == 0
    out, err = capsys.readouterr()
    assert len(records(out)) == 5 and err == ""
    assert files("new/looks") == ["A.b.png", "a-2.png", "a-3.png", "a.png", "c.png"]


def test_an_overlay_is_never_written_over_a_photograph_of_the_folder(photos):
    before = {path: path.read_bytes() for path in Path().rglob("*.png")}
    assert main(["caption", ".", "--overlay", "."]) == 0
    assert {path: path.read_bytes() for path in before} == before
    assert Path("a-2.png").exists() and Path("1.png").exists()


def test_an_overlay_goes_into_a_folder_that_exists(photos):
    Path("looks.png").mkdir()
    assert main(["caption", "a.png", "--overlay", "looks.png"]) == 0
    assert main(["caption", "sub", "--overlay", "looks.png"]) == 0
    assert files("looks.png") == ["1.png", "a.png"]


def test_overlays_of_requests_stdin_and_bad_photographs(photos):
    requests = b'{"image": "a.png"}\n{"image": "missing.png"}\n{}\n{"image": "b.png"}\n'
    result = run("caption", "--requests", "-", "--overlay", "looks", input=requests)
    assert result.returncode == 1
    assert result.stderr.count(b"\n") == 2
    assert files("looks") == ["a.png", "b.png"]
    result = run("caption", "-", "a.png", "--overlay", "looks", input=Path("b.png").read_bytes())
    assert (result.returncode, result.stderr) == (0, b"")
    assert files("looks") == ["a-2.png", "a.png", "b.png", "stdin.png"]
    result = run("caption", "-", "--overlay", "o.html", input=Path("b.png").read_bytes())
    assert (result.returncode, result.stdout) == (0, b"Red 20, take 1.\n")
    assert Path("o.html").exists()


def test_wrong_overlays_exit_2(photos, capsys):
    known = "unknown suffix; use one of .png, .jpg, .jpeg, .pdf, .svg, .gif, .html"
    assert usage_error(capsys, "a.png", "--overlay", "o.bmp").endswith(f"--overlay o.bmp: {known}")
    assert usage_error(capsys, "a.png", "--overlay", "o").endswith(f"--overlay o: {known}")
    line = usage_error(capsys, "a.png", "b.png", "--overlay", "o.png")
    assert line.endswith("--overlay o.png: several photographs need a folder")
    assert "several" in usage_error(capsys, "sub", "--overlay", "o.html")
    assert "itself" in usage_error(capsys, "a.png", "--overlay", "sub/../a.png")
    assert Double.calls == []
    assert not Path("o").exists() and not Path("o.png").exists()


def test_an_overlay_that_cannot_be_written_is_one_line_after_the_caption(photos, capsys):
    for name in ("missing/o.png", "missing/o.gif", "missing/o.html"):
        assert main(["caption", "a.png", "--overlay", name]) == 1
        out, err = capsys.readouterr()
        assert out == "Red 10, take 1.\n"
        assert err == f"captioner: {name}: No such file or directory\n"


def test_a_folder_of_overlays_that_cannot_be_made_is_one_line_before_captioning(photos, capsys):
    Path("taken").write_text("a file")
    assert main(["caption", "a.png", "b.png", "--overlay", "taken"]) == 1
    assert capsys.readouterr() == ("", "captioner: taken: File exists\n")
    assert Double.calls == []


def test_one_overlay_that_fails_does_not_stop_the_others(photos, monkeypatch, capsys):
    from captioner import overlay

    save = overlay.save

    def full(photograph, caption, path, question):
        if path.stem == "b":
            raise OSError(28, "No space left on device", str(path))
        save(photograph, caption, path, question)

    monkeypatch.setattr(overlay, "save", full)
    assert main(["caption", "a.png", "b.png", "c.png", "--overlay", "looks"]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert err == "captioner: looks/b.png: No space left on device\n"
    assert files("looks") == ["a.png", "c.png"]
