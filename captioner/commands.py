"""What the subcommands do; whatever is slow to import is imported by the one that needs it."""

import contextlib
import io
import itertools
import json
import logging
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np

    from captioner.images import Source
    from captioner.search import Caption

BATCH = 32


@dataclass(frozen=True)
class Item:
    """A photograph to caption, or the error that stands in its place."""

    label: str | None  # None for a request that names no image
    source: "Source | None" = None
    error: Exception | None = None


def caption(args: Namespace) -> int:
    """Write the captions of photographs batch by batch; 1 if some photographs failed."""
    from tqdm import tqdm

    from captioner.presets import DEFAULT_PRESET

    _prepare_stdout(args.json)
    several = is_several(args)
    failed = False
    with contextlib.ExitStack() as stack:
        # Pillow warns of damaged metadata that do a photograph no harm.
        stack.enter_context(warnings.catch_warnings(action="ignore", category=UserWarning))
        photographs = [item for photo in args.photos for item in _photographs(photo)]
        if args.example:
            photographs.append(_example())
        items: Iterable[Item] = photographs
        if args.requests is not None:
            file = sys.stdin.buffer
            if args.requests != "-":
                file = stack.enter_context(open(args.requests, "rb"))
            items = itertools.chain(photographs, _requests(file))

        if args.overlay is not None and several:
            args.overlay.mkdir(parents=True, exist_ok=True)
        with quiet_import():
            from captioner.model import Captioner
        model = Captioner.from_preset(args.weights or DEFAULT_PRESET)

        loaded = _load(items, model.image_size)
        bar = stack.enter_context(
            tqdm(
                total=None if args.requests is not None else len(photographs),
                unit="photo",
                leave=False,
                disable=None if several else True,  # None: unless stderr is a terminal
            )
        )
        while batch := list(itertools.islice(loaded, BATCH)):
            images = [image for _, image in batch if not isinstance(image, Exception)]
            captions = iter(
                model.caption(images, beam_width=args.beam, top=args.top) if images else []
            )
            lines: list[str] = []
            captioned: list[tuple[Item, Caption]] = []
            with tqdm.external_write_mode():
                for item, image in batch:
                    if isinstance(image, Exception):
                        failed = True
                        report(image)
                        result = image
                    else:
                        result = next(captions)
                        captioned.append((item, result))
                    lines += _lines(item.label, result, several, args.json)
                if lines:
                    print(*lines, sep="\n", flush=True)
                if args.overlay is not None:
                    failed |= not all([_draw(*each, args.overlay) for each in captioned])
            bar.update(len(batch))
    return int(failed)


def train(args: Namespace) -> int:
    """Train a model and save it as a preset."""
    with quiet_import():
        from captioner import encoders, training

    settings = {name: value for name, value in vars(args).items() if name not in ("command", "run")}
    try:
        training.train(**settings)
    except (training.TrainingError, encoders.EncoderError) as error:
        report(error)
        return 1
    return 0


def evaluate(args: Namespace) -> int:
    """Score a model on a split of a dataset, as a table on stdout."""
    with quiet_import():
        from captioner import evaluation
    from captioner.presets import DEFAULT_PRESET

    scores = evaluation.evaluate(
        args.dataset,
        args.root,
        args.split,
        weights=args.weights or DEFAULT_PRESET,
        output=args.output,
        beam=args.beam,
        record=args.record,
    )
    print(evaluation.table(scores), flush=True)
    return 0


def questions(args: Namespace) -> int:
    """Make questions from the captions of a dataset; their number of each kind on stdout."""
    try:
        from captioner.questions import write_questions
    except ModuleNotFoundError as error:
        if error.name != "textblob":
            raise
        report(ModuleNotFoundError("questions need textblob: pip install 'captioner[questions]'"))
        return 1
    from captioner.datasets import load_dataset

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


def report(error: Exception) -> None:
    """Tell of an error in one line on stderr."""
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    else:
        message = str(error)
    print("captioner:", " ".join(message.splitlines()), file=sys.stderr)


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
    from captioner.images import ImageError, find_images

    if photo == "-":
        # Read here: a thread that waits for stdin would not let an interrupted program end.
        stream = io.BytesIO(sys.stdin.buffer.read())
        stream.name = "<stdin>"  # for messages
        yield Item(photo, stream)
    elif os.path.isdir(photo):
        try:
            yield from (Item(str(path), path) for path in find_images(photo))
        except ImageError as error:
            yield Item(photo, error=error)
    else:
        yield Item(photo, photo)


def _example() -> Item:
    """The portrait of Grace Hopper that Matplotlib ships."""
    from matplotlib.cbook import get_sample_data

    path = str(get_sample_data("grace_hopper.jpg", asfileobj=False))
    return Item(path, path)


def _requests(file: BinaryIO) -> Iterator[Item]:
    """The items of JSON lines `{"image": path}`."""
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            request = json.loads(line.decode("utf-8-sig", "surrogateescape"))
        except (ValueError, RecursionError):
            yield Item(None, error=ValueError(f"{file.name}:{number}: not valid JSON"))
            continue
        image = request.get("image") if isinstance(request, dict) else None
        if isinstance(image, str) and image:
            yield Item(image, image)
        else:
            error = ValueError(f'{file.name}:{number}: not an object whose "image" is a path')
            yield Item(None, error=error)


def _load(
    items: Iterable[Item], size: int
) -> Iterator[tuple[Item, "np.ndarray | Exception"]]:  # uint8[S, S, 3]
    """Each item with its photograph or its error, in order; the next ones decode meanwhile."""
    from captioner.images import load_images

    items, ahead = itertools.tee(items)
    sources = (item.source for item in ahead if item.source is not None)
    images = load_images(sources, size)
    for item in items:
        yield item, item.error or next(images)


def _draw(item: Item, caption: "Caption", target: Path) -> bool:
    """Draw where the words of a caption looked; an error is reported, and False."""
    from captioner import overlay
    from captioner.images import ImageError

    if target.is_dir():
        stem = "stdin" if item.label == "-" else Path(item.label).stem
        names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
        # A name may be taken by a photograph: nothing that is there already is written over.
        paths = (target / f"{name}.png" for name in names)
        target = next(path for path in paths if not os.path.lexists(path))
    try:
        overlay.save(item.source, caption, target)
    except (OSError, ImageError) as error:
        report(error)
        return False
    return True


def _lines(
    label: str | None, result: "Caption | Exception", several: bool, as_json: bool
) -> list[str]:
    """What stdout shows of a photograph."""
    if as_json:
        return [json.dumps({"image": label} | _record(result), ensure_ascii=False)]
    if isinstance(result, Exception):
        return []
    prefix = f"{label}\t" if several else ""
    return [prefix + candidate.text for candidate in result.candidates]


def _record(result: "Caption | Exception") -> dict:
    if isinstance(result, Exception):
        return {"error": str(result)}
    return {
        "caption": result.text,
        "score": result.score,
        "words": [{"word": w.word, "probability": w.probability} for w in result.words],
        "candidates": [{"caption": c.text, "score": c.score} for c in result.candidates],
    }
