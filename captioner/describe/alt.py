"""Images without alternative text in HTML and Markdown, and where it would go.

Pages are not written anew by a parser, which would change more than was asked: it says where an
image is, and the text goes in there. What goes in is ASCII, so that every encoding that extends it
stays.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

MARK = "captioner"  # who wrote a text, for whoever reviews it
EXTENSIONS = {".html": "html", ".htm": "html", ".xhtml": "html", ".md": "md", ".markdown": "md"}
_EMPTY_IMAGE = re.compile(r"!\[\s*\](?=[(\[])")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)


class PageError(ValueError):
    """A file that cannot be read as a page: names it and says why."""


@dataclass(frozen=True)
class Gap:
    """An image without alternative text.

    Attributes:
        source: what it is of, as written.
        place: where in the text of the page its alternative text goes.
        end: where the image ends.
        line: of the page, from 1.
        kind: "html" or "md".
    """

    source: str
    place: int
    end: int
    line: int
    kind: str

    def file(self, page: Path) -> Path | None:
        """The file it is of; None for what lies elsewhere, or is no file."""
        parts = urlsplit(self.source)
        path = unquote(parts.path, errors="surrogateescape")
        if parts.scheme or parts.netloc or not path or PurePosixPath(path).is_absolute():
            return None
        return page.parent / path


def read_page(path: Path) -> str:
    """The text of a page, a character for each byte, so that it can be written as it was.

    Raises:
        PageError: another kind of file, or UTF-16.
        OSError: it cannot be read.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise PageError(f"{path}: no page; give one of {', '.join(EXTENSIONS)}")
    content = path.read_bytes()
    if b"\0" in content:
        raise PageError(f"{path}: not in an encoding that extends ASCII; save it as UTF-8")
    return content.decode("latin-1")


def gaps_of(path: Path, text: str) -> list[Gap]:
    """The images of a page that have no alternative text, in their order.

    An empty one (`alt=""`) says that an image is decoration, and is left alone; in Markdown, which
    has no other way to leave it out, `![](image.png)` lacks it.
    """
    if EXTENSIONS[path.suffix.lower()] == "html":
        return _Images(text).gaps
    return _markdown_gaps(text)


def filled(text: str, captions: Sequence[tuple[Gap, str]]) -> str:
    """The text of a page with captions in their gaps, each marked."""
    for gap, caption in sorted(captions, key=lambda pair: -pair[0].place):
        if gap.kind == "html":
            words = html.escape(caption).encode("ascii", "xmlcharrefreplace").decode()
            text = f'{text[: gap.place]} alt="{words}" data-alt-by="{MARK}"{text[gap.place :]}'
        else:
            words = re.sub(r"([\\\[\]`*_<])", r"\\\1", caption)
            words = words.encode("ascii", "xmlcharrefreplace").decode()
            rest = f"{text[gap.place : gap.end]}<!-- alt by {MARK} -->{text[gap.end :]}"
            text = text[: gap.place] + words + rest
    return text


class _Images(HTMLParser):
    """Finds images in HTML.

    Args:
        text: of the page, or of a part.
        offset: where the part begins in the page.
        line: the line it begins in, from 1.
    """

    def __init__(self, text: str, offset: int = 0, line: int = 1) -> None:
        super().__init__(convert_charrefs=True)
        self.gaps: list[Gap] = []
        self._offset, self._line = offset, line
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        decoration = given.get("role") in ("presentation", "none")
        hidden = given.get("aria-hidden") == "true"
        if tag != "img" or "alt" in given or decoration or hidden or not given.get("src"):
            return
        line, column = self.getpos()
        start = self._offset + self._starts[line - 1] + column
        raw = self.get_starttag_text() or ""
        inner = raw.removesuffix(">").removesuffix("/").rstrip()
        source = (given["src"] or "").strip().encode("latin-1", "ignore")
        self.gaps.append(
            Gap(
                source.decode("utf-8", "surrogateescape"),
                start + len(inner),
                start + len(raw),
                self._line + line - 1,
                "html",
            )
        )


def _markdown_gaps(text: str) -> list[Gap]:
    starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text)]
    gaps: list[Gap] = []
    lines: tuple[int, int] = (0, 0)
    inline: dict[tuple[int, int], list[Token]] = {}  # of a paragraph, or of the cells of a row
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.map is not None:
            lines = (token.map[0], token.map[1])
        if token.type == "html_block":
            start, end = (starts[min(line, len(starts) - 1)] for line in lines)
            gaps += _Images(text[start:end], start, lines[0] + 1).gaps
        elif token.type == "inline":
            inline.setdefault(lines, []).extend(token.children or [])
    for (first, last), children in inline.items():
        gaps += _inline_gaps(children, text, starts[first], starts[min(last, len(starts) - 1)])
    return sorted(gaps, key=lambda gap: gap.place)


def _inline_gaps(children: list[Token], text: str, start: int, end: int) -> list[Gap]:
    """Those of a paragraph, a heading or a row of cells.

    markdown-it tells what is an image, but not where: where it is not clear, nothing is touched.
    """
    part = _CODE_SPAN.sub(lambda span: " " * len(span[0]), text[start:end])
    images = [c for c in children if c.type == "image" and not c.content.strip()]
    found = [m for m in _EMPTY_IMAGE.finditer(part) if part[m.start() - 1 : m.start()] != "\\"]
    gaps = []
    if len(found) == len(images):
        for image, match in zip(images, found, strict=True):
            place = start + match.end() - 1
            opened = start + match.end()
            closing = ")" if text[opened] == "(" else "]"
            finish = text.find(closing, opened) + 1
            source = unquote(str(image.attrs["src"]), "latin-1").encode("latin-1", "ignore")
            gaps.append(
                Gap(
                    source.decode("utf-8", "surrogateescape"),
                    place,
                    finish,
                    text.count("\n", 0, place) + 1,
                    "md",
                )
            )
    if any(child.type == "html_inline" for child in children):
        gaps += _Images(part, start, text.count("\n", 0, start) + 1).gaps
    return gaps
