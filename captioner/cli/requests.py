"""The input of `captioner caption`: photographs, folders and lines of requests."""

import errno
import io
import json
import os
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, BinaryIO

from captioner.cli.console import report

if TYPE_CHECKING:
    from captioner.data.images import Source
    from captioner.generation.model import CaptionModel

EXAMPLE = Path(__file__).parents[1] / "export" / "site" / "example.jpg"


@dataclass(frozen=True)
class Item:
    """A photograph, perhaps with a question, or an error."""

    label: str | None  # None for a request without an image
    source: "Source | None" = None
    question: str | None = None
    note: str | None = None  # warning for the reader of the answer
    error: Exception | None = None


def photographs_of(photo: str) -> Iterator[Item]:
    """The items of one PHOTO argument."""
    from captioner.data.folders import walk
    from captioner.data.images import SUFFIXES, ImageError

    if photo == "-":
        # Read here: a thread that waits for stdin would block the end of the program.
        with stdin() as file:
            stream = io.BytesIO(file.read())
        stream.name = "<stdin>"  # for messages
        yield Item(photo, stream)
    elif os.path.isdir(photo):
        found = walk(photo)
        if found.passed_over:
            kinds = ", ".join(f"{kind} {count}" for kind, count in found.passed_over.items())
            report(f"{photo}: files skipped: {sum(found.passed_over.values())} ({kinds})")
        for error in found.unreadable:
            yield Item(photo, error=error)
        if not (found.images or found.unreadable):
            message = f"{photo}: has no photographs; supported suffixes: {', '.join(SUFFIXES)}"
            yield Item(photo, error=ImageError(message))
        yield from (Item(str(path), path) for path in found.images)
    else:
        yield Item(photo, photo)


def stdin() -> BinaryIO:
    """A copy of standard input; the caller closes it.

    The interpreter cannot close its own object at exit while a thread reads.

    Raises:
        OSError: standard input is closed.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "is closed; give a file", "<stdin>")
    return open(os.dup(sys.stdin.fileno()), "rb")


def as_they_come(items: Iterator[Item]) -> Iterator[list[Item]]:
    """Lists of the items that arrived during the work on the previous list."""
    from captioner.generation.batching import GROUPS as most

    arrived: Queue[Item | Exception | None] = Queue(most)

    def read() -> None:
        try:
            for item in items:
                arrived.put(item)
            arrived.put(None)
        except Exception as error:
            arrived.put(error)

    threading.Thread(target=read, daemon=True).start()
    last: Item | Exception | None
    while True:
        chunk = []
        while isinstance(last := arrived.get(), Item):
            chunk.append(last)
            if len(chunk) == most or arrived.empty():
                break
        if chunk:
            yield chunk
        if isinstance(last, Exception):
            raise last
        if last is None:
            return


def requests_of(file: BinaryIO, name: str, model: "CaptionModel", preset: str) -> Iterator[Item]:
    """The items of JSON lines `{"image": path}` or `{"image": path, "question": text}` in a file.

    It closes the file, because no other thread can while this one waits for a line.
    """
    name = "<stdin>" if name == "-" else name
    with file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{name}:{number}"
            try:
                request = json.loads(line.decode("utf-8-sig", "surrogateescape"))
            except (ValueError, RecursionError):
                yield Item(None, error=ValueError(f"{where}: not valid JSON"))
                continue
            fields = request if isinstance(request, dict) else {}
            image, question = (
                value if isinstance(value := fields.get(name), str) else None
                for name in ("image", "question")
            )
            try:
                _check_request(fields, model, preset)
            except ValueError as error:
                yield Item(image or None, question=question, error=ValueError(f"{where}: {error}"))
                continue
            note = None if question is None else note_about(model, question)
            yield Item(image, image, question, note and f"{where}: {note}")


def _check_request(fields: dict, model: "CaptionModel", preset: str) -> None:
    """Raise ValueError for an invalid request or question."""
    from captioner.data.tokenizer import has_words
    from captioner.presets import check_answers

    image, question = fields.get("image"), fields.get("question")
    if not (isinstance(image, str) and image):
        raise ValueError('not an object whose "image" is a path')
    if question is None:
        return
    if not isinstance(question, str):
        raise ValueError('"question" is not a string')
    if not has_words(question):
        raise ValueError(f"the question {_quoted(question)} has no words")
    check_answers(model, preset)


def check_questions(model: "CaptionModel", preset: str, questions: Sequence[str]) -> None:
    """Check that a model can answer questions; report their ignored words.

    Raises:
        PresetError: the model of the preset was trained without questions.
    """
    from captioner.presets import check_answers

    if questions:
        check_answers(model, preset)
    for note in filter(None, (note_about(model, question) for question in questions)):
        report(note)


def note_about(model: "CaptionModel", question: str) -> str | None:
    """A warning about ignored words of a question, or None."""
    from captioner.data.vocabulary import UNKNOWN

    ids, most = model.vocabulary.ids(question), model.config.max_question_words
    notes = []
    if len(ids) > most:
        notes.append(f"has {len(ids)} words, but only the first {most} are used")
    if set(ids[:most]) == {UNKNOWN}:
        notes.append("the model knows none of its words, so the answer ignores it")
    if not notes:
        return None
    return f"question {_quoted(question)}: {'; '.join(notes)}"


def _quoted(question: str) -> str:
    """The start of a question, for a message."""
    return repr(textwrap.shorten(question, 60, placeholder=" ..."))
