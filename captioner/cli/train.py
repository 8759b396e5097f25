"""`captioner train`: a model of your own data."""

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
        description="Train a model and save it as a preset. It starts from the weights that ship, "
        "without a download. An interrupted run resumes when the same command is given again. To "
        "train on several data sets, repeat --dataset and --root. A data set that is given n times "
        "is used n times in every epoch.",
        argument_default=argparse.SUPPRESS,  # the recipe has the defaults
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the new preset")
    add_dataset(parser, action="append", required=False)
    parser.add_argument("--config", type=Path, metavar="FILE", help="a recipe in TOML")
    parser.add_argument(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="a setting of the recipe, such as model.dropout=0.4; may be repeated",
    )
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        help="--set model.encoder=NAME: a new model with EfficientNetLite2, a CNN of "
        "keras.applications, or hub:PRESET of KerasHub",
    )
    parser.add_argument(
        "--encoder-weights",
        metavar="imagenet|FILE|PRESET",
        help="--set encoder_weights=...: a new model whose CNN starts from a download of Keras, a "
        "file, or a preset",
    )
    parser.add_argument(
        "--epochs", type=positive, metavar="N", help="--set phases.frozen.epochs=N: the decoder"
    )
    parser.add_argument("--fine-tune", action="store_true", help="train the CNN after the decoder")
    parser.add_argument(
        "--fine-tune-epochs",
        type=positive,
        metavar="N",
        help="--set phases.fine-tune.epochs=N: the same, for N epochs",
    )
    parser.add_argument(
        "--batch-size", type=positive, metavar="N", help="--set batch_size=N: photographs"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="--set seed=N")
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="devices that share each batch; needs JAX"
    )
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Check combinations of arguments."""
    datasets, roots = getattr(args, "dataset", []), getattr(args, "root", [])
    if len(datasets) != len(roots) or not (datasets or "config" in args):
        parser.error("give --config, or --dataset with its --root, in the same order")


def run(args: Namespace) -> int:
    """Train a model and save it as a preset."""
    from captioner.training.recipe import Recipe

    options = dict(vars(args))
    for name in ("command", "run"):
        del options[name]
    output, workers = options.pop("output"), options.pop("workers", 1)
    datasets = list(zip(options.pop("dataset", []), options.pop("root", []), strict=True))
    if "set" in options:
        options["changes"] = options.pop("set")
    # Before the slow import of Keras, so that errors in the recipe appear at once.
    recipe = Recipe.from_options(datasets, **options)
    with quiet_import():
        from captioner.training.train import carry_out
    try:
        carry_out(recipe, output, workers)
    except KeyboardInterrupt:
        report("interrupted; the same command resumes after the last finished epoch")
        raise
    return 0
