"""Many photographs: batches, interrupts, readers that leave."""

import signal
import subprocess
from pathlib import Path

import pytest
from cli.double import Double, command, environment, paint, records

from captioner.cli import main

# Many photographs


@pytest.fixture
def seventy(tmp_path, monkeypatch, double):
    monkeypatch.chdir(tmp_path)
    for red in range(70):
        paint(f"{red:02}.png", red)
    return [f"{red:02}.png" for red in range(70)]


def test_many_photographs_go_in_batches_of_32(seventy, capsys):
    assert main(["caption", "--top", "1", "--beam", "2", *seventy]) == 0
    assert Double.calls == [(32, 2), (32, 2), (6, 2)]
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
    assert [images for images, _ in Double.calls] == [30, 30, 5]


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
