"""The documentation: links, commands, and the site."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from captioner.cli import build_parser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FOLDERS = ("docs", "benchmarks", "captioner", "examples", "recipes", "tests", "weights")


def pages():
    """All pages in Markdown."""
    return sorted([*ROOT.glob("*.md"), *(p for f in FOLDERS for p in (ROOT / f).rglob("*.md"))])


def text_of(path):
    return path.read_text(encoding="utf-8")


def anchors_of(path):
    titles = re.findall(r"^#+ (.*)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors_of(linked), target


def test_the_reference_has_each_subcommand_once():
    reference = text_of(DOCS / "reference" / "command-line.md")
    _, subcommands = build_parser()
    assert re.findall(r"^<!-- options of (\w+) -->$", reference, re.MULTILINE) == list(subcommands)
    assert re.findall(r"^## (\w+)$", reference, re.MULTILINE) == list(subcommands)


def test_how_to_pages_use_options_that_exist():
    known = set()
    for parser in build_parser()[1].values():
        known |= {option for action in parser._actions for option in action.option_strings}
    for path in sorted((DOCS / "how-to").glob("*.md")):
        for line in re.findall(r"^.*(?:caption\.py|captioner) .*$", text_of(path), re.MULTILINE):
            used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", line.partition(" #")[0]))
            assert used <= known, (path.name, line)


@pytest.mark.slow
def test_the_tutorial_ends_with_a_caption_and_an_answer(tmp_path):
    blocks = re.findall(
        r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', text_of(DOCS / "tutorial.md"), re.M | re.S
    )
    bin_folder = os.path.dirname(sys.executable)
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "http_proxy": "http://127.0.0.1:9",  # a download would fail
        "https_proxy": "http://127.0.0.1:9",
    }
    outputs = []
    for language, title, content in blocks:
        if title:
            (tmp_path / title).write_text(content)
            continue
        assert language == "sh"
        command = ["bash", "-ec", content]
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        outputs.append(run.stdout)
    assert "coin" not in outputs[1]
    assert "coin" in outputs[-2]
    assert outputs[-1] == "cat\n"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    api = (tmp_path / "reference" / "api" / "index.html").read_text()
    assert 'id="captioner.models.captioner.Captioner.caption"' in api
    assert (
        "--min-confidence" in (tmp_path / "reference" / "command-line" / "index.html").read_text()
    )
