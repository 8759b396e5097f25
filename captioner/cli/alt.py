"""`captioner alt`: alternative text for the images of pages."""

import difflib
import os
import warnings
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.cli.arguments import Subcommands, add_least, add_weights
from captioner.cli.console import prepare_stdout, printable, report
from captioner.cli.output import is_unsure
from captioner.describe.files import replacement

if TYPE_CHECKING:
    from captioner.describe.alt import Gap
    from captioner.generation.batching import Searches


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "alt",
        help="fill in the alternative text of images in HTML and Markdown",
        description="Give the images of pages that have no alternative text a caption, and mark it "
        'for review. Nothing else in a page is touched; images that are decoration (alt="") are '
        "left alone, and those of other sites are not fetched.",
    )
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE", help=".html or .md")
    add_weights(parser)
    add_least(parser)
    parser.add_argument("--dry-run", action="store_true", help="only show the difference")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Fill page after page; 1 if some page or image failed."""
    from captioner.cli.models import load_calibrated
    from captioner.describe.alt import PageError

    prepare_stdout(as_json=False)
    _, model = load_calibrated(args.weights, args.min_confidence)
    sound, counts = True, Counter[str]()
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        for page in args.pages:
            try:
                sound &= _fill(page, model, args, counts)
            except (OSError, PageError) as error:
                report(error)
                sound = False
    if counts:
        report(", ".join(f"{count} {what}" for what, count in counts.items()))
    return int(not sound)


def _fill(page: Path, model: "Searches", args: Namespace, counts: Counter[str]) -> bool:
    """Fill a page; whether all its images could be read."""
    from captioner.cli.models import captions
    from captioner.describe.alt import filled, gaps_of, read_page

    text = read_page(page)
    here: list[tuple[Gap, Path]] = []
    for gap in gaps_of(page, text):
        if (file := gap.file(page)) is None:
            counts["not fetched"] += 1
        else:
            here.append((gap, file))
    sound, written = True, []
    for (gap, _), caption in zip(here, captions(model, [f for _, f in here]), strict=True):
        if isinstance(caption, Exception):
            report(f"{page}:{gap.line}: {caption}")
            sound = False
        elif is_unsure(caption, args.min_confidence):
            counts["left out, for their confidence is less"] += 1
        else:
            written.append((gap, caption.text))
    counts["filled in"] += 0 if args.dry_run else len(written)
    changed = filled(text, written)
    if args.dry_run:
        name = os.fspath(page)
        old, new = (
            t.encode("latin-1").decode("utf-8", "replace").splitlines(True) for t in (text, changed)
        )
        print("".join(difflib.unified_diff(old, new, name, name)), end="")
        return sound
    if written:
        with replacement(page) as copy:
            copy.write_bytes(changed.encode("latin-1"))
    for gap, said in written:
        print(f"{printable(os.fspath(page))}:{gap.line}\t{said}")
    return sound
