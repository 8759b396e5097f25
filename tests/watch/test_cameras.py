"""Photographs from a camera and out of a folder."""

import base64
import errno
import itertools
import os
import socket
from types import SimpleNamespace

import pytest
from watch.devices import camera, picture

from captioner.data.images import ImageError, load_image
from captioner.watch import cameras
from captioner.watch.cameras import Camera, Folder


def only(place):
    (found,) = place.look()
    return found


def test_a_camera_gives_its_picture_again_and_again():
    reds = iter((10, 20))
    with camera(lambda _: (200, {}, [picture(next(reds))])) as url:
        place = Camera(url)
        assert [load_image(only(place), 4)[0, 0, 0] for _ in range(2)] == [10, 20]


def basic(headers):
    expected = "Basic " + base64.b64encode(b"ann:p@ss/").decode()
    if headers["Authorization"] == expected:
        return 200, {}, [picture(10)]
    return 401, {"WWW-Authenticate": 'Basic realm="cam"'}, []


def digest(headers):
    given = headers["Authorization"] or ""
    if given.startswith("Digest") and 'username="ann"' in given and "p@ss" not in given:
        return 200, {}, [picture(10)]
    return 401, {"WWW-Authenticate": 'Digest realm="cam", nonce="1", qop="auth"'}, []


@pytest.mark.parametrize("scheme", [basic, digest])
def test_a_camera_gets_the_password_that_it_asks_for(scheme):
    with camera(scheme) as url:
        place = Camera(url.replace("://", "://ann:p%40ss%2F@"))
        assert load_image(only(place), 4)[0, 0, 0] == 10
        assert str(only(Camera(url))).endswith(": no picture (status 401); trying again")


def test_another_host_does_not_get_the_password():
    asked = []

    def other(headers):
        asked.append(headers["Authorization"])
        return basic(headers)

    with camera(other) as target:
        place = target.replace("127.0.0.1", "localhost")
        with camera(lambda _: (302, {"Location": place}, [])) as url:
            assert "status 401" in str(only(Camera(url.replace("://", "://ann:p%40ss%2F@"))))
    assert asked == [None]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((404, {}, []), "no picture (status 404)"),
        ((302, {"Location": "file:///etc/passwd"}, []), "no picture (status 302)"),
        ((401, {"WWW-Authenticate": "Secret"}, []), "no picture (ValueError)"),
        ((200, {}, [b"12345678", b"9"]), "sends more than"),
    ],
)
def test_what_is_no_picture_is_told_without_the_password(answer, message, monkeypatch):
    monkeypatch.setattr(cameras, "MOST_BYTES", 8)
    with camera(lambda _: answer) as url:
        found = only(Camera(url.replace("://", "://ann:secret@") + "?password=secret"))
    assert isinstance(found, ImageError)
    assert str(found).startswith(f"{url.removesuffix('/picture.png')}: {message}")
    assert "secret" not in str(found)


def test_a_camera_that_sends_slowly_is_left(monkeypatch):
    clock = itertools.count(step=6)  # seconds
    monkeypatch.setattr(cameras, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with camera(lambda _: (200, {}, iter(lambda: b"x", None))) as url:
        assert "sends more than" in str(only(Camera(url)))


def test_a_camera_that_is_silent_is_left(monkeypatch):
    monkeypatch.setattr(cameras, "SECONDS", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert str(only(Camera(url))) == f"{url}: no picture (TimeoutError); trying again"
    reason = os.strerror(errno.ECONNREFUSED)
    assert str(only(Camera(url))) == f"{url}: no picture ({reason}); trying again"


def test_a_broken_picture_is_named_by_its_camera():
    with camera(lambda _: (200, {}, [b"none"])) as url:
        place = Camera(url.replace("://", "://ann:secret@"))
        with pytest.raises(ImageError) as error:
            load_image(only(place), 4)
    assert str(error.value).startswith("http://127.0.0.1:") and "secret" not in str(error.value)


def write(path, content, time):
    path.write_bytes(content)
    os.utime(path, (time, time))


def test_a_folder_gives_what_is_new_or_changed_when_it_is_complete(tmp_path):
    write(tmp_path / "old.png", b"old", 1)
    place = Folder(tmp_path)
    assert list(place.look()) == []
    write(tmp_path / "b.png", b"half", 5)
    assert list(place.look()) == []
    write(tmp_path / "b.png", b"complete", 6)
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "a.jpg", b"later", 7)
    write(tmp_path / "notes.txt", b"", 7)
    assert list(place.look()) == []
    assert list(place.look()) == [tmp_path / "b.png", tmp_path / "sub" / "a.jpg"]
    assert list(place.look()) == []
    write(tmp_path / "old.png", b"new", 8)
    (tmp_path / "b.png").unlink()
    assert [*place.look(), *place.look()] == [tmp_path / "old.png"]
    write(tmp_path / "b.png", b"complete", 6)
    assert [*place.look(), *place.look()] == [tmp_path / "b.png"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Folder(tmp_path / "none")
    (tmp_path / "gone").mkdir()
    place = Folder(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "gone: cannot be read" in str(only(place))
