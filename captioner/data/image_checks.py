"""Finds missing and broken photographs of a data set, and leaves them out."""

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
    """Decodes photographs to find broken ones, and caches the results.

    A photograph with unchanged size and modification time is not opened again.

    Args:
        path: the cache file. None for no cache.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        # path of a photograph -> [size, time, None or the error message]
        self.results: dict[str, list[Any]] = {}
        if path is not None and path.exists():
            try:
                self.results = dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, TypeError, ValueError):
                pass  # the results are computed again

    def problems(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The errors of missing and broken photographs, in order."""
        marks = {path: _mark(path) for path in paths}
        unknown = [
            path
            for path, mark in marks.items()
            if mark is None or self.results.get(str(path), [])[:2] != mark
        ]
        results = tqdm(
            load_images(unknown, size=1),  # only decoding matters
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
        """Write the cache file in one step."""
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.results), encoding="utf-8")
        unfinished.replace(self.path)


def _mark(path: Path) -> list[int] | None:
    """The size and the modification time of a file. None if it does not exist."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return None
    return [found.st_size, found.st_mtime_ns]


def check_images(
    examples: Sequence[Example],
    max_missing: float = 0.01,
    verify: bool = True,
    checks: Checks | None = None,
) -> list[Example]:
    """Return the examples with usable photographs. Log the names and the number of the others.

    Args:
        examples: several may share a photograph, which then counts once.
        max_missing: the allowed fraction of missing or broken photographs.
        verify: whether to decode every photograph, which also finds truncated ones. Otherwise only
            their existence is checked.
        checks: the cache of earlier checks.

    Raises:
        DatasetError: more than `max_missing` of the photographs are missing or broken.
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
