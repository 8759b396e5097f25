"""`captioner compare`."""

from argparse import Namespace
from pathlib import Path

from captioner.cli.arguments import Subcommands, add_dataset, add_weights, positive
from captioner.cli.console import quiet_import, report


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "compare",
        help="compare recurrent cells, layers, attention types and a Transformer",
        description="Train the caption recipe with each recurrent cell in one and two layers, "
        "with each attention type, and with a Transformer, on the same features of a "
        "frozen CNN, and print their dev scores. To resume after an interruption, "
        "repeat the command.",
    )
    add_dataset(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="for features and results"
    )
    parser.add_argument(
        "--epochs", type=positive, required=True, metavar="N", help="of each variant"
    )
    add_weights(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Train the variants of the decoder alike, and compare them in a table on stdout."""
    with quiet_import():
        from captioner.training import compare
    from captioner.presets import DEFAULT_PRESET

    try:
        results = compare.compare(
            args.dataset,
            args.root,
            args.output,
            weights=args.weights or DEFAULT_PRESET,
            epochs=args.epochs,
        )
    except compare.TrainingError as error:
        report(error)
        return 1
    print(compare.table(results), flush=True)
    return 0
