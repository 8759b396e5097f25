"""Files that are replaced as a whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacement(path: Path, mode_of: Path | None = None) -> Iterator[Path]:
    """An empty file beside one, to be filled, that takes its place if no error is raised.

    Args:
        path: the file, which need not be there; where it is a link, it is what that leads to.
        mode_of: the file whose permissions it gets, by default the same.
    """
    place = Path(os.path.realpath(path))
    handle, name = tempfile.mkstemp(prefix=".", suffix=place.suffix, dir=place.parent)
    os.close(handle)
    copy = Path(name)
    try:
        yield copy
        shutil.copymode(mode_of or place, copy)
        with copy.open("rb+") as written:
            os.fsync(written.fileno())
        copy.replace(place)
    finally:
        copy.unlink(missing_ok=True)
