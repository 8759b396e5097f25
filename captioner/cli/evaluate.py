"""`captioner evaluate`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from captioner.cli.arguments import Subcommands, add_dataset, add_weights, positive
from captioner.cli.console import quiet_import
from captioner.generation import BEAM_WIDTH


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "evaluate",
        help="score a model",
        description="Score the captions of a model on a split of a data set, by beam search and "
        "greedily. With --task vqa, score its answers, with the photographs and "
        "without them.",
    )
    parser.add_argument(
        "--task", choices=("captions", "vqa"), default="captions", help="default: captions"
    )
    add_dataset(parser)
    parser.add_argument("--split", required=True, help="for example dev or test")
    add_weights(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for the results files (default: this folder)",
    )
    parser.add_argument("--beam", type=positive, default=BEAM_WIDTH, metavar="K", help="beam width")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="also print the difference to another results file",
    )
    parser.add_argument(
        "--record", action="store_true", help="write the scores into the metadata of the preset"
    )
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Check combinations of arguments."""
    if args.record and args.weights is None:
        parser.error("--record writes into a preset; give --weights")


def run(args: Namespace) -> int:
    """Score a model and print the tables."""
    with quiet_import():
        from captioner.evaluation import evaluate
    from captioner.presets import DEFAULT_PRESET

    report = evaluate.evaluate(
        args.dataset,
        args.root,
        args.split,
        task=args.task,
        weights=args.weights or DEFAULT_PRESET,
        output=args.output,
        beam=args.beam,
        against=args.against,
        record=args.record,
    )
    print(report, flush=True)
    return 0
