"""`captioner watch`: print a line for each change of a camera or a folder."""

import contextlib
import os
import re
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.cli.arguments import Subcommands, add_weights, check_question
from captioner.cli.console import prepare_stdout, printable, report
from captioner.watch.addresses import PASSWORD, Topic, check_camera, is_url, topic_of
from captioner.watch.changes import Changes

if TYPE_CHECKING:
    from captioner.generation.model import CaptionModel
    from captioner.generation.results import Caption
    from captioner.watch.cameras import Photograph, Place
    from captioner.watch.mqtt import Publish

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}  # seconds


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "watch",
        help="watch a camera or a folder, and print changes of the caption or an answer",
        description="Watch a camera, or the new photographs of a folder, until Ctrl-C. Print a "
        "line when the caption, or with --question the answer, changes: the time, the "
        "path of a photograph in a folder, the text, and its confidence.",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="the http(s) URL of a camera's picture, or a folder"
    )
    parser.add_argument(
        "--question", metavar="TEXT", help="answer this question instead of captioning"
    )
    parser.add_argument(
        "--every",
        type=duration,
        default=2.0,
        metavar="TIME",
        help="time between two pictures, such as 2s, 1m or 1h (default: 2s)",
    )
    parser.add_argument(
        "--mqtt",
        type=topic,
        metavar="TOPIC",
        help="also publish each change to HOST[:PORT]/TOPIC or mqtt://USER@HOST[:PORT]/TOPIC, as "
        f"JSON; the password is taken from the environment variable {PASSWORD}",
    )
    add_weights(parser)
    parser.set_defaults(run=run)


def duration(text: str) -> float:
    """Parse a time; its seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text, re.ASCII)
    seconds = float(match[1]) * UNITS[match[2]] if match else 0.0
    if not 0 < seconds < 2**31:
        raise ArgumentTypeError(f"must be a time such as 2s, 1m or 1h, not {text!r}")
    return seconds


def topic(text: str) -> Topic:
    """Parse a topic of MQTT."""
    try:
        return topic_of(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def check(parser: ArgumentParser, args: Namespace) -> None:
    """Check combinations of arguments."""
    if args.question is not None:
        check_question(parser, args.question)
    if is_url(args.source):
        try:
            check_camera(args.source)
        except ValueError as error:
            parser.error(f"SOURCE {error}")


def run(args: Namespace) -> int:
    """Watch until interrupted."""
    from captioner.cli.models import load_captioner
    from captioner.cli.requests import check_questions
    from captioner.watch.cameras import Camera, Folder

    prepare_stdout(as_json=False)
    with contextlib.ExitStack() as stack:
        publish = None
        if args.mqtt is not None:
            from captioner.watch.mqtt import publisher

            password = os.environ.get(PASSWORD)
            publish = stack.enter_context(publisher(args.mqtt, password, report))
        place: Place = Camera(args.source) if is_url(args.source) else Folder(Path(args.source))
        preset, model = load_captioner(args.weights)
        check_questions(model, preset, [args.question] if args.question else [])
        changes = Changes(place.agreeing)
        for photograph, caption in _captions(place, model, args.question, args.every):
            if changes.is_new(caption.text):
                _report_change(photograph, caption, args.question, publish)
    return 0


def _captions(
    place: "Place", model: "CaptionModel", question: str | None, every: float
) -> "Iterator[tuple[Photograph, Caption]]":
    """Caption the photographs forever. A lasting error is reported once."""
    from captioner.data.images import ImageError, load_image
    from captioner.generation.batching import stream
    from captioner.generation.samplers import Beam

    before: set[str] = set()
    while True:
        errors: set[str] = set()
        for photograph in place.look():
            try:
                if isinstance(photograph, ImageError):
                    raise photograph
                image = load_image(photograph, model.config.image_size)
            except ImageError as error:
                if str(error) not in before | errors:
                    report(error)
                errors.add(str(error))
                continue
            [[caption]] = stream(model, [(image, [question])], sampler=Beam())
            yield photograph, caption
        before = errors
        time.sleep(every)


def _report_change(
    photograph: "Photograph", caption: "Caption", question: str | None, publish: "Publish | None"
) -> None:
    """Print a change and publish it."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    path = [str(photograph)] if isinstance(photograph, Path) else []
    sure = "-" if caption.confidence is None else f"{caption.confidence:.2f}"
    print(*map(printable, (now, *path, caption.text, sure)), sep="\t", flush=True)
    if publish is not None:
        fields = {"caption": caption.text}
        if question is not None:
            fields = {"question": question, "answer": caption.text}
        image = {"image": path[0]} if path else {}
        publish({"time": now, **image, **fields, "confidence": caption.confidence})
