"""`captioner caption`: captions, and answers to questions."""

import contextlib
import itertools
import os
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.cli.arguments import Subcommands, add_weights, check_question, positive, share
from captioner.cli.caption_output import draw, draws_several, is_several, lines, withheld
from captioner.cli.console import prepare_stdout, report
from captioner.cli.progress import apart_from_the_bar, progress
from captioner.cli.requests import (
    EXAMPLE,
    Item,
    as_they_come,
    check_questions,
    photographs_of,
    requests_of,
    stdin,
)
from captioner.generation import BEAM_WIDTH

if TYPE_CHECKING:
    import numpy as np

    from captioner.generation.model import CaptionModel
    from captioner.generation.results import Caption


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "caption",
        help="write captions of photographs, or answers to questions about them",
        description="Write a caption of each photograph, or an answer to each --question, on a "
        "line of stdout. With --top N, write N lines. With several photographs, a "
        "line begins with the path and a tab; with several questions, the question "
        "and a tab follow. Lines of --requests begin with the path, and with the "
        "question if there is one.",
        epilog="Exit status: 0 success, 1 some photographs failed, 2 wrong arguments.",
    )
    parser.add_argument(
        "photos",
        nargs="*",
        metavar="PHOTO",
        help="a file, a folder with its subfolders, or - for one image on stdin",
    )
    parser.add_argument(
        "--question",
        dest="questions",
        action="append",
        default=[],
        metavar="TEXT",
        help="answer this question about each PHOTO; may be repeated",
    )
    parser.add_argument(
        "--beam",
        type=positive,
        metavar="K",
        help=f"beam width (default: {BEAM_WIDTH}, or N of --top if it is greater)",
    )
    parser.add_argument(
        "--top", type=positive, default=1, metavar="N", help="write the N best candidates"
    )
    parser.add_argument(
        "--min-confidence",
        type=share,
        metavar="P",
        help="skip captions and answers with a lower confidence (0 to 1); print the "
        "probable concepts instead of a caption",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a JSON object on each line: image, question, caption or answer, score, "
        "words, candidates, confidence, concepts; or image, question, error",
    )
    add_weights(parser)
    parser.add_argument(
        "--requests",
        metavar="FILE.jsonl",
        help='read a JSON object from each line: {"image": path} for a caption, {"image": '
        'path, "question": text} for an answer; - for stdin',
    )
    parser.add_argument(
        "--example",
        action="store_true",
        help="caption the example, a cup of coffee",
    )
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE_OR_DIR",
        help="draw the attention of each word: a figure (.png, .jpg, .jpeg, .pdf, .svg), "
        "an animation (.gif) or a page (.html). An answer gets one picture. For "
        "several photographs or questions, give a folder; existing files in it are "
        "kept",
    )
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Check combinations of arguments."""
    if not (args.photos or args.requests or args.example):
        parser.error("no photograph given: name a PHOTO, --requests or --example")
    if [*args.photos, args.requests].count("-") > 1:
        parser.error("stdin can be read only once")
    if args.questions:
        _check_questions(parser, args)
    if args.beam is None:
        args.beam = max(BEAM_WIDTH, args.top)
    if args.top > args.beam:
        parser.error(f"--top {args.top} needs an equal or wider beam, not --beam {args.beam}")
    if args.overlay is not None:
        _check_overlay(parser, args)


def _check_questions(parser: ArgumentParser, args: Namespace) -> None:
    if args.requests:
        parser.error(
            "--question applies to each PHOTO; put the question of a request into its line"
        )
    for question in args.questions:
        check_question(parser, question)


def _check_overlay(parser: ArgumentParser, args: Namespace) -> None:
    from captioner.overlay import SUFFIXES, check_suffix

    path = args.overlay
    if path.is_dir():
        return
    if draws_several(args):
        if path.suffix.lower() in SUFFIXES:
            what = "photographs" if is_several(args) else "questions"
            parser.error(f"--overlay {path}: several {what} need a folder")
        return
    try:
        check_suffix(path)
    except ValueError as error:
        parser.error(f"--overlay {error}")
    photos = filter(os.path.exists, args.photos)
    if path.exists() and any(map(path.samefile, photos)):
        parser.error(f"--overlay {path}: is the photograph itself")


def run(args: Namespace) -> int:
    """Write captions or answers; 1 if some photographs or requests failed."""
    prepare_stdout(args.json)
    failed = False
    with contextlib.ExitStack() as stack:
        # Pillow warns of damaged metadata, which do not affect the pixels.
        stack.enter_context(warnings.catch_warnings(action="ignore", category=UserWarning))
        photographs = [item for photo in args.photos for item in photographs_of(photo)]
        if args.example:
            photographs.append(Item(str(EXAMPLE), EXAMPLE))
        file = None
        if args.requests is not None:
            file = stdin() if args.requests == "-" else open(args.requests, "rb")
        if args.overlay is not None and draws_several(args):
            args.overlay.mkdir(parents=True, exist_ok=True)

        preset, model = _load_model(args)
        items: Iterator[Item] = (
            replace(item, question=question)
            for item in photographs
            for question in args.questions or [None]
        )
        if file is not None:
            items = itertools.chain(items, requests_of(file, args.requests, model, preset))
        total = None if file is not None else len(photographs) * max(1, len(args.questions))
        unit = "question" if args.questions else "photo"
        bar = stack.enter_context(progress(total, unit, several=is_several(args)))
        # A program can wait for the answer before it writes the next line.
        for chunk in as_they_come(items) if args.requests == "-" else [items]:
            for group, results in _write(model, chunk, args.beam):
                failed |= not _show(group, results, args)
                bar.update(len(group))
    return int(failed)


def _load_model(args: Namespace) -> "tuple[str, CaptionModel]":
    """The name of the preset and its model; check that it can answer the questions."""
    from captioner.cli.models import load_calibrated

    preset, model = load_calibrated(args.weights, args.min_confidence)
    check_questions(model, preset, args.questions)
    return preset, model


def _write(
    model: "CaptionModel", items: Iterable[Item], beam_width: int
) -> "Iterator[tuple[list[Item], list[Caption] | Exception]]":
    """Groups of consecutive items about one photograph, with their captions or their error."""
    from captioner.data.images import load_or_error, map_ahead
    from captioner.generation.batching import stream
    from captioner.generation.samplers import Beam

    def load(group: list[Item]) -> "np.ndarray | Exception":
        item = group[0]
        if item.error is not None:
            return item.error
        assert item.source is not None
        return load_or_error(item.source, model.config.image_size)

    groups, to_load, to_ask = itertools.tee(_groups(items), 3)
    questions = ([item.question for item in group] for group in to_ask)
    rows = zip(map_ahead(load, to_load), questions, strict=True)
    return zip(groups, stream(model, rows, sampler=Beam(beam_width)), strict=True)


def _groups(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Group consecutive items about one photograph, up to `GROUPS` items."""
    from captioner.generation.batching import GROUPS

    for _, neighbours in itertools.groupby(items, key=lambda item: item.error or item.source):
        while group := list(itertools.islice(neighbours, GROUPS)):
            yield group


def _show(group: list[Item], results: "list[Caption] | Exception", args: Namespace) -> bool:
    """Print and draw the captions of a photograph, or report its error; whether all succeeded."""
    written: list[tuple[Item, Caption]] = []
    with apart_from_the_bar():
        if isinstance(results, Exception):
            report(results)
            shown = [line for item in group for line in lines(item, results, args)]
        else:
            written = list(zip(group, results, strict=True))
            for item, caption in written:
                for note in filter(None, (item.note, withheld(item, caption, args))):
                    report(note)
            shown = [line for item, caption in written for line in lines(item, caption, args)]
        if shown:
            print(*shown, sep="\n", flush=True)
        drawn = args.overlay is None or all([draw(*each, args.overlay) for each in written])
    return drawn and not isinstance(results, Exception)
