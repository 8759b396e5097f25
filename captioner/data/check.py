"""A real data set has holes: what is missing or broken is named, counted and left out."""

import json
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from captioner.data.images import ImageError, load_images
from captioner.data.records import DatasetError, Example

MOST_NAMED = 10

logger = logging.getLogger("captioner.data")


class Checks:
    """Decodes photographs to find the broken ones, and remembers what it has found.

    A photograph whose size and time are as they were is not opened again.

    Args:
        path: the file that remembers, read if it is there; without one, nothing is.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        # path of a photograph -> [size, time, None or the line that says what is wrong]
        self.results: dict[str, list[Any]] = {}
        if path is not None and path.exists():
            try:
                self.results = dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, TypeError, ValueError):
                pass  # what is not remembered is found again

    def problems(self, paths: Iterable[Path]) -> dict[Path, str]:
        """What is wrong with those photographs that are missing or broken, in their order."""
        marks = {path: _mark(path) for path in paths}
        unknown = [
            path
            for path, mark in marks.items()
            if mark is None or self.results.get(str(path), [])[:2] != mark
        ]
        results = tqdm(
            load_images(unknown, size=1),  # what counts is that it decodes
            *("Checking photographs", len(unknown)),
            unit="photo",
            disable=None if unknown else True,
        )
        found = {
            path: str(result) if isinstance(result, ImageError) else None
            for path, result in zip(unknown, results, strict=True)
        }
        for path, problem in found.items():
            if mark := marks[path]:
                self.results[str(path)] = [*mark, problem]
        problems = {
            path: found[path] if path in found else self.results[str(path)][2] for path in marks
        }
        return {path: problem for path, problem in problems.items() if problem is not None}

    def save(self) -> None:
        """Write what has been found, whole or not at all."""
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.results), encoding="utf-8")
        unfinished.replace(self.path)


def _mark(path: Path) -> list[int] | None:
    """The size and the time of a file, by which a change is seen; None if there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a name that holds a zero byte
        return None
    return [found.st_size, found.st_mtime_ns]


def check_images(
    examples: Sequence[Example],
    max_missing: float = 0.01,
    verify: bool = True,
    checks: Checks | None = None,
) -> list[Example]:
    """Returns the examples whose photograph can be used; names and counts the others in the log.

    Args:
        examples: several may share a photograph, which is then looked at and counted once.
        max_missing: the fraction of photographs that may be missing or broken.
        verify: decode every photograph, since nothing else finds one that was cut short; without
            it, only whether each is there.
        checks: what remembers which of them have been decoded before.

    Raises:
        DatasetError: if more than `max_missing` of the photographs are missing or broken.
    """
    paths = list(dict.fromkeys(example.image for example in examples))
    unusable = (checks or Checks()).problems(paths) if verify else _absent(paths)
    if not unusable:
        return list(examples)

    for problem in list(unusable.values())[:MOST_NAMED]:
        logger.warning("%s", problem)
    if len(unusable) > MOST_NAMED:
        logger.warning("... and %d more", len(unusable) - MOST_NAMED)
    count = f"{len(unusable)} of {len(paths)} photographs are missing or broken"
    if len(unusable) > max_missing * len(paths):
        first = next(iter(unusable.values()))
        raise DatasetError(f"{count}, more than the {max_missing:.1%} allowed; the first: {first}")
    logger.warning("%s; going on without them", count)
    return [example for example in examples if example.image not in unusable]


def _absent(paths: list[Path]) -> dict[Path, str]:
    return {path: f"{path}: no such file" for path in paths if not os.path.isfile(path)}
