"""`captioner alt`: alternative text for the images of pages."""

import difflib
import os
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.cli.arguments import Subcommands, add_least, add_weights
from captioner.cli.caption_output import is_unsure
from captioner.cli.console import prepare_stdout, printable, report
from captioner.errors import UserError

if TYPE_CHECKING:
    from captioner.describe.alt import PageImage
    from captioner.generation.model import CaptionModel
    from captioner.generation.results import Caption


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "alt",
        help="fill in the alternative text of images in HTML and Markdown",
        description="Give images without alternative text a caption, and mark it for review. "
        'Nothing else in a page changes. Decoration (alt="") is skipped, and images '
        "of other sites are not downloaded.",
    )
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE", help=".html or .md")
    add_weights(parser)
    add_least(parser)
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help='the root folder of the site, for images such as "/images/a.jpg"',
    )
    parser.add_argument(
        "--no-mark",
        dest="mark",
        action="store_false",
        help="do not mark the texts, because comments break MDX and figures of pandoc",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--dry-run", action="store_true", help="only print the difference")
    only.add_argument(
        "--check",
        action="store_true",
        help="change nothing; report texts that are missing, uninformative or unrelated to "
        "their photograph",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Fill or check the pages; 1 if a page or image failed, or a text has a fault."""
    from captioner.cli.models import load_calibrated

    prepare_stdout(as_json=False)
    _, model = load_calibrated(args.weights, args.min_confidence)
    sound, counts = True, Counter[str]()
    work = _check if args.check else _fill
    for path in args.pages:
        try:
            sound &= work(path, model, args, counts)
        except (OSError, UserError) as error:
            report(error)
            sound = False
    if counts:
        report(", ".join(f"{count} {what}" for what, count in counts.items()))
    return int(not sound)


def _fill(path: Path, model: "CaptionModel", args: Namespace, counts: Counter[str]) -> bool:
    """Fill a page; whether all images were readable."""
    from captioner.describe.alt import filled, gaps_of
    from captioner.describe.files import replace_file
    from captioner.describe.pages import read_page

    page = read_page(path)
    captioned, sound = _captioned(gaps_of(page), path, model, args, counts)
    written = []
    for image, caption in captioned:
        if is_unsure(caption, args.min_confidence):
            counts["skipped: confidence below --min-confidence"] += 1
        else:
            written.append((image, caption.text))
    if not written:
        return sound
    changed = filled(page, written, args.mark)
    if args.dry_run:
        name = os.fspath(path)
        lines = page.text.splitlines(), changed.text.splitlines()
        print(*difflib.unified_diff(*lines, name, name, lineterm=""), sep="\n")
        return sound
    replace_file(path, changed.content, page.content)
    counts["filled in"] += len(written)
    for image, text in written:
        print(f"{printable(os.fspath(path))}:{image.line}\t{text}")
    return sound


def _check(path: Path, model: "CaptionModel", args: Namespace, counts: Counter[str]) -> bool:
    """Print the faults of a page; whether it has none and all images were readable."""
    from captioner.describe.alt import images_of
    from captioner.describe.pages import read_page
    from captioner.describe.review import MIN_CONFIDENCE, Reviewer

    images = [image for image in images_of(read_page(path)) if image.text != ""]
    captioned, faultless = _captioned(images, path, model, args, counts)
    least = MIN_CONFIDENCE if args.min_confidence is None else args.min_confidence
    reviewer, seen = Reviewer(model.vocabulary.words), {}
    for image, caption in captioned:
        if not is_unsure(caption, least):
            sentences = [candidate.text for candidate in caption.candidates]
            seen[image] = [*sentences, *(concept.word for concept in caption.concepts)]
    for image in images:
        for fault in reviewer.faults(image.text, seen.get(image, [])):
            print(f"{printable(os.fspath(path))}:{image.line}:{image.column}: {printable(fault)}")
            faultless = False
    return faultless


def _captioned(
    images: "Iterable[PageImage]",
    path: Path,
    model: "CaptionModel",
    args: Namespace,
    counts: Counter[str],
) -> "tuple[list[tuple[PageImage, Caption]], bool]":
    """The captions of the images of a page, and whether all were readable."""
    from captioner.cli.models import captions

    here = list(_photographs(images, path, args.root, counts))
    captioned, sound = [], True
    for (image, _), caption in zip(here, captions(model, [f for _, f in here]), strict=True):
        if isinstance(caption, Exception):
            report(f"{path}:{image.line}: {caption}")
            sound = False
        else:
            captioned.append((image, caption))
    return captioned, sound


def _photographs(
    images: "Iterable[PageImage]", page: Path, root: Path | None, counts: Counter[str]
) -> "Iterator[tuple[PageImage, Path]]":
    """The images with a file on this computer. Other images are counted."""
    for image in images:
        file = image.file(page, root)
        if image.path is None:
            counts["not fetched"] += 1
        elif file is None:
            counts["not found without --root"] += 1
        elif file.suffix.lower() in (".svg", ".svgz"):
            counts["drawings in SVG"] += 1
        elif os.path.exists(file) and not os.path.isfile(file):  # a named pipe would wait forever
            counts["not regular files"] += 1
        else:
            yield image, file
