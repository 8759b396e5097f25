"""Captions of photographs, of folders and of stdin; calls and photographs that are wrong."""

import json
import os
import struct
from pathlib import Path

import pytest
from cli.double import Double, paint, records, run, usage_error
from PIL import Image

from captioner.cli import main
from captioner.presets import DEFAULT_PRESET

# One photograph, several, folders, stdin


def test_one_photograph_is_its_caption_alone(photos, capsys):
    assert main(["caption", "a.png"]) == 0
    assert capsys.readouterr() == ("Red 10, take 1.\n", "")


def test_several_photographs_are_path_tab_caption_in_the_order_given(photos, capsys):
    assert main(["caption", "c.png", "./a.png", "b.png"]) == 0
    assert capsys.readouterr() == (
        "c.png\tRed 30, take 1.\n./a.png\tRed 10, take 1.\nb.png\tRed 20, take 1.\n",
        "",
    )


def test_a_folder_is_read_recursively_and_sorted(photos, capsys):
    assert main(["caption", str(photos)]) == 0
    lines = capsys.readouterr().out.splitlines()
    paths, captions = zip(*(line.split("\t") for line in lines), strict=True)
    names = ("a.png", "b.png", "c.png", "sub/deep/1.png")
    assert paths == tuple(str(photos / name) for name in names)
    assert captions == tuple(f"Red {red}, take 1." for red in (10, 20, 30, 40))


def test_a_folder_of_one_photograph_counts_as_several(photos, capsys):
    assert main(["caption", "sub"]) == 0
    assert capsys.readouterr().out == "sub/deep/1.png\tRed 40, take 1.\n"


