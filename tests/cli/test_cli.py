"""The command line, with a small double in the place of the model wherever that says enough."""

import inspect
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
import types
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

import captioner.evaluation
import captioner.training
from captioner.cli import console, main
from captioner.data.records import DatasetError
from captioner.data.vocabulary import SPECIAL, Vocabulary
from captioner.models.config import CaptionerConfig
from captioner.presets import DEFAULT_PRESET, PresetError

ROOT = Path(__file__).parents[2]
HEAVY = {"tensorflow", "keras", "numpy", "PIL", "matplotlib", "nltk", "h5py", "tqdm"}


class Word(NamedTuple):
    word: str
    probability: float
    attention: np.ndarray = np.full((2, 2), 0.25)


class Candidate(NamedTuple):
    text: str
    score: float


class Caption(NamedTuple):
    text: str
    score: float
    words: list[Word]
    candidates: list[Candidate]


class Double:
    """Captions a photograph by the red value of its first pixel, and answers questions by it."""

    config = CaptionerConfig(image_size=8, question_units=8, max_question_words=6)
    vocabulary = Vocabulary([*SPECIAL, "what", "is", "how", "red", "where"])
    calls: list[tuple[int, int, int]] = []  # (images, beam_width, top)
    asked: list[list[list[str | None]]] = []  # the questions of each call
    preset = None

    @classmethod
    def from_preset(cls, preset):
        if preset == "missing":
            raise PresetError("missing: no preset of that name")
        cls.preset = preset
        double = cls()
        if preset == "captions":
            double.config = replace(cls.config, question_units=0)
        return double

    def caption(self, images, beam_width=3, top=1):
        assert all(image.shape == (8, 8, 3) and image.dtype == "uint8" for image in images)
        self.calls.append((len(images), beam_width, top))
        if len(self.calls) == 2 and "HOLD" in os.environ:  # a second batch that takes its time
            deadline = time.monotonic() + 30
            while not os.path.exists(os.environ["HOLD"]):
                assert time.monotonic() < deadline, "nobody read the first batch"
                time.sleep(0.01)
        return [self.about(int(image[0, 0, 0]), top) for image in images]

    def answer(self, images, questions, beam_width=3, top=1):
        assert len(images) == len(questions) and self.config.question_units
        self.asked.append(questions)
        captions = self.caption(images, beam_width, top)
        return [
            [caption if q is None else self.answered(q, caption) for q in row]
            for row, caption in zip(questions, captions, strict=True)
        ]

    @staticmethod
    def answered(question, caption):
        """The caption in lower case behind the first word of the question."""
        candidates = [
            Candidate(f"{question.split()[0]}: {c.text.lower()[:-1]}", c.score)
            for c in caption.candidates
        ]
        return Caption(candidates[0].text, caption.score, caption.words, candidates)

    @staticmethod
    def about(red, top):
        candidates = [Candidate(f"Red {red}, take {n}.", -0.5 * n) for n in range(1, top + 1)]
        words = [Word("red", 0.75), Word(str(red), 0.5)]
        return Caption(candidates[0].text, candidates[0].score, words, candidates)


def stub(setitem, name, **attributes):
    """Put a module in the place of `captioner.<name>`."""
    module = types.ModuleType(f"captioner.{name}")
    vars(module).update(attributes)
    setitem(sys.modules, module.__name__, module)
    return module


def main_with_double():
    """The program of the tests that need a process of their own."""
    stub(dict.__setitem__, "models.captioner", Captioner=Double)
    sys.exit(main())


def command(*args):
    """The command line that runs `main_with_double`."""
    start = "import test_cli; test_cli.main_with_double()"
    return [sys.executable, "-c", start, *map(os.fsencode, args)]


def environment(**variables):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "cli")])
    # PYTHONUNBUFFERED would hide a flush that is missing.
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "", **variables}


def run(*args, **options):
    """Run the program with a double to its end."""
    options.setdefault("env", environment())
    return subprocess.run(command(*args), capture_output=True, timeout=60, **options)


@pytest.fixture
def double(monkeypatch):
    monkeypatch.setattr(Double, "calls", [])
    monkeypatch.setattr(Double, "asked", [])
    monkeypatch.setattr(Double, "preset", None)
    stub(monkeypatch.setitem, "models.captioner", Captioner=Double)


