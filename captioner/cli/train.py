"""`captioner train`: a model from data sets, or from a recipe."""

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
        description="Train a model and save it as a preset, from data sets given here, or from a "
        "recipe, a file that can say more. An interrupted run goes on when it is started again. "
        "Several data sets are learned together, captions or questions: give --dataset and --root "
        "of each, and several times for one that an epoch is to go through as often.",
        argument_default=argparse.SUPPRESS,  # the numbers stand in one place, the recipe's own
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the new preset")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a recipe, in TOML")
    parser.add_argument(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="a setting of the recipe, such as phases.frozen.epochs=4; may be repeated",
    )
    add_dataset(parser, action="append", required=False)
    parser.add_argument(
        "--encoder", metavar="NAME", help="a CNN of keras.applications, or hub:PRESET of KerasHub"
    )
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
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="devices that share each batch; needs JAX"
    )
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Refuse what the parser let pass."""
    given = vars(args).keys() - {"command", "run", "output", "config", "set", "workers"}
    if "config" in args:
        if given:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
            parser.error(f"a recipe says this itself; leave out {options}, or use --set")
        return
    if "set" in args:
        parser.error("--set changes a setting of a --config")
    if "dataset" not in args or "root" not in args or len(args.dataset) != len(args.root):
        parser.error("give --config, or --dataset with its --root, in the same order")


def run(args: Namespace) -> int:
    """Train a model and save it as a preset."""
    from captioner.training.recipe import Recipe, RecipeError

    settings = dict(vars(args))
    del settings["command"], settings["run"]
    try:
        # Before Keras is imported, for a recipe may be wrong.
        recipe = Recipe.read(args.config, settings.get("set", ())) if "config" in args else None
    except RecipeError as error:
        report(error)
        return 1
    with quiet_import():
        from captioner.layers import image_encoder
        from captioner.training import train
    try:
        if recipe is not None:
            train.carry_out(recipe, args.output, settings.get("workers", 1))
        else:
            datasets = list(zip(settings.pop("dataset"), settings.pop("root"), strict=True))
            train.train(datasets, **settings)
    except (train.TrainingError, image_encoder.EncoderError) as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        report("interrupted; the same command goes on after the last epoch that was finished")
        raise
    return 0
