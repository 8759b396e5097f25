"""The command line: the parser, the errors and the exit codes of all subcommands."""

import os
import signal
import sys
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence

from captioner import __version__
from captioner.cli import (
    alt,
    bulk,
    calibrate,
    caption,
    describe,
    evaluate,
    export,
    serve,
    train,
    watch,
)
from captioner.cli.console import report
from captioner.data.pillow_warnings import ignore_pillow_warnings
from captioner.errors import UserError

SUBCOMMANDS = {
    "caption": caption,
    "describe": describe,
    "alt": alt,
    "serve": serve,
    "watch": watch,
    "bulk": bulk,
    "train": train,
    "evaluate": evaluate,
    "calibrate": calibrate,
    "export": export,
}
# The extra of this package that installs a module.
EXTRAS = {
    "cachetools": "web",
    "fsspec": "bulk",
    "keras": "train",
    "keras_hub": "hub",
    "lxml": "describe",
    "markdown_it": "describe",
    "multipart": "web",
    "onnx": "export",
    "openvino": "export",
    "paho": "watch",
    "pyarrow": "bulk",
    "python_multipart": "web",
    "ray": "ray",
    "selectolax": "describe",
    "starlette": "web",
    "tensorflow": "train",
    "tf2onnx": "export",
    "tree_sitter": "describe",
    "tree_sitter_html": "describe",
    "tree_sitter_markdown": "describe",
    "uvicorn": "web",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand: 0 success, 1 failure, 2 wrong arguments, 130 interrupted."""
    if sys.stderr is None:  # closed by the caller; print would write to stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(2, "w", closefd=False)
    argv = sys.argv[1:] if argv is None else argv
    if not argv:  # help, but an error: a script without arguments must fail
        build_parser()[0].print_help(sys.stderr)
        return 2
    args = parse_arguments(argv)
    try:
        with warnings.catch_warnings():
            ignore_pillow_warnings()
            return args.run(args)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C prints no traceback
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe. The interpreter flushes stdout again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        report(f"{args.command} needs {module}; pip install 'captioner[{EXTRAS[module]}]'")
        return 1
    except (OSError, UserError) as error:  # other errors are defects and keep their traceback
        report(error)
        return 1


def build_parser() -> tuple[ArgumentParser, Mapping[str, ArgumentParser]]:
    """The parser of the command line, and the parsers of the subcommands by name."""
    parser = ArgumentParser(
        prog="captioner",
        formatter_class=RawDescriptionHelpFormatter,
        description="Caption photographs with a CNN, soft attention and an LSTM.",
        epilog="begin with:\n"
        "  captioner caption photo.jpg\n"
        '  captioner caption photo.jpg --question "what color is the hat?"\n'
        "  captioner COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"captioner {__version__}")
    subcommands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for subcommand in SUBCOMMANDS.values():
        subcommand.add(subcommands)
    return parser, subcommands.choices


def parse_arguments(argv: Sequence[str]) -> Namespace:
    """Parse the arguments; `run` is the subcommand. Wrong arguments exit with 2."""
    parser, parsers = build_parser()
    end = argv.index("--") if "--" in argv else len(argv)
    args, rest = parser.parse_known_args(argv[:end])
    names = argv[end + 1 :]
    if args.command == "caption":
        # argparse refuses photographs after an option that follows other photographs.
        unknown = [word for word in rest if word.startswith("-") and word != "-"]
        args.photos = [*args.photos, *rest, *names]
    else:
        unknown = [*rest, *names]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    subcommand = SUBCOMMANDS[args.command]
    if hasattr(subcommand, "check"):
        subcommand.check(parsers[args.command], args)
    return args
