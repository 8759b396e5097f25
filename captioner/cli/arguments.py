"""Arguments of several subcommands."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from argparse import _SubParsersAction

Subcommands: TypeAlias = "_SubParsersAction[ArgumentParser]"


def add_dataset(parser: ArgumentParser, action: str = "store", required: bool = True) -> None:
    """Add --dataset and --root; the action "append" lets users repeat them."""
    parser.add_argument(
        "--dataset",
        action=action,
        required=required,
        metavar="NAME",
        help="format of the data set, for example flickr8k",
    )
    parser.add_argument(
        "--root",
        action=action,
        type=Path,
        required=required,
        metavar="DIR",
        help="folder or file of the data set",
    )


def add_weights(parser: ArgumentParser, required: bool = False) -> None:
    """Add --weights; subcommands that write into the preset require it."""
    parser.add_argument(
        "--weights",
        type=named,
        required=required,
        metavar="NAME_OR_DIR",
        help="name or folder of a preset" + ("" if required else " (default: the shipped one)"),
    )


def named(text: str) -> str:
    """Parse a name, which must not be empty."""
    if not text.strip():
        raise ArgumentTypeError("is empty; give the name or the folder of a preset")
    return text


def add_least(
    parser: ArgumentParser, effect: str = "skip captions with a lower confidence (0 to 1)"
) -> None:
    """Add --min-confidence with the text of its help."""
    parser.add_argument("--min-confidence", type=share, metavar="P", help=effect)


def check_question(parser: ArgumentParser, question: str) -> None:
    """Refuse a --question without words."""
    from captioner.data.tokenizer import has_words

    if not has_words(question):
        parser.error(f"--question {question[:60]!r}: has no words; give a question")


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ArgumentTypeError(f"must be a number from 0 to 1, not {text!r}")
    return number


def positive(text: str) -> int:
    """Parse a whole number from 1 up."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise ArgumentTypeError(f"must be a whole number from 1 up, not {text!r}")
    return number
