"""`captioner calibrate`."""

from argparse import ArgumentParser, Namespace

from captioner.cli.arguments import Subcommands, add_dataset, add_weights
from captioner.cli.console import quiet_import


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "calibrate",
        help="fit the confidence of a model",
        description="Fit the confidence of a preset to splits of data sets, and write it into the "
        "preset. A caption is right if people mention half of its words, an answer "
        "if it is one of the references. For several data sets, repeat --dataset and "
        "--root.",
    )
    add_dataset(parser, action="append")
    parser.add_argument("--split", default="dev", help="default: dev")
    add_weights(parser, required=True)
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Check combinations of arguments."""
    if len(args.dataset) != len(args.root):
        parser.error("every --dataset needs its --root, in the same order")


def run(args: Namespace) -> int:
    """Calibrate, and print the errors of the confidence."""
    with quiet_import():
        from captioner.evaluation.calibration import calibrate
    datasets = list(zip(args.dataset, args.root, strict=True))
    for row in calibrate(args.weights, datasets, args.split):
        for confidence, share, count in row.pop("bins"):
            print(f"of {count:5} with confidence {confidence:.2f} right {share:13.4f}")
        for name, value in row.items():
            print(
                f"{name:28}{value:>12.4f}" if isinstance(value, float) else f"{name:28}{value:>12}"
            )
    return 0
