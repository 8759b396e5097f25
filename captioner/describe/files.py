"""Files that are replaced as a whole or not at all."""

import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path


def check_replaceable(path: Path) -> None:
    """Check that a file may be replaced.

    Raises:
        OSError: it is read-only, no regular file, or another name leads to it too.
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
    """Replace a file; owner, permissions and extended attributes stay.

    Args:
        path: the file; where it is a link, what that leads to.
        content: the new content; a file without any is removed.
        before: the content that was read; empty if there was no file.
        mode_of: for a file that is not there yet, the file whose permissions it gets.
        keep_time: whether the time of the last modification stays as well.

    Raises:
        OSError: the file may not be replaced, cannot be, or has changed since it was read.
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
    """Give a copy of a file its owner, permissions, times and extended attributes."""
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
    """The extended attributes of a file, but for those that the system gives."""
    names = os.listxattr(path) if hasattr(os, "listxattr") else []
    return {name: os.getxattr(path, name) for name in names if not name.startswith("security.")}
