"""`captioner caption`, which also answers questions."""

import contextlib
import itertools
import os
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.cli.arguments import Subcommands, add_weights, positive, share
from captioner.cli.console import prepare_stdout, report
from captioner.cli.output import draw, draws_several, is_several, lines, withheld
from captioner.cli.progress import apart_from_the_bar, progress
from captioner.cli.requests import (
    Item,
    as_they_come,
    example,
    note_about,
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
        description="Write captions of photographs, or with --question answers: a line for each, "
        "with a candidate of --top a line. Before it stands, with a tab behind, the path if there "
        "are several photographs, and the question if there are several. Lines of --requests "
        "begin with the path, and with the question if they answer one.",
        epilog="Exit status: 0 all well, 1 some photographs failed, 2 a wrong call.",
    )
    parser.add_argument(
        "photos",
        nargs="*",
        metavar="PHOTO",
        help="a file, a folder (with all folders in it), or - for one image on stdin",
    )
    parser.add_argument(
        "--question",
        dest="questions",
        action="append",
        default=[],
        metavar="TEXT",
        help="answer it about each PHOTO instead of captioning; may be given several times",
    )
    parser.add_argument(
        "--beam",
        type=positive,
        metavar="K",
        help=f"beam width (default: {BEAM_WIDTH}, or N of --top where that is more)",
    )
    parser.add_argument(
        "--top", type=positive, default=1, metavar="N", help="write the N best candidates"
    )
    parser.add_argument(
        "--min-confidence",
        type=share,
        metavar="P",
        help="leave out a caption or an answer that is less likely to be right than P, and say in "
        "the place of a caption what is probably there (0 to 1)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object a line: image, caption, score, words, candidates, confidence, "
        "concepts; or the same with question and answer; or image, question if there is one, error",
    )
    add_weights(parser)
    parser.add_argument(
        "--requests",
        metavar="FILE.jsonl",
        help='caption the images of lines {"image": path}, and answer those of lines '
        '{"image": path, "question": text}, in their order; - for stdin',
    )
    parser.add_argument(
        "--example", action="store_true", help="caption the portrait that Matplotlib ships"
    )
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE_OR_DIR",
        help="draw where each word looked: a figure (.png, .jpg, .jpeg, .pdf, .svg), an animation "
        "(.gif) or a page (.html); of an answer, in one picture for all its words instead of the "
        "figure; of several photographs or questions one each, as STEM.png in a folder, or "
        "STEM-2.png, STEM-3.png, ... where that is taken",
    )
    parser.set_defaults(run=run)


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Refuse what the parser let pass."""
    if not (args.photos or args.requests or args.example):
        parser.error("no photograph given: name a PHOTO, --requests or --example")
    if [*args.photos, args.requests].count("-") > 1:
        parser.error("stdin can be read only once")
    if args.questions:
        _check_questions(parser, args)
    if args.beam is None:
        args.beam = max(BEAM_WIDTH, args.top)
    if args.top > args.beam:
        parser.error(f"--top {args.top} needs a beam at least as wide, not --beam {args.beam}")
    if args.overlay is not None:
        _check_overlay(parser, args)


def _check_questions(parser: ArgumentParser, args: Namespace) -> None:
    from captioner.data.tokenizer import has_words

    if args.requests:
        parser.error("--question is about each PHOTO; a request has a question of its own")
    for question in args.questions:
        if not has_words(question):
            parser.error(f"--question {question[:60]!r}: has no words; ask something")


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
        # Pillow warns of damaged metadata that do a photograph no harm.
        stack.enter_context(warnings.catch_warnings(action="ignore", category=UserWarning))
        photographs = [item for photo in args.photos for item in photographs_of(photo)]
        if args.example:
            photographs.append(example())
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
        # Whoever waits for an answer before the next line must get it without that line.
        for chunk in as_they_come(items) if args.requests == "-" else [items]:
            for group, results in _write(model, chunk, args.beam):
                failed |= not _show(group, results, args)
                bar.update(len(group))
    return int(failed)


def _load_model(args: Namespace) -> "tuple[str, CaptionModel]":
    """The name of the preset and its model, which can answer the questions, if there are any."""
    from captioner.cli.models import load_calibrated
    from captioner.presets import check_answers

    preset, model = load_calibrated(args.weights, args.min_confidence)
    if args.questions:
        check_answers(model, preset)
    for note in filter(None, (note_about(model, question) for question in args.questions)):
        report(note)
    return preset, model


def _write(
    model: "CaptionModel", items: Iterable[Item], beam_width: int
) -> "Iterator[tuple[list[Item], list[Caption] | Exception]]":
    """Neighbours about the same photograph together, with what is written for each of them, or the
    error of all of them."""
    from captioner.data.images import load_or_error, map_ahead
    from captioner.generation.batching import stream
    from captioner.generation.samplers import Beam

    def load(group: list[Item]) -> "np.ndarray | Exception":
        item = group[0]
        if item.error is not None:
            return item.error
        assert item.source is not None
        return load_or_error(item.source, model.config.image_size)

    groups, ahead, asked = itertools.tee(_groups(items), 3)
    questions = ([item.question for item in group] for group in asked)
    rows = zip(map_ahead(load, ahead), questions, strict=True)
    return zip(groups, stream(model, rows, sampler=Beam(beam_width)), strict=True)


def _groups(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items in their order, neighbours about the same photograph, up to a number, together."""
    from captioner.generation.batching import GROUPS

    for _, neighbours in itertools.groupby(items, key=lambda item: item.error or item.source):
        while group := list(itertools.islice(neighbours, GROUPS)):
            yield group


def _show(group: list[Item], results: "list[Caption] | Exception", args: Namespace) -> bool:
    """Print and draw what was written about a photograph, or report its error; whether all went
    well."""
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
