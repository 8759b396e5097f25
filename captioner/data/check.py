"""A real data set has holes: what is missing or broken is named, counted and left out."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from captioner.data.images import ImageError, load_images
from captioner.data.records import DatasetError, Example

MOST_NAMED = 10

logger = logging.getLogger("captioner.data")


def check_images(
    examples: Sequence[Example], max_missing: float = 0.01, verify: bool = True
) -> list[Example]:
    """Returns the examples whose photograph can be used; names and counts the others in the log.

    Args:
        examples: several may share a photograph, which is then looked at and counted once.
        max_missing: the fraction of photographs that may be missing or broken.
        verify: decode every photograph, since nothing else finds one that was cut short; without
            it, only whether each is there.

    Raises:
        DatasetError: if more than `max_missing` of the photographs are missing or broken.
    """
    paths = list(dict.fromkeys(example.image for example in examples))
    unusable = _undecodable(paths) if verify else _absent(paths)
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


def _undecodable(paths: list[Path]) -> dict[Path, str]:
    # Size 1: what counts is that it decodes.
    results = tqdm(
        load_images(paths, size=1), "Checking photographs", len(paths), unit="photo", disable=None
    )
    return {
        path: str(result)
        for path, result in zip(paths, results, strict=True)
        if isinstance(result, ImageError)
    }


def _absent(paths: list[Path]) -> dict[Path, str]:
    return {path: f"{path}: no such file" for path in paths if not os.path.isfile(path)}
