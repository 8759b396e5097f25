"""Hooks of the documentation site: options of the command line, and files outside of docs/.

The site has the files outside of docs/ to which its pages link, under `project/`. Links between
both are the paths in the repository; here they become paths in the site.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from captioner.cli import build_parser

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    "*.md",
    "*/README.md",
    "benchmarks/*.md",
    "benchmarks/*.json",
    "weights/*/README.md",
    "captioner/*/README.md",
    "notebooks/*.ipynb",
    "recipes/*.*",
    "captioner/models/config.py",
    "captioner/training/default.toml",
    "captioner/training/recipe.py",
)
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
OPTIONS = re.compile(r"<!-- options of (\w+) -->")


def on_files(files: Files, config: Any) -> Files:
    """Add the files outside of docs/."""
    found = {path for pattern in OUTSIDE for path in ROOT.glob(pattern) if path.is_file()}
    for path in sorted(found):
        uri = _in_site(path.relative_to(ROOT).as_posix())
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Insert the options of the command line, and turn links into those of the site."""
    here = page.file.src_uri

    def linked(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        if "://" in target:
            return match[0]
        name = posixpath.normpath(posixpath.join(posixpath.dirname(_in_repository(here)), target))
        return before + posixpath.relpath(_in_site(name), posixpath.dirname(here) or ".") + after

    def options(match: re.Match[str]) -> str:
        return f"```text\n{build_parser()[1][match[1]].format_help()}```"

    return OPTIONS.sub(options, LINK.sub(linked, markdown))


def _in_site(name: str) -> str:
    """The place in the site of a file of the repository."""
    if name == "README.md":
        return "index.md"
    return name.removeprefix("docs/") if name.startswith("docs/") else f"project/{name}"


def _in_repository(uri: str) -> str:
    """The reverse of `_in_site`."""
    if uri == "index.md":
        return "README.md"
    return uri.removeprefix("project/") if uri.startswith("project/") else f"docs/{uri}"
