"""Broken pipes, encodings, signals, and the start of the program."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from cli.double import HEAVY, ROOT, command, environment, records, run
from PIL import Image

from captioner.cli import console

# stdout


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
