"""Sources of photographs: a camera or a folder."""

import contextlib
import io
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import (
    BaseHandler,
    HTTPBasicAuthHandler,
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    build_opener,
)

from captioner.data.folders import walk
from captioner.data.images import ImageError

MOST_BYTES = 32 * 2**20  # largest picture of a camera
SECONDS = 10.0  # longest silence of a camera, and longest download of a picture
Photograph = io.BytesIO | Path
Stamp = tuple[int, int, int]  # time of the last change in ns, size, inode


class Place(Protocol):
    """A source of photographs.

    Attributes:
        agreeing: number of equal captions in a row that make a change.
    """

    agreeing: int

    def look(self) -> Iterator[Photograph | ImageError]:
        """The current photographs, with errors in place of unreadable ones."""


class Camera:
    """A camera that answers a request with its current picture.

    Args:
        url: URL of the picture. It may contain a user and a password, for HTTP Basic or Digest
            authentication.
    """

    agreeing = 2  # captions of one scene can flicker

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
        self._url = parts._replace(netloc=place).geturl()
        self.name = f"{parts.scheme}://{place}"  # the full URL may contain a password
        handlers: list[BaseHandler] = []
        if parts.username is not None:
            passwords = HTTPPasswordMgrWithDefaultRealm()
            user, password = unquote(parts.username), unquote(parts.password or "")
            passwords.add_password(None, self.name, user, password)
            handlers = [HTTPBasicAuthHandler(passwords), HTTPDigestAuthHandler(passwords)]
        self._opener = build_opener(*handlers)

    def look(self) -> Iterator[io.BytesIO | ImageError]:
        """The current picture, or an error."""
        try:
            with self._opener.open(self._url, timeout=SECONDS) as response:
                picture = _content(response)
        except (OSError, HTTPException, ValueError) as error:
            yield ImageError(f"{self.name}: no picture ({_reason(error)}); trying again")
            return
        if picture is None:
            limits = f"{MOST_BYTES // 2**20} MiB or {SECONDS:.0f} seconds"
            message = f"{self.name}: sends more than {limits}; give the URL of a single picture"
            yield ImageError(message)
            return
        picture.name = self.name  # for messages
        yield picture


class Folder:
    """The photographs that other programs write into a folder from now on.

    Args:
        path: the folder. Subfolders are included, hidden files are not.

    Raises:
        NotADirectoryError: the path is not a folder.
    """

    agreeing = 1  # each photograph comes once

    def __init__(self, path: Path) -> None:
        self._path = path
        next(path.iterdir(), None)
        self._seen, _ = self._stamps()
        self._before: dict[Path, Stamp] = {}

    def look(self) -> Iterator[Path | ImageError]:
        """The new and changed photographs, oldest first.

        A photograph is complete once it is the same in two looks. Incomplete ones are not read.
        """
        now, errors = self._stamps()
        complete = now.items() & self._before.items() - self._seen.items()
        self._before = now
        self._seen = {path: stamp for path, stamp in self._seen.items() if path in now}
        for path, stamp in sorted(complete, key=lambda item: (item[1], item[0])):
            self._seen[path] = stamp
            yield path
        yield from errors

    def _stamps(self) -> tuple[dict[Path, Stamp], list[ImageError]]:
        """The stamp of each photograph, and the errors of unreadable folders."""
        found = walk(self._path)
        stamps = {}
        for path in found.images:
            with contextlib.suppress(OSError):  # removed meanwhile
                status = path.stat()
                stamps[path] = status.st_mtime_ns, status.st_size, status.st_ino
        return stamps, found.unreadable


def _content(response: HTTPResponse) -> io.BytesIO | None:
    """The body of a response; None if it is too large or takes too long."""
    content, end = io.BytesIO(), time.monotonic() + SECONDS
    while part := response.read1(2**16):
        content.write(part)
        if content.tell() > MOST_BYTES or time.monotonic() > end:
            return None
    content.seek(0)
    return content


def _reason(error: Exception) -> str:
    """The reason of a failed request, without the URL that the text of the error may contain."""
    if isinstance(error, HTTPError):
        error.close()
        return f"status {error.code}"
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or type(reason).__name__
