"""Page files: encoding and front matter."""

import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from captioner.errors import UserError

EXTENSIONS = {".html": "html", ".htm": "html", ".xhtml": "html", ".md": "md", ".markdown": "md"}
# A byte order mark, then YAML or TOML between two lines of its own.
_HEAD = re.compile(
    rb"\A(?:\xef\xbb\xbf)?"
    rb"(?:---[ \t]*\r?\n.*?^(?:---|\.\.\.)[ \t]*\r?$|\+\+\+[ \t]*\r?\n.*?^\+\+\+[ \t]*\r?$)?",
    re.DOTALL | re.MULTILINE,
)


class PageError(UserError):
    """A page that cannot be read or changed safely; the text names the file."""


@dataclass(frozen=True)
class Page:
    r"""A page in HTML or Markdown.

    Attributes:
        path: the file.
        content: the bytes of the file.
        head: the byte order mark and front matter, in UTF-8; never changed.
        body: the rest, in UTF-8, with "\n" for a lone "\r", which some parsers do not support.
        encoding: "utf-8", or "latin-1" for any other extension of ASCII, because latin-1 decodes
            every byte.
    """

    path: Path
    content: bytes
    head: bytes
    body: bytes
    encoding: str

    @property
    def is_markdown(self) -> bool:
        """Whether it is Markdown, which may contain HTML."""
        return EXTENSIONS[self.path.suffix.lower()] == "md"

    @property
    def text(self) -> str:
        """The text of the file."""
        return self.content.decode(self.encoding)

    def position(self, place: int) -> tuple[int, int]:
        """The line and the column in the file, from 1, of an offset in the body."""
        line = self.head.count(b"\n") + self.body.count(b"\n", 0, place) + 1
        before = self.body[self.body.rfind(b"\n", 0, place) + 1 : place]
        return line, len(before.decode()) + 1

    def inserted(self, insertions: Iterable[tuple[int, bytes]]) -> "Page":
        """The page with ASCII inserted.

        Args:
            insertions: offsets in the body, each with its text.
        """
        text = bytearray(self.text.encode())
        for place, words in sorted(insertions, reverse=True):
            text[len(self.head) + place : len(self.head) + place] = words
        return parse_page(self.path, text.decode().encode(self.encoding))


def read_page(path: Path) -> Page:
    """Read a page.

    Raises:
        PageError: the suffix or the encoding is not supported.
        OSError: it cannot be read.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise PageError(f"{path}: no page; give one of {', '.join(EXTENSIONS)}")
    if not stat.S_ISREG(path.stat().st_mode):  # a named pipe would wait forever
        raise PageError(f"{path}: not a regular file")
    return parse_page(path, path.read_bytes())


def parse_page(path: Path, content: bytes) -> Page:
    """Parse the content of a page.

    Raises:
        PageError: its encoding does not extend ASCII.
    """
    if any(sign in content for sign in (b"\0", b"\x1b$", b"\x1b(")):  # UTF-16, ISO-2022
        raise PageError(f"{path}: not in an encoding that extends ASCII; save it as UTF-8")
    try:
        text, encoding = content.decode().encode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = content.decode("latin-1").encode(), "latin-1"
    text = re.sub(rb"\r(?!\n)", b"\n", text)
    match = _HEAD.match(text)
    end = match.end() if match else 0
    return Page(path, content, text[:end], text[end:], encoding)
