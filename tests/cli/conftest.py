"""A model that is a double, and photographs for it."""

import pytest
from cli.double import Double, paint, put_in_place


@pytest.fixture
def double(monkeypatch):
    monkeypatch.setattr(Double, "calls", [])
    monkeypatch.setattr(Double, "asked", [])
    monkeypatch.setattr(Double, "preset", None)
    put_in_place(monkeypatch.setitem)


@pytest.fixture
def photos(tmp_path, monkeypatch, double):
    """Four photographs in the current folder: 1.png in two folders deep, a.png to c.png."""
    monkeypatch.chdir(tmp_path)
    for red, name in ((10, "a.png"), (20, "b.png"), (30, "c.png"), (40, "sub/deep/1.png")):
        paint(name, red)
    return tmp_path
