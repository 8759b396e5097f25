"""The command line: its arguments, its errors and its exit codes."""

import argparse
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from captioner.cli import commands

BEAM_WIDTH = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand: 0 all well, 1 something failed, 2 a wrong call, 130 interrupted."""
    if sys.stderr is None:  # closed by the caller; print would turn to stdout instead
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(2, "w", closefd=False)
    args = parse_arguments(sys.argv[1:] if argv is None else argv)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one prints nothing either
        return 130
    except BrokenPipeError:
        # The reader has seen enough. The interpreter will flush stdout again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _expected_errors() as error:
        commands.report(error)
        return 1


def _expected_errors() -> tuple[type[Exception], ...]:
    """What the caller can mend; anything else is a defect and keeps its traceback."""
    from captioner.data.images import ImageError
    from captioner.data.records import DatasetError
    from captioner.presets import PresetError

    return OSError, DatasetError, ImageError, PresetError


def parse_arguments(argv: Sequence[str]) -> Namespace:
    """The arguments of a subcommand, which is their attribute `run`; a wrong call exits with 2."""
    parser = ArgumentParser(
        prog="captioner",
        description="Caption photographs with a CNN, soft attention and an LSTM.",
    )
    subcommands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (_add_caption, _add_train, _add_evaluate, _add_compare, _add_questions):
        add(subcommands)

    # By itself argparse refuses photographs that follow an option that follows photographs.
    end = argv.index("--") if "--" in argv else len(argv)
    args, rest = parser.parse_known_args(argv[:end])
    names = argv[end + 1 :]
    if args.command == "caption":
        unknown = [word for word in rest if word.startswith("-") and word != "-"]
        args.photos = [*args.photos, *rest, *names]
    else:
        unknown = [*rest, *names]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if args.command == "caption":
        _check_caption(subcommands.choices["caption"], args)
    if args.command == "train" and len(args.dataset) != len(args.root):
        subcommands.choices["train"].error("every --dataset needs its --root, in the same order")
    return args


def _add_caption(subcommands: "argparse._SubParsersAction[ArgumentParser]") -> None:
    parser = subcommands.add_parser(
        "caption",
        help="write captions of photographs, or answers to questions about them",
        description="Write captions of photographs, or with --question answers: a line for each, "
        "with a candidate of --top a line. Before it stands, with a tab behind, the path if there "
        "are several photographs, and the question if there are several. Lines of --requests "
        "begin with the path, and with the question if they answer one.",
        epilog="Exit status: 0 all well, 1 some photographs failed, 2 a wrong call.",
    )
    parser.add_argument(
        "photos",
        nargs="*",
        metavar="PHOTO",
        help="a file, a folder (with all folders in it), or - for one image on stdin",
    )
    parser.add_argument(
        "--question",
        dest="questions",
        action="append",
        default=[],
        metavar="TEXT",
        help="answer it about each PHOTO instead of captioning; may be given several times",
    )
    parser.add_argument(
        "--beam",
        type=_positive,
        metavar="K",
        help=f"beam width (default: {BEAM_WIDTH}, or N of --top where that is more)",
    )
    parser.add_argument(
        "--top", type=_positive, default=1, metavar="N", help="write the N best candidates"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object a line: image, caption, score, words, candidates; or image, "
        "question, answer, score, words, candidates; or image, question if there is one, error",
    )
    _add_weights(parser)
    parser.add_argument(
        "--requests",
        metavar="FILE.jsonl",
        help='caption the images of lines {"image": path}, and answer those of lines '
        '{"image": path, "question": text}, in their order; - for stdin',
    )
    parser.add_argument(
        "--example", action="store_true", help="caption the portrait that Matplotlib ships"
    )
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE_OR_DIR",
        help="draw where each word looked: a figure (.png, .jpg, .jpeg, .pdf, .svg), an animation "
        "(.gif) or a page (.html); of an answer, in one picture for all its words instead of the "
        "figure; of several photographs or questions one each, as STEM.png in a folder, or "
        "STEM-2.png, STEM-3.png, ... where that is taken",
    )
    parser.set_defaults(run=commands.caption)


def _check_caption(parser: ArgumentParser, args: Namespace) -> None:
    if not (args.photos or args.requests or args.example):
        parser.error("no photograph given: name a PHOTO, --requests or --example")
    if [*args.photos, args.requests].count("-") > 1:
        parser.error("stdin can be read only once")
    if args.questions:
        _check_questions(parser, args)
    if args.beam is None:
        args.beam = max(BEAM_WIDTH, args.top)
    if args.top > args.beam:
        parser.error(f"--top {args.top} needs a beam at least as wide, not --beam {args.beam}")
    if args.overlay is not None:
        _check_overlay(parser, args)


def _check_questions(parser: ArgumentParser, args: Namespace) -> None:
    from captioner.data.tokenizer import has_words

    if args.requests:
        parser.error("--question is about each PHOTO; a request has a question of its own")
    for question in args.questions:
        if not has_words(question):
            parser.error(f"--question {question[:60]!r}: has no words; ask something")


def _check_overlay(parser: ArgumentParser, args: Namespace) -> None:
    from captioner.overlay import SUFFIXES, check_suffix

    path = args.overlay
    if path.is_dir():
        return
    if commands.draws_several(args):
        if path.suffix.lower() in SUFFIXES:
            what = "photographs" if commands.is_several(args) else "questions"
            parser.error(f"--overlay {path}: several {what} need a folder")
        return
    try:
        check_suffix(path)
    except ValueError as error:
        parser.error(f"--overlay {error}")
    photos = filter(os.path.exists, args.photos)
    if path.exists() and any(map(path.samefile, photos)):
        parser.error(f"--overlay {path}: is the photograph itself")


def _add_train(subcommands: "argparse._SubParsersAction[ArgumentParser]") -> None:
    parser = subcommands.add_parser(
        "train",
        help="train a model",
        description="Train a model and save it as a preset. What is not given is as in the recipe "
        "of the weights that ship. An interrupted run goes on when it is started again. Several "
        "data sets are learned together, captions or questions: give --dataset and --root of each, "
        "and several times for one that an epoch is to go through as often.",
        argument_default=argparse.SUPPRESS,  # the recipe's numbers stand in one place, its own
    )
    _add_dataset(parser, action="append")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the new preset")
    parser.add_argument("--encoder", metavar="NAME", help="a CNN of keras.applications")
    parser.add_argument(
        "--encoder-weights",
        metavar="imagenet|FILE|PRESET",
        help="what the CNN starts from: Keras's own weights, a file, or the CNN of a preset",
    )
    parser.add_argument("--fine-tune", action="store_true", help="then train the CNN as well")
    parser.add_argument("--epochs", type=_positive, metavar="N", help="with the CNN frozen")
    parser.add_argument("--fine-tune-epochs", type=_positive, metavar="N", help="and after that")
    parser.add_argument("--batch-size", type=_positive, metavar="N", help="in photographs")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.set_defaults(run=commands.train)


def _add_evaluate(subcommands: "argparse._SubParsersAction[ArgumentParser]") -> None:
    parser = subcommands.add_parser(
        "evaluate",
        help="score a model",
        description="Score a model on a split of a dataset: its captions by beam search and "
        "greedily, or with --task vqa its answers, and those it gives to the questions alone.",
    )
    parser.add_argument(
        "--task", choices=("captions", "vqa"), default="captions", help="default: captions"
    )
    _add_dataset(parser)
    parser.add_argument("--split", required=True, help="for example dev or test")
    _add_weights(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="for the results files (default: this folder)"
    )
    parser.add_argument(
        "--beam", type=_positive, default=BEAM_WIDTH, metavar="K", help="beam width"
    )
    parser.add_argument(
        "--record", action="store_true", help="write the scores into the metadata of the preset"
    )
    parser.set_defaults(run=commands.evaluate)


def _add_compare(subcommands: "argparse._SubParsersAction[ArgumentParser]") -> None:
    parser = subcommands.add_parser(
        "compare",
        help="compare recurrent cells, layers and kinds of attention",
        description="Train the caption recipe with each recurrent cell in one and two layers, and "
        "with each kind of attention, all on the same features of a frozen CNN, and write a table "
        "of their scores on dev. Started again, it goes on after the last that was finished.",
    )
    _add_dataset(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="for features and results"
    )
    parser.add_argument(
        "--epochs", type=_positive, required=True, metavar="N", help="of each variant"
    )
    _add_weights(parser)
    parser.set_defaults(run=commands.compare)


def _add_questions(subcommands: "argparse._SubParsersAction[ArgumentParser]") -> None:
    parser = subcommands.add_parser(
        "questions",
        help="make questions and answers from captions",
        description="Make questions and answers from the captions of a dataset, to train on with "
        "--dataset jsonl.",
    )
    _add_dataset(parser)
    parser.add_argument("--split", required=True, help="for example train")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE.jsonl",
        help="one JSON object a line: image, image_id, question, answer, kind, caption, "
        "question_id",
    )
    parser.set_defaults(run=commands.questions)


def _add_dataset(parser: ArgumentParser, action: str = "store") -> None:
    parser.add_argument(
        "--dataset", action=action, required=True, metavar="NAME", help="for example flickr8k"
    )
    parser.add_argument(
        "--root", action=action, type=Path, required=True, metavar="DIR", help="where it lies"
    )


def _add_weights(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--weights",
        metavar="NAME_OR_DIR",
        help="a preset by its name or its folder (default: the one that ships)",
    )


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up, not {text!r}")
    return number
