"""Atomic replacement of files."""

import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path


def check_replaceable(path: Path) -> None:
    """Check that a file may be replaced.

    Raises:
        OSError: it is read-only, not a regular file, or has several hard links.
    """
    status = path.stat()
    name = os.fspath(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", name)
    if not (status.st_mode & 0o222 and os.access(path, os.W_OK)):  # root may write, but should not
        raise OSError(errno.EACCES, "is read-only; make it writable first", name)
    if status.st_nlink > 1:
        message = "has several hard links, of which only one would change; copy the file first"
        raise OSError(errno.EMLINK, message, name)


def replace_file(
    path: Path,
    content: bytes,
    before: bytes,
    mode_of: Path | None = None,
    keep_time: bool = False,
) -> None:
    """Replace a file atomically; keep its owner, permissions and extended attributes.

    Args:
        path: the file; a symbolic link is followed.
        content: the new content; if empty, the file is removed.
        before: the expected old content; empty for no file.
        mode_of: a file whose permissions a new file gets.
        keep_time: whether to keep the modification time.

    Raises:
        OSError: the file cannot be replaced, or has changed since it was read.
    """
    place = Path(os.path.realpath(path))
    exists = place.exists()
    if exists:
        check_replaceable(place)
    if (place.read_bytes() if exists else b"") != before:
        message = "was changed meanwhile by another program; run the command again"
        raise OSError(errno.EBUSY, message, os.fspath(path))
    if not content:
        path.unlink()
        return
    handle, name = tempfile.mkstemp(prefix=".", suffix=place.suffix, dir=place.parent)
    copy = Path(name)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        if exists:
            _take_over(place, copy, keep_time)
        elif mode_of is not None:
            shutil.copymode(mode_of, copy)
        copy.replace(place)
    finally:
        copy.unlink(missing_ok=True)


def _take_over(place: Path, copy: Path, keep_time: bool) -> None:
    """Copy the owner, permissions, times and extended attributes of a file."""
    before, after = place.stat(), copy.stat()
    if (before.st_uid, before.st_gid) != (after.st_uid, after.st_gid):
        try:
            os.chown(copy, before.st_uid, before.st_gid)
        except PermissionError as error:
            message = "belongs to another user, who would lose it"
            raise OSError(errno.EPERM, message, os.fspath(place)) from error
    shutil.copystat(place, copy)
    if not keep_time:
        os.utime(copy)
    if _attributes(copy) != _attributes(place):
        message = "has extended attributes that cannot be kept"
        raise OSError(errno.ENOTSUP, message, os.fspath(place))


def _attributes(path: Path) -> dict[str, bytes]:
    """The extended attributes of a file, except those of the system."""
    names = os.listxattr(path) if hasattr(os, "listxattr") else []
    return {name: os.getxattr(path, name) for name in names if not name.startswith("security.")}
