"""`captioner bulk`."""

import functools
import hashlib
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from captioner.cli.arguments import Subcommands, add_weights, check_question, positive
from captioner.cli.console import report
from captioner.cli.progress import progress

if TYPE_CHECKING:
    from captioner.generation.model import CaptionModel


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "bulk",
        help="write captions or answers of very many photographs as tables",
        description="Write captions, or answers to --question, of very many photographs into a "
        "folder of tables. To resume after an interruption, repeat the command. A "
        "photograph that cannot be read becomes a row with an error.",
        epilog="Exit status: 0 success, 1 some photographs failed, 2 wrong arguments.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder with its subfolders, a list with a path or URL on each line, a "
        "table .csv or .parquet with a column of them, or WebDataset shards .tar; or "
        "a pattern such as 's3://bucket/*.tar' of any but a folder. All may be on any "
        "file system of fsspec",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DEST",
        help="output folder, on any file system of fsspec",
    )
    parser.add_argument(
        "--engine",
        choices=("embedded", "ray"),
        default="embedded",
        help="this process (default), or Ray on this machine or on the cluster at RAY_ADDRESS",
    )
    parser.add_argument(
        "--format", choices=("parquet", "jsonl"), default="parquet", help="default: parquet"
    )
    parser.add_argument(
        "--column",
        default="path",
        metavar="NAME",
        help="column of the paths in a table (default: path)",
    )
    parser.add_argument(
        "--question", metavar="TEXT", help="answer this question about each photograph"
    )
    parser.add_argument(
        "--top", type=positive, default=1, metavar="N", help="write the N best candidates"
    )
    add_weights(parser)
    parser.add_argument(
        "--part-size",
        type=positive,
        default=1000,
        metavar="N",
        help="photographs in a file of DEST (default: 1000); a shard gives one file",
    )
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Check combinations of arguments."""
    if args.question is not None:
        check_question(parser, args.question)


def run(args: Namespace) -> int:
    """Caption the remaining parts; 1 if some photographs failed."""
    from captioner.bulk import engines
    from captioner.bulk.parts import Output
    from captioner.bulk.sources import list_source, parts_of
    from captioner.bulk.worker import Job
    from captioner.cli.models import load_captioner
    from captioner.cli.requests import check_questions, report_skipped

    preset, model = load_captioner(args.weights)
    check_questions(model, preset, [args.question] if args.question else [])
    names, passed_over = list_source(args.source, args.column)
    report_skipped(args.source, passed_over)
    output = Output(args.output, args.format, "caption" if args.question is None else "answer")
    finished = output.begin(_manifest(args, preset, names))
    job = Job(output, args.question, args.top)
    tallies = list(finished.values())
    parts = [p for p in parts_of(names, args.part_size) if p.number not in finished]
    if args.engine == "ray":
        written = engines.on_ray(job, parts, functools.partial(_load, args.weights))
    else:
        written = engines.embedded(job, parts, model)
    with progress(len(parts), "part", several=len(parts) > 1) as bar:
        for tally in written:
            tallies.append(tally)
            bar.update(1)
    output.finish()
    photographs, broken = (sum(column) for column in zip(*tallies, strict=True))
    if broken:
        report(f"{args.output}: {broken} of {photographs} photographs failed; see column error")
    return int(broken > 0)


def _load(weights: str | None) -> "CaptionModel":
    """The model of an actor, on one core."""
    from captioner.cli.models import load_captioner

    return load_captioner(weights, threads=1)[1]


def _manifest(args: Namespace, preset: str, names: list[str]) -> dict[str, Any]:
    """The arguments that determine the content of the parts."""
    from captioner.presets import WEIGHTS, find, sha256

    listed = hashlib.sha256()
    for name in names:
        listed.update(name.encode("utf-8", "surrogateescape") + b"\n")
    return {
        "source": args.source,
        "names": len(names),
        "names_sha256": listed.hexdigest(),
        "part_size": args.part_size,
        "format": args.format,
        "question": args.question,
        "top": args.top,
        "weights": preset,
        "weights_sha256": sha256(find(preset) / WEIGHTS),
    }
