"""What the subcommands do; whatever is slow to import is imported by the one that needs it."""

import contextlib
import io
import itertools
import json
import logging
import os
import sys
import textwrap
import unicodedata
import warnings
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np

    from captioner.data.images import Source
    from captioner.generation.loop import Caption
    from captioner.models.captioner import Captioner

BATCH = 32  # photographs written about before the next ones
MOST_ASKED = 10 * BATCH  # or questions answered


@dataclass(frozen=True)
class Item:
    """A photograph to caption, a question about one, or the error that stands in its place."""

    label: str | None  # None for a request that names no image
    source: "Source | None" = None
    question: str | None = None
    note: str | None = None  # what the reader of the answer should know
    error: Exception | None = None


Group = tuple[list[Item], "np.ndarray | Exception"]  # items of one photograph, uint8[S, S, 3]


def caption(args: Namespace) -> int:
    """Write captions or answers batch by batch; 1 if some photographs or requests failed."""
    from tqdm import tqdm

    from captioner.presets import DEFAULT_PRESET, check_answers

    _prepare_stdout(args.json)
    several = is_several(args)
    failed = False
    with contextlib.ExitStack() as stack:
        # Pillow warns of damaged metadata that do a photograph no harm.
        stack.enter_context(warnings.catch_warnings(action="ignore", category=UserWarning))
        photographs = [item for photo in args.photos for item in _photographs(photo)]
        if args.example:
            photographs.append(_example())
        file = None
        if args.requests is not None:
            file = sys.stdin.buffer
            if args.requests != "-":
                file = stack.enter_context(open(args.requests, "rb"))

        if args.overlay is not None and draws_several(args):
            args.overlay.mkdir(parents=True, exist_ok=True)
        with quiet_import():
            from captioner.models.captioner import Captioner
        preset = args.weights or DEFAULT_PRESET
        model = Captioner.from_preset(preset)
        if args.questions:
            check_answers(model, preset)
        for note in filter(None, (_note(model, question) for question in args.questions)):
            report(note)

        asked = [
            replace(item, question=question)
            for item in photographs
            for question in args.questions or [None]
        ]
        groups = _groups(asked)
        if file is not None:
            # Nobody knows how many requests there are: neighbours go together up to a number.
            requests = _groups(_requests(file, model, preset), MOST_ASKED)
            groups = itertools.chain(groups, requests)
        bar = stack.enter_context(
            tqdm(
                total=None if file is not None else len(asked),
                unit="question" if args.questions else "photo",
                leave=False,
                disable=None if several else True,  # None: unless stderr is a terminal
            )
        )
        for batch in _batches(_load(groups, model.config.image_size)):
            sound = [group for group in batch if not isinstance(group[1], Exception)]
            found = iter(_write(model, sound, args.beam, args.top))
            lines: list[str] = []
            written: list[tuple[Item, Caption]] = []
            with tqdm.external_write_mode():
                for group, image in batch:
                    if isinstance(image, Exception):
                        failed = True
                        report(image)
                        results = [image] * len(group)
                    else:
                        results = next(found)
                        written += zip(group, results, strict=True)
                    for item, result in zip(group, results, strict=True):
                        if item.note and not isinstance(result, Exception):
                            report(item.note)
                        lines += _lines(item, result, args)
                if lines:
                    print(*lines, sep="\n", flush=True)
                if args.overlay is not None:
                    failed |= not all([_draw(*each, args.overlay) for each in written])
            bar.update(sum(len(group) for group, _ in batch))
    return int(failed)


def train(args: Namespace) -> int:
    """Train a model and save it as a preset."""
    with quiet_import():
        from captioner.layers import image_encoder
        from captioner.training import train

    settings = dict(vars(args))
    datasets = list(zip(settings.pop("dataset"), settings.pop("root"), strict=True))
    del settings["command"], settings["run"]
    try:
        train.train(datasets, **settings)
    except (train.TrainingError, image_encoder.EncoderError) as error:
        report(error)
        return 1
    return 0


def evaluate(args: Namespace) -> int:
    """Score a model on a split of a dataset, as a table on stdout."""
    with quiet_import():
        from captioner.evaluation import evaluate
    from captioner.presets import DEFAULT_PRESET

    scores = evaluate.evaluate(
        args.dataset,
        args.root,
        args.split,
        task=args.task,
        weights=args.weights or DEFAULT_PRESET,
        output=args.output,
        beam=args.beam,
        record=args.record,
    )
    print(evaluate.table(scores), flush=True)
    return 0


