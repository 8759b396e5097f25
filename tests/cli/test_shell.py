"""The command line without a subcommand: usage and version."""

import pytest

import captioner
from captioner.cli import build_parser, main


def test_without_arguments_it_says_what_to_do_and_fails(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: captioner")
    assert "captioner caption photo.jpg" in err
    assert all(f"    {name}" in err for name in build_parser()[1])


def test_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr() == (f"captioner {captioner.__version__}\n", "")