def test_what_a_folder_holds_besides_photographs_is_counted(photos, capsys):
    for name in ("notes.txt", "film.mov", "other.MOV"):
        Path("sub", name).touch()
    assert main(["caption", "sub"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "captioner: sub: files skipped: 3 (.mov 2, .txt 1)\n"
    assert len(captured.out.splitlines()) == 1


def test_a_subfolder_that_cannot_be_read_is_named(photos, capsys, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    Path("sub/locked").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    assert main(["caption", "sub"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "captioner: sub/locked: cannot be read (Permission denied)\n"
    assert len(captured.out.splitlines()) == 1


def test_control_characters_in_names_do_not_break_a_line(photos, capsys):
    name = "a\nb\tc\x1b[31m\u2028.png"
    Path("a.png").rename(name)
    assert main(["caption", name, "b.png", "missing\n\x1b.png"]) == 1
    captured = capsys.readouterr()
    first, _ = captured.out.splitlines()
    assert first.split("\t")[0] == r"a\nb\tc\x1b[31m\u2028.png"
    assert captured.err.count("\n") == 1 and "\x1b" not in captured.err
    assert main(["caption", "--json", name]) == 0
    assert json.loads(capsys.readouterr().out)["image"] == name


def test_a_photograph_on_stdin(photos):
    result = run("caption", "-", input=Path("b.png").read_bytes())
    assert (result.returncode, result.stdout, result.stderr) == (0, b"Red 20, take 1.\n", b"")


def test_a_photograph_on_stdin_among_others(photos):
    result = run("caption", "a.png", "-", input=Path("b.png").read_bytes())
    assert result.stdout == b"a.png\tRed 10, take 1.\n-\tRed 20, take 1.\n"


def test_nothing_on_stdin(photos):
    result = run("caption", "-", input=b"")
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.startswith(b"captioner: <stdin>: ")
    assert result.stderr.count(b"\n") == 1


def test_the_example_comes_after_the_photographs(photos, capsys):
    assert main(["caption", "--example"]) == 0
    alone = capsys.readouterr().out
    assert main(["caption", "a.png", "--example"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "a.png\tRed 10, take 1."
    path, caption = second.split("\t")
    assert path.endswith("example.jpg") and os.path.isfile(path)
    assert caption + "\n" == alone


def test_photographs_may_follow_options_and_begin_with_a_dash(photos, capsys):
    paint("-d.png", 50)
    assert main(["caption", "a.png", "--beam", "4", "b.png", "--", "-d.png"]) == 0
    paths = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert paths == ["a.png", "b.png", "-d.png"]
    assert Double.calls == [(3, 4)]


# --json, --top, --beam, --weights


def test_json_of_one_photograph_has_exactly_these_fields(photos, capsys):
    assert main(["caption", "--json", "a.png"]) == 0
    out, err = capsys.readouterr()
    assert records(out) == [
        {
            "image": "a.png",
            "caption": "Red 10, take 1.",
            "score": -0.5,
            "words": [
                {"word": "red", "probability": 0.75},
                {"word": "10", "probability": 0.5},
            ],
            "candidates": [{"caption": "Red 10, take 1.", "score": -0.5}],
        }
    ]
    assert err == ""


def test_json_lists_the_candidates_of_top(photos, capsys):
    assert main(["caption", "--json", "--top", "2", "a.png", "b.png"]) == 0
    assert [record["candidates"] for record in records(capsys.readouterr().out)] == [
        [
            {"caption": f"Red {red}, take 1.", "score": -0.5},
            {"caption": f"Red {red}, take 2.", "score": -1.0},
        ]
        for red in (10, 20)
    ]


def test_json_of_a_bad_photograph_is_image_and_error(photos, capsys):
    assert main(["caption", "--json", "missing.png", "a.png"]) == 1
    out, err = capsys.readouterr()
    bad, good = records(out)
    assert set(bad) == {"image", "error"}
    assert bad["image"] == "missing.png"
    assert err == f"captioner: {bad['error']}\n"
    assert good["caption"] == "Red 10, take 1."


def test_top_of_one_photograph_is_a_candidate_a_line(photos, capsys):
    assert main(["caption", "a.png", "--top", "2"]) == 0
    assert capsys.readouterr().out == "Red 10, take 1.\nRed 10, take 2.\n"


def test_top_of_several_photographs_repeats_the_path(photos, capsys):
    assert main(["caption", "a.png", "b.png", "--top", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "a.png\tRed 10, take 1.",
        "a.png\tRed 10, take 2.",
        "b.png\tRed 20, take 1.",
        "b.png\tRed 20, take 2.",
    ]


@pytest.mark.parametrize(
    ("args", "beam", "top"),
    [
        ([], 3, 1),
        (["--beam", "1"], 1, 1),
        (["--top", "2"], 3, 2),
        (["--top", "7"], 7, 7),  # widens a beam that was left open
        (["--top", "5", "--beam", "5"], 5, 5),
    ],
)
def test_beam_and_top_reach_the_model(photos, args, beam, top):
    assert main(["caption", "a.png", *args]) == 0
    assert Double.calls == [(1, beam)]


def test_weights_name_the_preset(photos):
    assert main(["caption", "a.png"]) == 0
    assert Double.preset == DEFAULT_PRESET
    assert main(["caption", "a.png", "--weights", "runs/mine"]) == 0
    assert Double.preset == "runs/mine"


def test_missing_weights_are_one_line_and_exit_1(photos, capsys):
    assert main(["caption", "a.png", "--weights", "missing"]) == 1
    assert capsys.readouterr() == ("", "captioner: missing: no preset of that name\n")


# Wrong calls


def test_wrong_calls_exit_2(photos, capsys):
    wider = "--top 4 needs an equal or wider beam, not --beam 3"
    assert usage_error(capsys, "a.png", "--beam", "3", "--top", "4").endswith(f"error: {wider}")
    assert "no photograph given" in usage_error(capsys)
    assert "stdin can be read only once" in usage_error(capsys, "-", "-")
    assert "stdin can be read only once" in usage_error(capsys, "-", "--requests", "-")
    assert usage_error(capsys, "a.png", "--bogus", "b.png").endswith("arguments: --bogus")
    assert Double.calls == []


@pytest.mark.parametrize("option", ["--beam", "--top"])
@pytest.mark.parametrize("value", ["0", "-1", "2.5", "many", ""])
def test_widths_are_whole_numbers_from_1_up(photos, capsys, option, value):
    line = usage_error(capsys, "a.png", option, value)
    assert line.endswith(f"argument {option}: must be a whole number from 1 up, not {value!r}")


@pytest.mark.parametrize("args", [["paint", "a.png"], ["train", "a.png"], ["evaluate"]])
def test_wrong_subcommands_exit_2(args):
    with pytest.raises(SystemExit) as exit:
        main(args)
    assert exit.value.code == 2


# Bad photographs


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.jpg", None),
        ("text.jpg", b"This is no photograph.\n"),
        ("empty.jpg", b""),
        ("two\nlines.jpg", b""),
        ("truncated.jpg", "half"),
    ],
)
def test_a_bad_photograph_is_one_line_and_does_not_stop_the_others(photos, capsys, name, content):
    if content == "half":
        Image.effect_noise((64, 64), 50).save(name)
        content = Path(name).read_bytes()[:-900]
    if content is not None:
        Path(name).write_bytes(content)

    assert main(["caption", name]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"captioner: {name.replace(chr(10), ' ')}: ")
    assert err.count("\n") == 1

    assert main(["caption", "b.png", name, "a.png"]) == 1
    assert capsys.readouterr() == ("b.png\tRed 20, take 1.\na.png\tRed 10, take 1.\n", err)


def test_a_folder_without_photographs(photos, capsys):
    Path("none").mkdir()
    Path("none/notes.txt").write_text("nothing to see")
    assert main(["caption", "none", "a.png"]) == 1
    out, err = capsys.readouterr()
    assert out == "a.png\tRed 10, take 1.\n"
    assert err.startswith("captioner: none: files skipped: 1 (.txt 1)\n")
    assert "none: has no photographs" in err and err.count("\n") == 2


def test_nothing_but_bad_photographs_runs_no_model(photos, capsys):
    assert main(["caption", "--json", "x.png", "y.png"]) == 1
    assert [record["image"] for record in records(capsys.readouterr().out)] == ["x.png", "y.png"]
    assert Double.calls == []


def test_what_pillow_logs_of_a_broken_tiff_is_not_a_second_line(photos):
    """With more samples a pixel than it decodes, Pillow logs an error before it raises one."""
    Image.new("RGB", (9, 7)).save("a.tif")
    content = bytearray(Path("a.tif").read_bytes())
    (entries,) = struct.unpack_from(
        "<H", content, offset := struct.unpack_from("<I", content, 4)[0]
    )
    for entry in range(offset + 2, offset + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", content, entry)[0] == 277:  # SamplesPerPixel
            struct.pack_into("<H", content, entry + 8, 60_000)
    Path("a.tif").write_bytes(content)
    result = run("caption", "a.tif")
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.count(b"\n") == 1 and result.stderr.startswith(b"captioner: a.tif: ")
