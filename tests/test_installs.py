"""The contents of the wheel and of the container; `tests/installs.py` installs them."""

import subprocess
import sys
import tomllib

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from installs import ROOT, context, replay


def files_below(*folders):
    """All files but those that Python writes."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {path.relative_to(ROOT).as_posix() for path in found if path.suffix != ".pyc"}


def test_a_wheel_holds_the_package_and_the_weights():
    held = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    weights = {f"captioner/{name}" for name in files_below("weights")}
    assert "captioner/weights/everyday/model.weights.h5" in weights
    assert held == files_below("captioner") | weights


def test_a_source_distribution_holds_what_a_wheel_is_made_of():
    held = {file.relative_path for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    assert files_below("captioner", "weights") <= held
    assert not any(name.startswith(("tests", "notebooks", "benchmarks")) for name in held)


def test_a_container_holds_what_it_installs_and_captions(tmp_path):
    commands = []
    here, start = replay(ROOT, tmp_path / "image", lambda command, _: commands.append(command))
    assert [command.split()[0] for command in commands] == ["pip", "useradd"]
    assert start[:4] == ["python", "-m", "captioner", "serve"]
    project = tomllib.loads((here / "pyproject.toml").read_text())["project"]
    for name in (project["readme"], *project["license-files"]):
        assert (here / name).is_file(), name
    copied = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
    assert files_below("captioner", "weights") <= copied
    assert not any(name.endswith(".pyc") or name.startswith("tests") for name in copied)
    command = [sys.executable, "-I", "caption.py", "--example"]
    caption = subprocess.run(command, cwd=here, check=True, capture_output=True, text=True)
    assert caption.stdout == "A cup of coffee sitting on a table.\n"


@pytest.fixture
def project(tmp_path):
    """A folder of files, and a function that writes its .dockerignore."""
    for name in ("a/1.py", "a/x/__pycache__/1.pyc", "__pycache__/2.pyc", "b.txt", "c/d/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def ignore(*rules):
        (tmp_path / ".dockerignore").write_text("\n".join(rules))
        return {path.as_posix() for path in context(tmp_path)}

    return tmp_path, ignore


def test_the_last_rule_decides_about_a_file_and_the_folders_it_lies_in(project):
    _, ignore = project
    assert ignore("*", "!a", "!b.txt", "**/__pycache__") == {"a/1.py", "b.txt"}
    assert ignore("c/*", ".dockerignore", "a") == {"__pycache__/2.pyc", "b.txt"}
    assert ignore("*.txt", "*/*.py", "**/*.pyc") == {".dockerignore", "c/d/e.txt"}


def test_what_is_not_in_the_context_cannot_be_copied(project):
    folder, ignore = project
    ignore("*", "!a")
    (folder / "Dockerfile").write_text("FROM x\nWORKDIR /w\nCOPY a/1.py a ./\nCOPY b.txt ./\n")
    with pytest.raises(FileNotFoundError, match="COPY b.txt: not in the context"):
        replay(folder, folder / "image", print)
    assert (folder / "image" / "w" / "1.py").exists()
