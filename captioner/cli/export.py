"""`captioner export`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from captioner.cli.arguments import Subcommands, add_weights
from captioner.cli.console import quiet_import

FORMATS = ("onnx", "openvino", "litert", "saved-model", "web")


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "export",
        help="write a model in a format that runs without Keras",
        description="Write a model in a format that runs without Keras, after a comparison with "
        "the Keras model on captions and answers. Without --output, add the ONNX "
        "graphs that `captioner caption` runs to the preset; they share its weights. "
        "The format web is a static page that captions in the browser; its preset "
        "needs graphs.",
    )
    add_weights(parser)
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="default: onnx")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="a new folder for files with their own weights"
    )
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Check combinations of arguments."""
    if args.output is None and args.format != "onnx":
        parser.error(f"--format {args.format} needs --output DIR")
    if args.output is None and args.weights is None:
        parser.error("writes into a preset; give --weights, or --output DIR")


def run(args: Namespace) -> int:
    """Export, and print the difference to the Keras model."""
    from captioner.presets import DEFAULT_PRESET

    preset, output = args.weights or DEFAULT_PRESET, args.output
    if args.format == "web":
        from captioner.export.web import export_site

        difference = export_site(preset, output)
        print(f"features of 8-bit weights within {difference:.1%}; open it over HTTP:")
        print(f"python -m http.server --directory {output}")
        return 0
    with quiet_import():
        from captioner.export import formats
        from captioner.export.preset import add_graphs
    difference = (
        add_graphs(preset) if output is None else formats.export(preset, args.format, output)
    )
    print(f"the same words; log-probabilities within {difference:.1g}")
    return 0