def compare(args: Namespace) -> int:
    """Train the variants of the decoder alike, and compare them in a table on stdout."""
    with quiet_import():
        from captioner.training import compare
    from captioner.presets import DEFAULT_PRESET

    results = compare.compare(
        args.dataset,
        args.root,
        args.output,
        weights=args.weights or DEFAULT_PRESET,
        epochs=args.epochs,
    )
    print(compare.table(results), flush=True)
    return 0


def questions(args: Namespace) -> int:
    """Make questions from the captions of a dataset; their number of each kind on stdout."""
    try:
        from captioner.questions.generate import write_questions
    except ModuleNotFoundError as error:
        if error.name != "textblob":
            raise
        report(ModuleNotFoundError("questions need textblob: pip install 'captioner[questions]'"))
        return 1
    from captioner.data.readers import load_dataset

    examples = load_dataset(args.dataset, args.root, args.split, verify=False)
    counts = write_questions(examples, args.output)
    print(*(f"{kind:10}{count:8}" for kind, count in sorted(counts.items())), sep="\n", flush=True)
    return 0


def is_several(args: Namespace) -> bool:
    """Whether photographs are told apart, by their paths on stdout and as files of a folder."""
    return (
        args.requests is not None
        or len(args.photos) + args.example > 1
        or any(map(os.path.isdir, args.photos))
    )


def draws_several(args: Namespace) -> bool:
    """Whether there may be several overlays, so that they are files of a folder."""
    return is_several(args) or len(args.questions) > 1


def report(error: Exception | str) -> None:
    """Tell of an error, or of what should be known, in one line on stderr."""
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    else:
        message = str(error)
    print("captioner:", printable(" ".join(message.splitlines())), file=sys.stderr)


