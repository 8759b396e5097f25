"""Packages of npm: fetched by npm, and taken only if they are the pinned ones."""

import base64
import hashlib
import io
import os
import tarfile

import pytest

from captioner.export.equality import ExportError
from captioner.export.npm import Package


def archive(**files):
    """A package as npm packs it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/dist/{name}.js")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Makes an npm that runs a line of shell; its folder is all that is on the path."""

    def make(line):
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.defpath}")

    return make


@pytest.fixture
def packed(tmp_path, npm):
    """A package "tool" 1.0.0 that npm fetches; its arguments lie in a file "asked"."""
    content = archive(tool="run()", other="no()")
    (tmp_path / "tool.tgz").write_bytes(content)
    npm(f'echo "$@" > {tmp_path}/asked; cp {tmp_path}/tool.tgz tool-1.0.0.tgz')
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return Package("tool", "1.0.0", f"sha512-{digest}")


def test_only_the_files_asked_for_are_copied(packed, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    packed.extract(["dist/tool.js"], out)
    assert {path.name: path.read_text() for path in out.iterdir()} == {"tool.js": "run()"}
    asked = (tmp_path / "asked").read_text().split()
    assert asked[0] == "pack" and asked[-1] == "tool@1.0.0" and "--ignore-scripts" in asked


def test_another_archive_is_refused(packed, tmp_path):
    (tmp_path / "tool.tgz").write_bytes(archive(tool="steal()"))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ExportError, match="tool@1.0.0: npm gave another archive"):
        packed.extract(["dist/tool.js"], out)
    assert not list(out.iterdir())


def test_what_npm_says_is_told(npm, packed, tmp_path):
    npm("echo 'npm error code ENOTFOUND' >&2; exit 1")
    with pytest.raises(ExportError, match=r"npm cannot fetch tool@1.0.0 \(npm error code ENOTF"):
        packed.extract(["dist/tool.js"], tmp_path)


def test_a_missing_npm_is_told(packed, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match="npm is not installed; .* install Node.js"):
        packed.extract(["dist/tool.js"], tmp_path)
