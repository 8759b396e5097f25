"""Lines of requests."""

import signal
import subprocess
from pathlib import Path

import pytest
from cli.double import command, environment, records, run

from captioner.cli import main

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


@pytest.fixture
def process(photos):
    """The program, waiting for requests."""
    process = subprocess.Popen(
        command("caption", "--requests", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        # The parent process may ignore interrupts, which is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        yield process
        process.kill()


def test_a_request_on_stdin_is_answered_before_the_next_one_comes(process):
    for name, red in (("a", 10), ("b", 20), ("b", 20)):
        process.stdin.write(b'{"image": "%s.png"}\n' % name.encode())
        process.stdin.flush()
        assert process.stdout.readline() == b"%s.png\tRed %d, take 1.\n" % (name.encode(), red)
    assert process.communicate() == (b"", b"") and process.returncode == 0


def test_an_interrupt_ends_it_while_it_waits_for_requests(process):
    process.stdin.write(b'{"image": "a.png"}\n')
    process.stdin.flush()
    assert process.stdout.readline() == b"a.png\tRed 10, take 1.\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert process.stderr.read() == b""


@pytest.mark.parametrize("arguments", ["-", "--requests -"])
def test_a_closed_stdin_is_said(photos, arguments):
    shell = ["sh", "-c", 'exec "$@" <&-', "sh"]
    result = subprocess.run(
        shell + command("caption", *arguments.split()),
        capture_output=True,
        env=environment(),
        timeout=60,
    )
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr == b"captioner: <stdin>: is closed; give a file\n"