def printable(text: str) -> str:
    """A text, as of a file's name, that neither ends a line, nor a field, nor moves the cursor."""
    return "".join(
        ascii(c)[1:-1] if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text
    )


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Import TensorFlow within it, and stderr stays clean then and later.

    TensorFlow's libraries log while they are loaded, before they heed TF_CPP_MIN_LOG_LEVEL, so
    for that time the file descriptor itself leads nowhere; setting the level to 0 shows all.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        yield
        return
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
    # Only now: while it is imported into an interactive session, TensorFlow sets another level.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _prepare_stdout(as_json: bool) -> None:
    """Let file names that are no text pass: as their own bytes, or as the escapes of JSON."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if as_json:
            # A lone surrogate becomes \udcXX, which JSON reads back as that surrogate.
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        else:
            encoding = sys.getfilesystemencoding()
            sys.stdout.reconfigure(encoding=encoding, errors="surrogateescape")


def _photographs(photo: str) -> Iterator[Item]:
    """The items of one PHOTO argument."""
    from captioner.data.folders import walk
    from captioner.data.images import SUFFIXES, ImageError

    if photo == "-":
        # Read here: a thread that waits for stdin would not let an interrupted program end.
        stream = io.BytesIO(sys.stdin.buffer.read())
        stream.name = "<stdin>"  # for messages
        yield Item(photo, stream)
    elif os.path.isdir(photo):
        found = walk(photo)
        if found.passed_over:
            kinds = ", ".join(f"{kind} {count}" for kind, count in found.passed_over.items())
            report(f"{photo}: files passed over: {sum(found.passed_over.values())} ({kinds})")
        for error in found.unreadable:
            yield Item(photo, error=error)
        if not (found.images or found.unreadable):
            message = f"{photo}: no photographs there; looked for {', '.join(SUFFIXES)}"
            yield Item(photo, error=ImageError(message))
        yield from (Item(str(path), path) for path in found.images)
    else:
        yield Item(photo, photo)


def _example() -> Item:
    """The portrait of Grace Hopper that Matplotlib ships."""
    from matplotlib.cbook import get_sample_data

    path = str(get_sample_data("grace_hopper.jpg", asfileobj=False))
    return Item(path, path)


def _requests(file: BinaryIO, model: "Captioner", preset: str) -> Iterator[Item]:
    """The items of JSON lines `{"image": path}` or `{"image": path, "question": text}`."""
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        where = f"{file.name}:{number}"
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
        note = None if question is None else _note(model, question)
        yield Item(image, image, question, note and f"{where}: {note}")


def _check_request(fields: dict, model: "Captioner", preset: str) -> None:
    """Raises ValueError for a request that cannot be answered, whatever its photograph is."""
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


def _note(model: "Captioner", question: str) -> str | None:
    """What the answer to a question leaves out, if anything."""
    from captioner.data.vocabulary import UNKNOWN

    ids, most = model.vocabulary.ids(question), model.config.max_question_words
    notes = []
    if len(ids) > most:
        notes.append(f"has {len(ids)} words, of which only the first {most} are read")
    if set(ids[:most]) == {UNKNOWN}:
        notes.append("none of its words is known, so the answer ignores it")
    if not notes:
        return None
    return f"question {_quoted(question)}: {'; '.join(notes)}"


def _quoted(question: str) -> str:
    """The beginning of a question, for a message of one line."""
    return repr(textwrap.shorten(question, 60, placeholder=" ..."))


def _groups(items: Iterable[Item], most: int | None = None) -> Iterator[list[Item]]:
    """Items in their order, neighbours about the same photograph, at most so many, together."""
    for _, neighbours in itertools.groupby(items, key=lambda item: item.error or item.source):
        while group := list(itertools.islice(neighbours, most)):
            yield group


def _load(groups: Iterable[list[Item]], size: int) -> Iterator[Group]:
    """Each group with its photograph or its error, in order; the next ones decode meanwhile."""
    from captioner.data.images import load_images

    groups, ahead = itertools.tee(groups)
    sources = (group[0].source for group in ahead if group[0].error is None)
    images = load_images(sources, size)
    for group in groups:
        yield group, group[0].error or next(images)


def _batches(groups: Iterable[Group]) -> Iterator[list[Group]]:
    """As many groups as are written about at once."""
    batch: list[Group] = []
    for group in groups:
        batch.append(group)
        if len(batch) == BATCH or sum(len(items) for items, _ in batch) >= MOST_ASKED:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(
    model: "Captioner", groups: list[Group], beam_width: int, top: int
) -> "list[list[Caption]]":
    """For each group its captions and answers."""
    images = [image for _, image in groups]
    questions = [[item.question for item in group] for group, _ in groups]
    if any(question is not None for row in questions for question in row):
        return model.answer(images, questions, beam_width=beam_width, top=top)
    if not images:
        return []
    captions = model.caption(images, beam_width=beam_width, top=top)
    return [[caption] * len(row) for caption, row in zip(captions, questions, strict=True)]


def _draw(item: Item, caption: "Caption", target: Path) -> bool:
    """Draw where the words of a caption or answer looked; an error is reported, and False."""
    from captioner import overlay
    from captioner.data.images import ImageError

    if target.is_dir():
        stem = "stdin" if item.label == "-" else Path(item.label).stem
        names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
        # A name may be taken by a photograph: nothing that is there already is written over.
        paths = (target / f"{name}.png" for name in names)
        target = next(path for path in paths if not os.path.lexists(path))
    try:
        overlay.save(item.source, caption, target, item.question)
    except (OSError, ImageError) as error:
        report(error)
        return False
    return True


def _lines(item: Item, result: "Caption | Exception", args: Namespace) -> list[str]:
    """What stdout shows of an item."""
    if args.json:
        return [json.dumps(_record(item, result), ensure_ascii=False)]
    if isinstance(result, Exception):
        return []
    prefix = f"{printable(item.label)}\t" if is_several(args) else ""
    if item.question is not None and (args.requests is not None or len(args.questions) > 1):
        prefix += f"{_one_line(item.question)}\t"
    return [prefix + candidate.text for candidate in result.candidates]


def _one_line(question: str) -> str:
    """A question as a field of a line; what stdout cannot encode is escaped."""
    encoding = sys.getfilesystemencoding()
    line = printable(" ".join(question.split()))
    return line.encode(encoding, "backslashreplace").decode(encoding)


def _record(item: Item, result: "Caption | Exception") -> dict:
    """What JSON tells of an item."""
    record: dict = {"image": item.label}
    if item.question is not None:
        record["question"] = item.question
    if isinstance(result, Exception):
        return record | {"error": str(result)}
    kind = "caption" if item.question is None else "answer"
    return record | {
        kind: result.text,
        "score": result.score,
        "words": [{"word": w.word, "probability": w.probability} for w in result.words],
        "candidates": [{kind: c.text, "score": c.score} for c in result.candidates],
    }
