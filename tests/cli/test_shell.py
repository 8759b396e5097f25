"""Habits of the shell: what to do, which version, completion."""

import subprocess

import pytest
from cli.double import run

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


def completed(tmp_path, *words):
    """What bash offers behind these words, the last of which is not finished."""
    script = tmp_path / "completion.bash"
    script.write_bytes(run("completion", "bash").stdout)
    program = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        complete_with=$(complete -p captioner | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $complete_with captioner "${@: -1}" "${@: -2:1}" 2>/dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    arguments = ["bash", "-c", program, "bash", script, "captioner", *words]
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    return result.stdout.split()


def test_bash_completes_subcommands_options_choices_and_files(tmp_path):
    (tmp_path / "photo.jpg").touch()
    assert completed(tmp_path, "capt") == ["caption"]
    assert completed(tmp_path, "caption", "--ques") == ["--question"]
    assert completed(tmp_path, "export", "--format", "sav") == ["saved-model"]
    assert completed(tmp_path, "caption", "pho") == ["photo.jpg"]


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_other_shells_have_a_script(shell):
    result = run("completion", shell)
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"question" in result.stdout


def test_an_unknown_shell_is_a_wrong_call(capsys):
    with pytest.raises(SystemExit) as left:
        main(["completion", "dos"])
    assert left.value.code == 2
    assert "bash, zsh" in capsys.readouterr().err.replace("'", "")
