"""`captioner watch`, with a small double in the place of the model."""

import re
import signal
import subprocess

import pytest
from cli.double import Double, command, environment, paint
from watch.devices import MOSQUITTO, Subscriber, broker, camera, free_port, picture, wait

from captioner.cli import main, watch
from captioner.generation.results import Caption

NOW = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"


@pytest.fixture
def looks(monkeypatch, double):
    """Runs the command, does something after each look, and interrupts it after the last."""

    def run(arguments, *after):
        actions = iter(after)

        def sleep(seconds):
            action = next(actions, None)
            if action is None:
                raise KeyboardInterrupt
            action()

        monkeypatch.setattr(watch.time, "sleep", sleep)
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        assert main(["watch", *map(str, arguments)]) == 130

    return run


def nothing():
    pass


def test_a_camera_is_told_of_when_its_answer_has_changed(looks, capsys):
    reds = iter((10, 10, 20, 10, 20, 20, 20))
    with camera(lambda _: (200, {}, [picture(next(reds))])) as url:
        looks([url, "--question", "what is red?"], *[nothing] * 6)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"{NOW}\twhat: red 10, take 1\t-", first)
    assert re.fullmatch(rf"{NOW}\twhat: red 20, take 1\t-", second)


def test_a_confidence_is_printed(looks, capsys, monkeypatch):
    monkeypatch.setattr(Double, "about", lambda *_: Caption("Red.", 0, [], [], 0.456))
    with camera(lambda _: (200, {}, [picture()])) as url:
        looks([url])
    assert capsys.readouterr().out.endswith("\tRed.\t0.46\n")


def test_an_error_of_a_camera_is_told_once_until_it_ends(looks, capsys):
    answers = iter([(404, {}, []), (404, {}, []), (200, {}, [picture(10)]), (404, {}, [])])
    with camera(lambda _: next(answers)) as url:
        looks([url.replace("://", "://ann:secret@")], *[nothing] * 3)
    out, err = capsys.readouterr()
    place = url.removesuffix("/picture.png")
    assert err == f"captioner: {place}: no picture (status 404); trying again\n" * 2
    assert len(out.splitlines()) == 1


def test_the_new_photographs_of_a_folder(looks, photos, capsys):
    def write():
        paint("new/a\t1.png", 50)
        paint("new/b.png", 50)
        (photos / "new" / "c.png").write_bytes(b"none")

    looks([photos], write, nothing, lambda: paint("d.png", 60), nothing, nothing)
    out, err = capsys.readouterr()
    lines = [line.split("\t", 1)[1] for line in out.splitlines()]
    new = str(photos / "new" / "a\\t1.png")
    assert lines == [f"{new}\tRed 50, take 1.\t-", f"{photos / 'd.png'}\tRed 60, take 1.\t-"]
    assert "c.png: empty or not an image" in err and len(err.splitlines()) == 1


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_a_change_is_published_and_an_interrupt_exits_130(tmp_path):
    port, environ = free_port(), environment(CAPTIONER_MQTT_PASSWORD="secret")
    asked = ["--question", "How red is it?", "--mqtt", f"mqtt://ann@127.0.0.1:{port}/home/red"]
    with camera(lambda _: (200, {}, [picture(10)])) as url, broker(tmp_path, port, "secret"):
        call = command("watch", url, *asked)
        with subprocess.Popen(call, env=environ, stdout=-1, stderr=-1, text=True) as process:
            now, text, _ = process.stdout.readline().split("\t")
            with Subscriber(port, "ann", "secret") as subscriber:
                wait(lambda: subscriber.messages)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 130
    change = {"time": now, "question": "How red is it?", "answer": text, "confidence": None}
    assert subscriber.messages[0][:2] == ("home/red", change)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rtsp://cam/"], "SOURCE must be a folder, or begin with http:// or https://"),
        (
            ["http://ann:se/cret@cam"],
            "SOURCE has no valid host and port; write / : @ of a password",
        ),
        (["."] + ["--every", "0s"], "--every: must be a time such as 2s, 1m or 1h, not '0s'"),
        ([".", "--every", "2 s"], "--every: must be a time such as 2s, 1m or 1h, not '2 s'"),
        ([".", "--question", "?"], "--question '?': has no words; give a question"),
        ([".", "--mqtt", "mqtt://ann:secret@h/t"], "--mqtt: must not contain the password"),
    ],
)
def test_wrong_calls(capsys, arguments, says):
    with pytest.raises(SystemExit) as left:
        main(["watch", *arguments])
    assert left.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert says in last and "cret" not in last


@pytest.mark.parametrize(("text", "seconds"), [("2s", 2), ("0.5", 0.5), ("1m", 60), ("2h", 7200)])
def test_durations(text, seconds):
    assert watch.duration(text) == seconds


def test_a_folder_that_is_not_there_is_named(double, capsys):
    assert main(["watch", "none"]) == 1
    assert capsys.readouterr() == ("", "captioner: none: No such file or directory\n")
