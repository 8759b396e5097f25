"""The output of `captioner caption`: lines of text or JSON, and overlays."""

import itertools
import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.cli.console import printable, report
from captioner.cli.requests import Item
from captioner.errors import UserError

MOST_NAMED = 5  # concepts instead of a caption

if TYPE_CHECKING:
    from captioner.generation.results import Caption


def is_several(args: Namespace) -> bool:
    """Whether there can be several photographs, so that the output needs their paths."""
    return (
        args.requests is not None
        or len(args.photos) + args.example > 1
        or any(map(os.path.isdir, args.photos))
    )


def draws_several(args: Namespace) -> bool:
    """Whether there can be several overlays, which need a folder."""
    return is_several(args) or len(args.questions) > 1


def draw(item: Item, caption: "Caption", target: Path) -> bool:
    """Draw the attention of the words; report an error and return False."""
    from captioner import overlay

    assert item.label is not None and item.source is not None  # because it has a caption
    if target.is_dir():
        stem = "stdin" if item.label == "-" else Path(item.label).stem
        names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
        # Never overwrite existing files, such as photographs.
        paths = (target / f"{name}.png" for name in names)
        target = next(path for path in paths if not os.path.lexists(path))
    try:
        overlay.save(item.source, caption, target, item.question)
    except (OSError, UserError) as error:
        report(error)
        return False
    return True


def lines(item: Item, result: "Caption | Exception", args: Namespace) -> list[str]:
    """The lines of an item for stdout."""
    if args.json:
        return [json.dumps(_record(item, result, args), ensure_ascii=False)]
    if isinstance(result, Exception):
        return []
    texts = [candidate.text for candidate in result.candidates[: args.top]]
    if withheld(item, result, args):
        if item.question is not None or not result.concepts:
            return []
        texts = [f"Probably: {', '.join(_probably(result))}."]
    assert item.label is not None
    prefix = f"{printable(item.label)}\t" if is_several(args) else ""
    if item.question is not None and (args.requests is not None or len(args.questions) > 1):
        prefix += f"{_one_line(item.question)}\t"
    return [prefix + text for text in texts]


def is_unsure(caption: "Caption", least: float | None) -> bool:
    """Whether the confidence of a caption is known and below the minimum."""
    return least is not None and caption.confidence is not None and caption.confidence < least


def withheld(item: Item, result: "Caption", args: Namespace) -> str | None:
    """The reason for withholding a caption or answer, or None."""
    if not is_unsure(result, args.min_confidence):
        return None
    kind = "caption" if item.question is None else "answer"
    return f"{item.label}: no {kind}: confidence {result.confidence:.2f} is below --min-confidence"


def _probably(result: "Caption") -> list[str]:
    """The most probable concepts."""
    return [concept.word for concept in result.concepts[:MOST_NAMED]]


def _one_line(question: str) -> str:
    """A question as a field of a line, with unencodable characters escaped."""
    encoding = sys.getfilesystemencoding()
    line = printable(" ".join(question.split()))
    return line.encode(encoding, "backslashreplace").decode(encoding)


def _record(item: Item, result: "Caption | Exception", args: Namespace) -> dict:
    """The JSON object of an item."""
    record: dict = {"image": item.label}
    if item.question is not None:
        record["question"] = item.question
    if isinstance(result, Exception):
        return record | {"error": str(result)}
    kind = "caption" if item.question is None else "answer"
    if withheld(item, result, args):
        record |= {kind: None, "confidence": result.confidence}
        return record if item.question else record | {"probably": _probably(result)}
    from captioner.generation.results import record_of

    return record | record_of(result._replace(candidates=result.candidates[: args.top]), kind)
