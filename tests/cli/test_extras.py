"""Errors of subcommands whose packages are not installed."""

import sys

import pytest

from captioner.cli import EXTRAS, main


@pytest.mark.parametrize(
    ("arguments", "package", "module"),
    [
        (["describe", "photo.jpg"], "captioner.describe", "lxml"),
        (["alt", "page.html"], "captioner.describe", "markdown_it"),
        (["alt", "page.html"], "captioner.describe", "selectolax"),
        (["alt", "page.html"], "captioner.describe", "tree_sitter"),
        (["alt", "page.html"], "captioner.describe", "tree_sitter_html"),
        (["alt", "page.html"], "captioner.describe", "tree_sitter_markdown"),
        (["serve"], "captioner.web", "uvicorn"),
        (["serve"], "captioner.web", "starlette"),
        (["watch", "photos", "--mqtt", "host/topic"], "captioner.watch", "paho"),
        (["bulk", "photos", "--output", "out"], "captioner.bulk", "pyarrow"),
        (["bulk", "photos", "--output", "out"], "captioner.bulk", "fsspec"),
    ],
)
def test_it_says_what_to_install(arguments, package, module, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith((package, f"{module}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    assert main(arguments) == 1
    said = f"captioner: {arguments[0]} needs {module}; pip install 'captioner[{EXTRAS[module]}]'\n"
    assert capsys.readouterr() == ("", said)