@pytest.fixture
def photos(tmp_path, monkeypatch, double):
    """Four photographs in the current folder: 1.png in two folders deep, a.png to c.png."""
    monkeypatch.chdir(tmp_path)
    for red, name in ((10, "a.png"), (20, "b.png"), (30, "c.png"), (40, "sub/deep/1.png")):
        paint(name, red)
    return tmp_path


def paint(path, red):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 7), (red, 0, 0)).save(path)


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def usage_error(capsys, *args):
    """The last line of a wrong call."""
    with pytest.raises(SystemExit) as exit:
        main(["caption", *args])
    assert exit.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: captioner")
    return err.splitlines()[-1]


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
    assert captured.err == "captioner: sub: files passed over: 3 (.mov 2, .txt 1)\n"
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


def test_the_example_is_the_portrait_of_matplotlib(photos, capsys):
    assert main(["caption", "--example"]) == 0
    alone = capsys.readouterr().out
    assert main(["caption", "a.png", "--example"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "a.png\tRed 10, take 1."
    path, caption = second.split("\t")
    assert path.endswith("grace_hopper.jpg") and os.path.isfile(path)
    assert caption + "\n" == alone


def test_photographs_may_follow_options_and_begin_with_a_dash(photos, capsys):
    paint("-d.png", 50)
    assert main(["caption", "a.png", "--beam", "4", "b.png", "--", "-d.png"]) == 0
    paths = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert paths == ["a.png", "b.png", "-d.png"]
    assert Double.calls == [(3, 4, 1)]


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
    assert Double.calls == [(1, beam, top)]


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
    wider = "--top 4 needs a beam at least as wide, not --beam 3"
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


@pytest.mark.parametrize("args", [[], ["paint", "a.png"], ["train", "a.png"], ["evaluate"]])
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
    assert err.startswith("captioner: none: files passed over: 1 (.txt 1)\n")
    assert "none: no photographs there" in err and err.count("\n") == 2


def test_nothing_but_bad_photographs_runs_no_model(photos, capsys):
    assert main(["caption", "--json", "x.png", "y.png"]) == 1
    assert [record["image"] for record in records(capsys.readouterr().out)] == ["x.png", "y.png"]
    assert Double.calls == []


# Requests

REQUESTS = (
    b'\xef\xbb\xbf{"image": "b.png", "caption": "What is red?", "id": 7}\n'
    b"\n"
    b"not JSON\n"
    b'{"image": "missing.png"}\r\n'
    b'{"picture": "a.png"}\n'
    b'{"image": 3}\n'
    b'["a.png"]\n' + b"[" * 100_000 + b"\n"
    b'{"image": "a.png"}'
)
MALFORMED = (3, 5, 6, 7, 8)


def check_answers_of_requests(result, name):
    assert result.returncode == 1
    assert result.stdout == b"b.png\tRed 20, take 1.\na.png\tRed 10, take 1.\n"
    lines = result.stderr.decode().splitlines()
    starts = [f"captioner: {name}:{number}: " for number in MALFORMED]
    starts.insert(1, "captioner: missing.png: ")
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)


def test_requests_of_a_file_are_answered_in_order(photos):
    Path("r.jsonl").write_bytes(REQUESTS)
    check_answers_of_requests(run("caption", "--requests", "r.jsonl"), "r.jsonl")


def test_requests_on_stdin_are_answered_in_order(photos):
    check_answers_of_requests(run("caption", "--requests", "-", input=REQUESTS), "<stdin>")


def test_malformed_requests_have_error_records(photos, capsys):
    Path("r.jsonl").write_bytes(REQUESTS)
    assert main(["caption", "--json", "--requests", "r.jsonl"]) == 1
    out, err = capsys.readouterr()
    answers = records(out)
    images = ["b.png", None, "missing.png", None, None, None, None, "a.png"]
    assert [answer["image"] for answer in answers] == images
    assert answers[1] == {"image": None, "error": "r.jsonl:3: not valid JSON"}
    expected = 'r.jsonl:5: not an object whose "image" is a path'
    assert answers[3] == {"image": None, "error": expected}
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert err.splitlines() == [f"captioner: {error}" for error in errors]


def test_one_request_counts_as_several(photos, capsys):
    Path("r.jsonl").write_text('{"image": "a.png"}\n')
    assert main(["caption", "--requests", "r.jsonl"]) == 0
    assert capsys.readouterr().out == "a.png\tRed 10, take 1.\n"


def test_requests_follow_the_photographs(photos, capsys):
    Path("r.jsonl").write_text('{"image": "a.png"}\n')
    assert main(["caption", "--requests", "r.jsonl", "c.png"]) == 0
    assert capsys.readouterr().out == "c.png\tRed 30, take 1.\na.png\tRed 10, take 1.\n"


def test_a_missing_file_of_requests(photos, capsys):
    assert main(["caption", "--requests", "missing.jsonl"]) == 1
    message = "captioner: missing.jsonl: No such file or directory\n"
    assert capsys.readouterr() == ("", message)


# Questions

WHAT, HOW = "what is red?", "How red is it?"


def test_one_question_about_one_photograph_is_its_answer_alone(photos, capsys):
    assert main(["caption", "a.png", "--question", WHAT]) == 0
    assert capsys.readouterr() == ("what: red 10, take 1\n", "")
    assert Double.asked == [[[WHAT]]]


def test_several_photographs_and_questions_are_told_apart(photos, capsys):
    assert main(["caption", "a.png", "--question", WHAT, "--question", HOW]) == 0
    expected = f"{WHAT}\twhat: red 10, take 1\n{HOW}\tHow: red 10, take 1\n"
    assert capsys.readouterr().out == expected
    assert main(["caption", "a.png", "--question", WHAT, "b.png"]) == 0
    expected = "a.png\twhat: red 10, take 1\nb.png\twhat: red 20, take 1\n"
    assert capsys.readouterr().out == expected
    asked = ["--question", HOW, "--question", WHAT, "--top", "2"]
    assert main(["caption", "a.png", "missing.png", "b.png", *asked]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{name}\t{question}\t{question.split()[0]}: red {red}, take {take}"
        for name, red in (("a.png", 10), ("b.png", 20))
        for question in (HOW, WHAT)
        for take in (1, 2)
    ]
    assert err.startswith("captioner: missing.png: ") and err.count("\n") == 1
    assert Double.calls[-1] == (2, 3, 2) and Double.asked[-1] == [[HOW, WHAT], [HOW, WHAT]]


def test_a_question_is_one_field_of_a_line(photos, capsys):
    assert main(["caption", "sub", "a.png", "--question", "what\t is\nred", "--question", HOW]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "sub/deep/1.png\twhat is red\twhat: red 40, take 1"
    assert len(out) == 4


def test_json_of_answers(photos, capsys):
    asked = ["--question", WHAT, "--question", HOW]
    assert main(["caption", "--json", "a.png", "missing.png", *asked]) == 1
    out, err = capsys.readouterr()
    first, second, *bad = records(out)
    assert first == {
        "image": "a.png",
        "question": WHAT,
        "answer": "what: red 10, take 1",
        "score": -0.5,
        "words": [{"word": "red", "probability": 0.75}, {"word": "10", "probability": 0.5}],
        "candidates": [{"answer": "what: red 10, take 1", "score": -0.5}],
    }
    assert (second["question"], second["answer"]) == (HOW, "How: red 10, take 1")
    message = err.removeprefix("captioner: ").rstrip("\n")
    assert "\n" not in message
    assert bad == [{"image": "missing.png", "question": q, "error": message} for q in (WHAT, HOW)]


@pytest.mark.parametrize("question", ["", "  ", "???", "。！"])
def test_a_question_without_words_is_a_wrong_call(photos, capsys, question):
    line = usage_error(capsys, "a.png", "--question", WHAT, "--question", question)
    assert line.endswith(f"error: --question {question!r}: has no words; ask something")


def test_a_question_beside_requests_is_a_wrong_call(photos, capsys):
    line = usage_error(capsys, "a.png", "--question", WHAT, "--requests", "-")
    assert line.endswith("--question is about each PHOTO; a request has a question of its own")


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ("red " * 10_000, "has 10000 words, of which only the first 6 are read"),
        ("Где собака?", "none of its words is known, so the answer ignores it"),
        ("狗在哪里？", "none of its words is known, so the answer ignores it"),
    ],
)
def test_what_is_not_read_of_a_question_is_said_once(photos, capsys, question, note):
    assert main(["caption", "a.png", "b.png", "--question", question, "--question", "is it?"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert err.startswith(f"captioner: question '{question[:5]}")
    assert err.endswith(f"': {note}\n") and err.count("\n") == 1 and len(err) < 200


def test_what_stdout_cannot_encode_of_a_question_is_escaped(photos, capsys):
    Path("r.jsonl").write_text(r'{"image": "a.png", "question": "red \ud800 \u0447\u0442\u043e"}')
    assert main(["caption", "--requests", "r.jsonl"]) == 0
    assert capsys.readouterr().out == "a.png\tred \\ud800 что\tred: red 10, take 1\n"


def test_a_preset_that_only_captions_is_not_asked(photos, capsys):
    message = (
        "captions: only captions, for it was trained without questions; "
        "name a preset that answers them"
    )
    weights = ["--weights", "captions"]
    assert main(["caption", "a.png", "--question", WHAT, *weights]) == 1
    assert capsys.readouterr() == ("", f"captioner: {message}\n")
    request = {"image": "a.png", "question": WHAT}
    Path("r.jsonl").write_text(json.dumps(request) + '\n{"image": "b.png"}\n')
    assert main(["caption", "--requests", "r.jsonl", *weights]) == 1
    expected = ("b.png\tRed 20, take 1.\n", f"captioner: r.jsonl:1: {message}\n")
    assert capsys.readouterr() == expected


ASKING = (
    {"image": "a.png"},
    {"image": "a.png", "question": WHAT},
    {"image": "b.png", "question": HOW},
    {"image": "b.png", "question": "..."},
    {"image": "b.png", "question": "кто?"},
    {"image": "missing.png", "question": WHAT},
    {"image": "a.png", "question": 3},
    {"question": WHAT},
    {"image": "a.png", "question": None},
)


def test_requests_with_and_without_questions_are_answered_in_order(photos, capsys):
    Path("r.jsonl").write_text("".join(f"{json.dumps(request)}\n" for request in ASKING))
    assert main(["caption", "--requests", "r.jsonl"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "a.png\tRed 10, take 1.",
        f"a.png\t{WHAT}\twhat: red 10, take 1",
        f"b.png\t{HOW}\tHow: red 20, take 1",
        "b.png\tкто?\tкто?: red 20, take 1",
        "a.png\tRed 10, take 1.",
    ]
    lines = [line.removeprefix("captioner: ") for line in err.splitlines()]
    problems = [
        "r.jsonl:4: the question '...' has no words",
        "r.jsonl:5: question 'кто?': none of its words is known, so the answer ignores it",
        lines[2],
        'r.jsonl:7: "question" is not a string',
        'r.jsonl:8: not an object whose "image" is a path',
    ]
    assert lines == problems and lines[2].startswith("missing.png: ")

    # Neighbours about the same photograph are one photograph to the model.
    assert Double.asked == [[[None, WHAT], [HOW], ["кто?"], [None]]]

    assert main(["caption", "--json", "--requests", "r.jsonl"]) == 1
    answers = records(capsys.readouterr().out)
    assert [(a["image"], a.get("question")) for a in answers] == [
        (r.get("image"), q if isinstance(q := r.get("question"), str) else None) for r in ASKING
    ]
    kinds = [next(k for k in ("caption", "answer", "error") if k in answer) for answer in answers]
    expected = "caption answer answer error answer error error error caption"
    assert kinds == expected.split()
    assert [answer["error"] for answer in answers if "error" in answer] == [
        problems[0],
        *problems[2:],
    ]


def test_questions_go_in_batches_of_bounded_size(photos, monkeypatch, capsys):
    monkeypatch.setattr("captioner.cli.caption.MOST_ASKED", 5)
    three = [arg for question in ("what", "how", "where") for arg in ("--question", question)]
    assert main(["caption", "a.png", "b.png", "c.png", *three]) == 0
    assert [len(call) for call in Double.asked] == [2, 1]
    assert len(capsys.readouterr().out.splitlines()) == 9
    # What is asked of a photograph on the command line is asked together.
    Double.asked.clear()
    assert main(["caption", "a.png", "b.png", *three, *three]) == 0
    assert [[len(row) for row in call] for call in Double.asked] == [[6], [6]]
    assert len(capsys.readouterr().out.splitlines()) == 12
    Double.asked.clear()
    requests = [{"image": "a.png", "question": f"what {n}"} for n in range(12)]
    Path("r.jsonl").write_text("".join(f"{json.dumps(request)}\n" for request in requests))
    assert main(["caption", "--json", "--requests", "r.jsonl"]) == 0
    assert [[len(row) for row in call] for call in Double.asked] == [[5], [5], [2]]
    answers = records(capsys.readouterr().out)
    assert [answer["question"] for answer in answers] == [f"what {n}" for n in range(12)]


def test_a_real_model_encodes_each_photograph_once(toy, tmp_path, monkeypatch, capsys):
    from captioner.generation import loop

    encoded, encode = [], loop.encode

    def counted(captioner, photographs):
        encoded.append(len(photographs))
        return encode(captioner, photographs)

    monkeypatch.setattr(loop, "encode", counted)
    monkeypatch.chdir(tmp_path)
    model = toy(question_units=8, max_question_words=4)
    model.save_to_preset("toy")
    for red, name in ((10, "a.png"), (250, "b.png")):
        paint(name, red)
    words = ["dog", "cat", "man", "red", "left"] * 2
    asked = [arg for word in words for arg in ("--question", f"the {word}?")]
    assert main(["caption", "--json", "a.png", "b.png", *asked, "--weights", "toy"]) == 0
    out, err = capsys.readouterr()
    answers = records(out)
    assert (encoded, err, len(answers)) == ([2], "", 20)
    again = type(model).from_preset("toy").answer(["a.png", "b.png"], [f"the {w}?" for w in words])
    assert [answer["answer"] for answer in answers] == [a.text for row in again for a in row]
    scores = [a.score for row in again for a in row]
    assert [answer["score"] for answer in answers] == pytest.approx(scores)


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


# Many photographs


@pytest.fixture
def seventy(tmp_path, monkeypatch, double):
    monkeypatch.chdir(tmp_path)
    for red in range(70):
        paint(f"{red:02}.png", red)
    return [f"{red:02}.png" for red in range(70)]


def test_many_photographs_go_in_batches_of_32(seventy, capsys):
    assert main(["caption", "--top", "1", "--beam", "2", *seventy]) == 0
    assert Double.calls == [(32, 2, 1), (32, 2, 1), (6, 2, 1)]
    expected = [f"{red:02}.png\tRed {red}, take 1." for red in range(70)]
    assert capsys.readouterr().out.splitlines() == expected


def test_bad_photographs_among_many_keep_the_order(seventy, capsys):
    bad = {0, 31, 32, 50, 69}
    for red in bad:
        Path(seventy[red]).write_bytes(b"")
    assert main(["caption", "--json", *seventy]) == 1
    out, err = capsys.readouterr()
    answers = records(out)
    assert len(answers) == 70
    for red, record in enumerate(answers):
        assert record["image"] == seventy[red]
        assert record.get("caption") == (None if red in bad else f"Red {red}, take 1.")
    assert len(err.splitlines()) == len(bad)
    assert [images for images, _, _ in Double.calls] == [30, 30, 5]


@pytest.fixture
def held(seventy, tmp_path):
    """A process whose first batch is written while the second waits for a file to appear."""
    gate = tmp_path / "go on"
    # A shell's background job ignores interrupts, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command("caption", *seventy),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(HOLD=str(gate)),
    )
    signal.signal(signal.SIGINT, before)
    process.gate = gate
    with process:
        yield process
        process.kill()


def first_batch(process):
    lines = [process.stdout.readline().decode() for _ in range(32)]
    assert lines == [f"{red:02}.png\tRed {red}, take 1.\n" for red in range(32)]


def test_a_batch_is_written_before_the_next_one_is_computed(held):
    first_batch(held)
    held.gate.touch()
    out, err = held.communicate(timeout=60)
    assert out.decode().splitlines()[0] == "32.png\tRed 32, take 1."
    assert len(out.splitlines()) == 70 - 32
    assert (held.returncode, err) == (0, b"")


def test_an_interrupt_keeps_what_is_done_and_exits_130(held):
    first_batch(held)
    held.send_signal(signal.SIGINT)
    out, err = held.communicate(timeout=60)
    assert (held.returncode, out, err) == (130, b"", b"")


def test_a_reader_that_leaves_ends_the_program_quietly(held):
    first_batch(held)
    held.stdout.close()
    held.gate.touch()
    assert held.stderr.read() == b""
    assert held.wait(timeout=60) == 0


# The other subcommands


@pytest.fixture
def training(monkeypatch):
    """The arguments that `captioner.training.train` was called with."""

    class TrainingError(ValueError):
        pass

    calls = []

    def train(datasets, **settings):
        calls.append((datasets, settings))
        if datasets[0][0] == "unknown":
            raise DatasetError("no data set format 'unknown'")
        if settings["output"] == Path("taken"):
            raise TrainingError("taken: holds another run")

    module = stub(monkeypatch.setitem, "training.train", train=train, TrainingError=TrainingError)
    monkeypatch.setattr(captioner.training, "train", module, raising=False)
    return calls


REQUIRED = ["--dataset", "flickr8k", "--root", "data"]


def test_train_passes_on_what_is_given_and_nothing_else(training, capsys):
    every = "--encoder VGG16 --encoder-weights vgg.h5 --fine-tune --epochs 2 --fine-tune-epochs 1"
    every += " --batch-size 8 --seed 5"
    assert main(["train", *REQUIRED, "--output", "new"]) == 0
    assert main(["train", *REQUIRED, "--output", "new", *every.split()]) == 0
    datasets, required = [("flickr8k", Path("data"))], {"output": Path("new")}
    options = {
        "encoder": "VGG16",
        "encoder_weights": "vgg.h5",
        "fine_tune": True,
        "epochs": 2,
        "fine_tune_epochs": 1,
        "batch_size": 8,
        "seed": 5,
    }
    assert training == [(datasets, required), (datasets, required | options)]
    assert capsys.readouterr() == ("", "")


def test_train_takes_several_datasets_each_with_its_root(training, capsys):
    second = ["--dataset", "daquar", "--root", "more"]
    assert main(["train", *REQUIRED, *second, "--output", "new"]) == 0
    ((datasets, _),) = training
    assert datasets == [("flickr8k", Path("data")), ("daquar", Path("more"))]
    with pytest.raises(SystemExit) as left:
        main(["train", *REQUIRED, "--dataset", "daquar", "--output", "new"])
    assert left.value.code == 2
    assert "every --dataset needs its --root" in capsys.readouterr().err


def test_train_reports_errors_in_one_line(training, capsys):
    assert main(["train", "--dataset", "unknown", "--root", "data", "--output", "new"]) == 1
    assert capsys.readouterr() == ("", "captioner: no data set format 'unknown'\n")
    assert main(["train", *REQUIRED, "--output", "taken"]) == 1
    assert capsys.readouterr() == ("", "captioner: taken: holds another run\n")


def test_evaluate_passes_its_arguments_on_and_prints_the_table(monkeypatch, capsys):
    calls = []

    def evaluate(*split, **settings):
        calls.append((*split, settings))
        return "scores"

    table = "table of {}".format
    module = stub(monkeypatch.setitem, "evaluation.evaluate", evaluate=evaluate, table=table)
    monkeypatch.setattr(captioner.evaluation, "evaluate", module, raising=False)
    options = ["--weights", "mine", "--output", "results", "--beam", "5", "--record"]
    options += ["--task", "vqa"]
    assert main(["evaluate", *REQUIRED, "--split", "dev"]) == 0
    assert capsys.readouterr() == ("table of scores\n", "")
    assert main(["evaluate", *REQUIRED, "--split", "test", *options]) == 0
    plain = {"weights": DEFAULT_PRESET, "output": None, "beam": 3, "record": False}
    given = {"weights": "mine", "output": Path("results"), "beam": 5, "record": True}
    assert calls == [
        ("flickr8k", Path("data"), "dev", {"task": "captions", **plain}),
        ("flickr8k", Path("data"), "test", {"task": "vqa", **given}),
    ]


def test_train_and_evaluate_take_these_arguments():
    """The stubs above would accept anything."""
    from captioner.evaluation.evaluate import evaluate
    from captioner.training.train import train

    names = "datasets output encoder encoder_weights fine_tune epochs fine_tune_epochs"
    inspect.signature(train).bind(**dict.fromkeys(f"{names} batch_size seed".split()))
    names = "task weights output beam record"
    inspect.signature(evaluate).bind("flickr8k", "data", "dev", **dict.fromkeys(names.split()))


def test_a_defect_keeps_its_traceback(photos, monkeypatch):
    monkeypatch.setattr(Double, "about", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["caption", "a.png"])


# What surrounds stdout


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_paths_are_written_as_their_own_bytes(photos, encoding):
    names = [b"\xff\xfe.png", "\u00e9.png".encode()]
    for name in names:
        Path(os.fsdecode(name)).write_bytes(Path("a.png").read_bytes())
    env = environment(PYTHONIOENCODING=encoding, PYTHONUTF8="1")

    result = run("caption", *map(os.fsdecode, names), "missing\udcff.png", env=env)
    assert result.stdout == b"".join(name + b"\tRed 10, take 1.\n" for name in names)
    assert result.returncode == 1
    assert result.stderr.startswith(b"captioner: missing\\udcff.png: ")

    result = run("caption", "--json", *map(os.fsdecode, names), "missing\udcff.png", env=env)
    written = [os.fsencode(record["image"]) for record in records(result.stdout.decode("utf-8"))]
    assert written == [*names, b"missing\xff.png"]
    assert "\u00e9".encode() in result.stdout


def test_json_paths_come_back_as_requests(photos):
    name = b"\xff.png"
    Path(os.fsdecode(name)).write_bytes(Path("a.png").read_bytes())
    answer = run("caption", "--json", os.fsdecode(name)).stdout
    raw = b'{"image": "\xff.png"}\n'
    result = run("caption", "--requests", "-", input=answer + raw)
    assert result.stdout == 2 * (name + b"\tRed 10, take 1.\n")


def test_stderr_may_be_closed(photos):
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    result = subprocess.run(
        shell + command("caption", "missing.png", "a.png"), stdout=-1, env=environment(), timeout=60
    )
    assert (result.returncode, result.stdout) == (1, b"a.png\tRed 10, take 1.\n")


@pytest.mark.parametrize(("names", "bar"), [(["a.png", "b.png"], True), (["a.png"], False)])
def test_a_terminal_shows_progress_of_several_photographs(photos, names, bar):
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 80))
    result = subprocess.run(
        command("caption", *names), stdout=-1, stderr=stderr, env=environment(), timeout=60
    )
    os.set_blocking(terminal, False)
    try:
        shown = os.read(terminal, 10_000)
    except BlockingIOError:
        shown = b""
    os.close(terminal)
    os.close(stderr)
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == len(names)
    assert (b"0/2" in shown) == bar
    assert bar or shown == b""


