"""`captioner completion`."""

import functools
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioner.cli.arguments import Subcommands

SHELLS = ("bash", "zsh", "fish", "tcsh")
# What takes files by the name that its value has in the help, where it is no Path.
FILES = ("PHOTO", "PAGE", "NAME_OR_DIR", "FILE.jsonl")


def add(subcommands: Subcommands, command_line: ArgumentParser) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "completion",
        help="print a completion script for a shell",
        description="Print a script that completes subcommands, options and files. For bash: eval "
        '"$(captioner completion bash)" in ~/.bashrc; for fish: captioner completion '
        "fish > ~/.config/fish/completions/captioner.fish; for zsh: captioner "
        "completion zsh > _captioner in a folder of $fpath.",
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    parser.set_defaults(run=functools.partial(run, command_line))


def run(command_line: ArgumentParser, args: Namespace) -> int:
    """Print the script."""
    import shtab

    _complete_files(command_line, shtab.FILE)
    print(shtab.complete(command_line, args.shell), flush=True)
    return 0


def _complete_files(parser: ArgumentParser, complete: Mapping[str, Any]) -> None:
    """Tell shtab which arguments are files, in a parser and those of its subcommands."""
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for subparser in action.choices.values():
                _complete_files(subparser, complete)
        elif action.type is Path or action.metavar in FILES:
            action.complete = complete  # type: ignore[attr-defined]
