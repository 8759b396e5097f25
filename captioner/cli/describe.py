"""`captioner describe`: captions in the metadata of photographs."""

import contextlib
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.cli.arguments import Subcommands, add_least, add_weights
from captioner.cli.caption_output import is_unsure
from captioner.cli.console import prepare_stdout, printable, report
from captioner.cli.progress import apart_from_the_bar, progress
from captioner.cli.requests import Item, photographs_of
from captioner.errors import UserError

if TYPE_CHECKING:
    from captioner.generation.results import Caption


UNSURE = "skipped: confidence below --min-confidence"


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "describe",
        help="write captions into the metadata of photographs",
        description="Write the caption of each photograph into its XMP: dc:description, which "
        "photo programs show, and AltTextAccessibility, which screen readers read. "
        "Descriptions by people are kept.",
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="a photograph, or a folder")
    add_weights(parser)
    parser.add_argument(
        "--sidecar",
        action="store_true",
        help="write photo.jpg.xmp and leave the photograph unchanged",
    )
    add_least(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="also replace descriptions by people"
    )
    parser.add_argument("--dry-run", action="store_true", help="only print the captions")
    parser.add_argument(
        "--undo", action="store_true", help="remove the captions that this command has written"
    )
    parser.add_argument(
        "--names",
        action="store_true",
        help="write the names of people whose faces are marked in the XMP, as digiKam and "
        'Lightroom do: instead of "a man" if the caption has as many people, otherwise after it',
    )
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Check combinations of arguments."""
    others = (args.overwrite, args.names, args.dry_run, args.min_confidence is not None)
    if args.undo and any(others):
        parser.error("--undo allows only --sidecar")
    if "-" in args.photos:
        parser.error("stdin has no file to write to")


def run(args: Namespace) -> int:
    """Describe the photographs; 1 if some failed."""
    from captioner.describe.plan import Outcome, plan, plan_undo

    prepare_stdout(as_json=False)
    outcomes: Counter[str] = Counter()
    failed = False
    with contextlib.ExitStack() as stack:
        items = [item for photo in args.photos for item in photographs_of(photo)]
        bar = stack.enter_context(progress(len(items), "photo", several=len(items) > 1))

        def done(item: Item, caption: "Caption | Exception | None") -> str | None:
            """Write the caption of an item; the line for stdout, or None."""
            if isinstance(caption, Exception):
                raise caption
            path = Path(str(item.source))
            if caption is None:
                planned = plan_undo(path, args.sidecar)
            elif is_unsure(caption, args.min_confidence):
                outcomes[UNSURE] += 1
                return None
            else:
                planned = plan(path, caption.text, args.sidecar, args.overwrite, args.names)
            if not args.dry_run:
                planned.carry_out()
            outcomes[planned.outcome.value] += 1
            if caption is None or planned.outcome not in (Outcome.WRITTEN, Outcome.PARTLY):
                return None
            text = next(text for text in planned.texts.values() if isinstance(text, str))
            return f"{printable(item.label or '')}\t{printable(text)}"

        for item, caption in _captioned(items, args):
            try:
                line, problem = done(item, caption), None
            except (OSError, UserError) as error:
                line, problem, failed = None, error, True
            with apart_from_the_bar():
                if problem is not None:
                    report(problem)
                if line is not None:
                    print(line, flush=True)
            bar.update(1)
    if counts := [f"{count} {outcome}" for outcome, count in outcomes.items() if count]:
        report("dry run, nothing written: " * args.dry_run + ", ".join(counts))
    return int(failed)


def _captioned(
    items: list[Item], args: Namespace
) -> "Iterator[tuple[Item, Caption | Exception | None]]":
    """The items with their captions or errors; None for --undo."""
    sound = [item for item in items if item.error is None]
    yield from ((item, item.error) for item in items if item.error is not None)
    if args.undo:
        yield from ((item, None) for item in sound)
        return
    from captioner.cli.models import captions, load_calibrated

    _, model = load_calibrated(args.weights, args.min_confidence)
    sources = [item.source for item in sound if item.source is not None]
    yield from zip(sound, captions(model, sources), strict=True)
