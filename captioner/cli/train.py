"""`captioner train`."""

import argparse
from argparse import ArgumentParser, Namespace
from pathlib import Path

from captioner.cli.arguments import Subcommands, add_dataset, positive
from captioner.cli.console import quiet_import, report


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "train",
        help="train a model",
        description="Train a model and save it as a preset. What is not given is as in the recipe "
        "of the weights that ship. An interrupted run goes on when it is started again. Several "
        "data sets are learned together, captions or questions: give --dataset and --root of each, "
        "and several times for one that an epoch is to go through as often.",
        argument_default=argparse.SUPPRESS,  # the recipe's numbers stand in one place, its own
    )
    add_dataset(parser, action="append")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the new preset")
    parser.add_argument("--encoder", metavar="NAME", help="a CNN of keras.applications")
    parser.add_argument(
        "--encoder-weights",
        metavar="imagenet|FILE|PRESET",
        help="what the CNN starts from: Keras's own weights, a file, or the CNN of a preset",
    )
    parser.add_argument("--fine-tune", action="store_true", help="then train the CNN as well")
    parser.add_argument("--epochs", type=positive, metavar="N", help="with the CNN frozen")
    parser.add_argument("--fine-tune-epochs", type=positive, metavar="N", help="and after that")
    parser.add_argument("--batch-size", type=positive, metavar="N", help="in photographs")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Refuse what the parser let pass."""
    if len(args.dataset) != len(args.root):
        parser.error("every --dataset needs its --root, in the same order")


def run(args: Namespace) -> int:
    """Train a model and save it as a preset."""
    with quiet_import():
        from captioner.layers import image_encoder
        from captioner.training import train

    settings = dict(vars(args))
    datasets = list(zip(settings.pop("dataset"), settings.pop("root"), strict=True))
    del settings["command"], settings["run"]
    try:
        train.train(datasets, **settings)
    except (train.TrainingError, image_encoder.EncoderError) as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        report("interrupted; the same command goes on after the last epoch that was finished")
        raise
    return 0