def test_warnings_of_pillow_about_metadata_are_kept_back(photos):
    torn = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    Image.new("RGB", (9, 7), (10, 0, 0)).save("torn.jpg", exif=torn)
    result = run("caption", "torn.jpg")
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("args", [["--help"], ["caption", "--help"], ["train", "--help"]])
def test_help_waits_for_nothing_heavy(args):
    code = (
        "import sys\n"
        "from captioner.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(*sys.modules, file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, env=environment()
    )
    assert result.returncode == 0
    assert result.stdout.startswith("usage: captioner ")
    modules = set(result.stderr.split())
    assert "captioner.cli" in modules
    assert modules & HEAVY == set()


def test_the_script_is_the_module(tmp_path):
    starts = [str(ROOT / "caption.py")], ["-m", "captioner", "caption"]
    script, module = (
        subprocess.run(
            [sys.executable, *start, "--help"], capture_output=True, env=environment(), cwd=tmp_path
        )
        for start in starts
    )
    assert script.returncode == module.returncode == 0
    assert script.stdout == module.stdout != b""


def test_tensorflow_prints_nothing_and_stderr_is_given_back(tmp_path):
    code = (
        "import os\n"
        "from captioner.cli.console import quiet_import\n"
        "with quiet_import():\n"
        "    import tensorflow as tf\n"
        "print(float(tf.function(lambda x: x + 1, jit_compile=True)(tf.ones([]))))\n"
        "[tf.function(lambda x: x)(n) for n in range(9)]\n"
        "os.write(2, b'open again')\n"
    )
    env = environment()
    env.pop("TF_CPP_MIN_LOG_LEVEL", None)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, timeout=120)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"2.0\n", b"open again")


@pytest.mark.parametrize(("level", "heard"), [("0", "noise, end"), ("2", "end"), ("3", "end")])
def test_an_import_that_fails_gives_stderr_back(monkeypatch, capfd, level, heard):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    with pytest.raises(ImportError), console.quiet_import():
        os.write(2, b"noise, ")
        raise ImportError
    os.write(2, b"end")
    assert capfd.readouterr().err == heard
