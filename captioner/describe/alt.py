"""Alternative texts of the images in HTML and Markdown pages.

Texts are inserted into the original bytes. The page is rendered before and after the change; if
anything except the texts and their marks differs, the change is refused.
"""

import html
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from captioner.describe.pages import Page, PageError
from captioner.describe.places import Place, places_of
from captioner.describe.rendering import (
    MARK,
    MARK_COMMENT,
    differ_only_in,
    is_shown,
    name_of,
    probe,
    probed,
    rendered,
)


@dataclass(frozen=True)
class PageImage:
    """An image of a page.

    Attributes:
        source: the URL of the image, as in the page.
        base: the URL in `<base>`; empty without one.
        text: the accessible name: empty for decoration, None if missing.
        place: its place in the page.
        line: line in the file, from 1.
        column: character in the line, from 1.
    """

    source: str
    base: str
    text: str | None
    place: Place
    line: int
    column: int

    @property
    def path(self) -> str | None:
        """The path of the image in the site, relative to the page or to the root (`/...`).

        None if it belongs to another site or is not a file.
        """
        try:
            source, base = urlsplit(self.source.strip()), urlsplit(self.base.strip())
        except ValueError:  # such as //[x
            return None
        path = posixpath.join(posixpath.dirname(base.path), source.path)
        elsewhere = source.scheme or source.netloc or base.scheme or base.netloc
        path = unquote(path, errors="surrogateescape")
        return path if source.path and not elsewhere and "\0" not in path else None

    def file(self, page: Path, root: Path | None = None) -> Path | None:
        """The file of the image; None if it is unknown.

        Args:
            page: the file of the page.
            root: the folder of the site; without it, paths that begin with "/" are unknown.
        """
        path = self.path
        if path is None:
            return None
        if not path.startswith("/"):
            return page.parent / path
        return root / posixpath.normpath(path).lstrip("/") if root else None


def images_of(page: Page) -> list[PageImage]:
    """The images of a page in order, without hidden images and images set by programs."""
    places = places_of(page.body, page.is_markdown)
    signs = [
        (place.text, probe(number, place.is_markdown).encode())
        for number, place in enumerate(places)
    ]
    document = rendered(page.inserted(signs))
    base = document.css_first("base[href]")
    href = (base.attributes.get("href") or "") if base else ""
    found = probed(document)
    return [
        PageImage(
            found[number].attributes.get("src") or "",
            href,
            name_of(found[number], place.is_markdown),
            place,
            *page.position(place.start),
        )
        for number, place in enumerate(places)
        if number in found and is_shown(found[number], place.is_markdown)
    ]


def gaps_of(page: Page) -> list[PageImage]:
    """The images of a page without an alternative text, in order.

    In HTML, `alt=""` marks decoration and is not a gap. In Markdown, `![](image.png)` is a gap.
    """
    return [image for image in images_of(page) if image.text is None]


def filled(page: Page, captions: Sequence[tuple[PageImage, str]], mark: bool = True) -> Page:
    """Fill captions into a page as alternative texts.

    Args:
        page: the page.
        captions: images without text, each with its new text.
        mark: whether to mark each text for review.

    Raises:
        PageError: the change would affect more than the images.
    """
    insertions = []
    for image, text in captions:
        if image.place.is_markdown:
            words = _escaped(text)
            insertions += [(image.place.end, MARK_COMMENT.encode())] if mark else []
        else:
            words = f' alt="{html.escape(text)}"' + f' data-alt-by="{MARK}"' * mark
        insertions.append((image.place.text, words.encode("ascii", "xmlcharrefreplace")))
    changed = page.inserted(insertions)
    if not differ_only_in(page, changed, [caption for _, caption in captions]):
        raise PageError(f"{page.path}: its markup cannot be changed safely; the page is unchanged")
    return changed


def _escaped(text: str) -> str:
    """Text with the special characters of Markdown and its extensions escaped."""
    return re.sub(r"([\\\[\]`*_<>&|~${}])", r"\\\1", text)
