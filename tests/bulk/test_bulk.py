"""`captioner bulk` with a double in the place of the model."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from unittest import mock

import pytest
from bulk.shards import write_shard
from cli.double import Double, command, environment, paint, put_in_place
from pyarrow import parquet

from captioner.bulk.parts import Output
from captioner.cli import main

BROKEN = {3, 40, 69}


@pytest.fixture
def seventy(tmp_path, monkeypatch):
    """Seventy photographs in `p`, named after their red; three of them are broken."""
    put_in_place(monkeypatch.setitem)
    monkeypatch.setattr(Double, "calls", [])
    monkeypatch.setattr(Double, "asked", [])
    monkeypatch.chdir(tmp_path)
    for red in range(70):
        paint(f"p/{red:02}.png", red)
    for red in BROKEN:
        Path(f"p/{red:02}.png").write_bytes(b"")
    return tmp_path


def bulk(*options, source="p", output="out"):
    return main(["bulk", source, "--output", output, *options])


def table(folder="out"):
    return sorted(parquet.read_table(folder).to_pylist(), key=lambda record: record["row"])


def assert_each_exactly_once(records):
    assert [record["row"] for record in records] == list(range(70))
    for red, record in enumerate(records):
        assert record["path"] == f"p/{red:02}.png"
        assert record["caption"] == (None if red in BROKEN else f"Red {red}, take 1.")
        assert (record["error"] is not None) == (red in BROKEN)


def test_each_photograph_is_a_row_and_each_broken_one_an_error(seventy, capsys):
    assert bulk("--part-size", "20", "--top", "2") == 1
    assert capsys.readouterr() == (
        "",
        "captioner: out: 3 of 70 photographs failed; see column error\n",
    )
    records = table()
    assert_each_exactly_once(records)
    assert records[3]["error"].startswith("p/03.png: empty or not an image")
    assert records[4]["candidates"] == [
        {"caption": "Red 4, take 1.", "score": -0.5},
        {"caption": "Red 4, take 2.", "score": -1.0},
    ]
    assert (records[4]["score"], records[4]["confidence"]) == (-0.5, None)
    parts = [f"part-{number:05}.parquet" for number in range(4)]
    assert sorted(os.listdir("out")) == ["_manifest.json", *parts]


def test_answers_as_lines_of_json(seventy):
    assert bulk("--format", "jsonl", "--question", "what is red?") == 1
    lines = Path("out/part-00000.jsonl").read_text().splitlines()
    records = list(map(json.loads, lines))
    assert len(records) == 70
    answer = "what: red 0, take 1"
    assert records[0] == {
        "row": 0,
        "path": "p/00.png",
        "question": "what is red?",
        "answer": answer,
        "score": -0.5,
        "candidates": [{"answer": answer, "score": -0.5}],
    }
    assert set(records[3]) == {"row", "path", "question", "error"}


def test_started_again_it_writes_only_what_is_missing(seventy, capsys):
    bulk("--part-size", "20")
    whole = table()
    before = Path("out/part-00000.parquet").stat().st_mtime_ns
    Path("out/part-00001.parquet").unlink()
    Path("out/part-00002.parquet").write_bytes(b"PAR1")  # damaged
    Path("out/.unfinished-1").touch()
    Double.calls.clear()
    assert bulk("--part-size", "20") == 1
    assert sum(count for count, _ in Double.calls) == 39
    assert table() == whole
    assert Path("out/part-00000.parquet").stat().st_mtime_ns == before
    assert not Path("out/.unfinished-1").exists()
    assert capsys.readouterr().err.count("3 of 70 photographs failed") == 2
    Double.calls.clear()
    for engine in ("embedded", "ray"):  # all done: the broken ones are told again
        assert bulk("--part-size", "20", "--engine", engine) == 1
    assert Double.calls == []


@pytest.mark.parametrize("left", [0, 1, 19])
def test_a_part_of_json_lines_that_was_cut_at_a_line_end_is_written_again(seventy, left):
    options = ["--format", "jsonl", "--part-size", "20"]
    bulk(*options)
    part = Path("out/part-00001.jsonl")
    whole = part.read_bytes()
    part.write_bytes(b"".join(whole.splitlines(keepends=True)[:left]))
    Double.calls.clear()
    assert bulk(*options) == 1
    assert sum(count for count, _ in Double.calls) == 20
    assert part.read_bytes() == whole
    Double.calls.clear()
    assert bulk(*options) == 1 and Double.calls == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part-size", "9"], "part_size 20, not 9"),
        (["--top", "2"], "top 1, not 2"),
        (["--question", "what is red?"], "question None, not 'what is red?'"),
        (["--format", "jsonl"], "format 'parquet', not 'jsonl'"),
    ],
)
def test_other_settings_for_the_same_folder_are_refused(seventy, capsys, options, message):
    Output("out", "parquet", "caption").begin({})
    manifest = {"part_size": 20, "top": 1, "question": None, "format": "parquet"}
    Path("out/_manifest.json").write_text(json.dumps(manifest))
    begun = ["--part-size", "20", *options]
    assert bulk(*begun, source="p/00.png") == 1
    assert "out: was started with source None" in capsys.readouterr().err
    Path("out/_manifest.json").unlink()
    assert bulk("--part-size", "20", source="p/00.png") == 0
    capsys.readouterr()
    assert bulk(*begun, source="p/00.png") == 1
    err = capsys.readouterr().err
    assert err == (
        f"captioner: out: was started with {message}; "
        "repeat the same arguments, or choose a new folder\n"
    )


def test_another_source_or_a_folder_of_other_files_is_refused(seventy, capsys):
    assert bulk(source="p/0*.png") == 1
    paint("p/0x.png", 1)
    capsys.readouterr()
    assert bulk(source="p/0*.png") == 1
    assert "was started with names 10, not 11" in capsys.readouterr().err
    assert bulk(output="p") == 1
    assert capsys.readouterr().err == "captioner: p: contains other files; choose a new folder\n"
    Path("out/_manifest.json").write_text("[]")
    assert bulk() == 1
    message = "captioner: out/_manifest.json: not a manifest; choose a new folder\n"
    assert capsys.readouterr().err == message


def test_shards_and_remote_files_and_a_remote_output(seventy):
    paint("a.png", 5)
    data = Path("a.png").read_bytes()
    write_shard("0.tar", {"0.png": data, "0.txt": b"red", "1.png": b"no"})
    assert bulk(source="0.tar", output="memory://bulk-out") == 1
    assert bulk(source="0.tar") == 1
    first, second = table()
    assert first["path"] == "tar://0.png::0.tar" and first["caption"] == "Red 5, take 1."
    assert second["error"].startswith("tar://1.png::0.tar: empty or not an image")


def test_names_that_are_no_text_are_written_escaped(seventy):
    name = os.fsdecode(b"p\xff.png")
    paint(name, 5)
    assert bulk(source=name) == 0
    assert table()[0]["path"] == r"p\udcff.png"


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "[::1]:{}", "x:99999"])
def test_a_cluster_that_does_not_answer_is_one_line(seventy, capsys, monkeypatch, address):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = address.format(server.getsockname()[1])
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert bulk("--engine", "ray") == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"captioner: RAY_ADDRESS {address}: nothing answers there (")


@pytest.fixture
def ray(monkeypatch):
    """A double of Ray, whose cluster has no processors."""
    ray = types.ModuleType("ray")
    ray.data = types.ModuleType("ray.data")
    ray.data.DataContext = mock.Mock()
    ray.is_initialized, ray.cluster_resources = lambda: True, lambda: {"memory": 1.0}
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", ray.data)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    return ray


def test_a_cluster_that_does_not_start_is_one_line(seventy, capsys, ray):
    ray.is_initialized = lambda: False
    ray.init = mock.Mock(side_effect=RuntimeError("no node\nanswers"))
    assert bulk("--engine", "ray") == 1
    says = "captioner: RAY_ADDRESS auto: Ray does not start (no node answers)\n"
    assert capsys.readouterr() == ("", says)


def test_a_cluster_without_processors_is_one_line(seventy, capsys, ray):
    assert bulk("--engine", "ray") == 1
    says = "captioner: RAY_ADDRESS auto: the cluster has no CPUs; add machines to it\n"
    assert capsys.readouterr() == ("", says)


def test_a_wrong_question_is_a_wrong_call(seventy, capsys):
    with pytest.raises(SystemExit) as left:
        bulk("--question", "?")
    assert left.value.code == 2
    assert "has no words" in capsys.readouterr().err


def test_it_needs_neither_keras_nor_tensorflow():
    program = (
        "import sys, captioner.bulk.engines, captioner.runtime.onnx_captioner; print(*sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True
    ).stdout.split()
    assert "pyarrow" in modules and not {"keras", "tensorflow", "ray", "pandas"} & set(modules)


def test_killed_and_started_again_it_has_each_photograph_once(seventy):
    """`kill -9` while the second batch is written."""
    arguments = ["bulk", "p", "--output", "out", "--part-size", "16"]
    env = environment(HOLD=str(seventy / "go on"))
    process = subprocess.Popen(command(*arguments), env=env, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not Path("out/part-00000.parquet").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(os.listdir("out")) == 2
    assert main(arguments) == 1
    assert_each_exactly_once(table())
