"""Pages as in a browser: their images, and a comparison of two pages.

markdown-it renders Markdown (CommonMark). Lexbor parses HTML (HTML standard). Neither gives
positions in the file.
"""

import re
import uuid
from collections.abc import Sequence
from urllib.parse import unquote

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser, LexborNode

from captioner.describe.pages import Page

MARK = "captioner"  # author of a text, for reviewers
MARK_COMMENT = f"<!-- alt by {MARK} -->"
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# Attributes that a program or a template sets: `:alt`, `[src]`, `data-src`.
_BOUND = re.compile(r"\b(alt|src)\b|bind|[{}<>%]")
_SIGN = f"probe-{uuid.uuid4().hex}"  # unique
_PROBE = re.compile(rf"\s*{_SIGN}-(\d+)")
_TEMPLATE = re.compile(r"\{\{|\{%|<%|<\?|\$\{|^\{")


def rendered(page: Page) -> LexborHTMLParser:
    """The document of a page."""
    body = page.body.decode()
    if page.is_markdown:
        body = MarkdownIt("commonmark").enable("table").render(body)
    return LexborHTMLParser(body)


def probe(number: int, is_markdown: bool) -> str:
    """A marker that identifies an image in the rendered page."""
    return f" {_SIGN}-{number}" if is_markdown else f' {_SIGN}="{number}"'


def probed(document: LexborHTMLParser) -> dict[int, LexborNode]:
    """The images with a probe, by its number."""
    images = {}
    for image in document.css("img"):
        numbers = _PROBE.findall(image.attributes.get("alt") or "")  # nested images come first
        number = numbers[-1] if numbers else image.attributes.get(_SIGN)
        if number:
            images[int(number)] = image
    return images


def alternative(image: LexborNode) -> str:
    """The alternative text of an image, without probes; empty if there is none."""
    return _PROBE.sub("", image.attributes.get("alt") or "").strip()


def name_of(image: LexborNode, is_markdown: bool) -> str | None:
    """The accessible name of an image: empty for decoration, None if missing.

    Args:
        image: the image.
        is_markdown: whether it is a Markdown image, which always has an `alt`.
    """
    given = image.attributes
    if not {"none", "presentation"}.isdisjoint((given.get("role") or "").split()):
        return ""
    if given.get("aria-labelledby"):
        return ""  # the other element has its own text
    if given.get("aria-label"):
        return given["aria-label"]
    if is_markdown:
        return alternative(image) or None
    return alternative(image) if "alt" in given else given.get("title") or None


def is_shown(image: LexborNode, is_markdown: bool) -> bool:
    """Whether an image is visible and its attributes are static."""
    given = image.attributes
    source = unquote(given.get("src") or "")
    names = given.keys() - {"alt", "src", "data-alt-by"}
    bound = not is_markdown and any(map(_BOUND.search, names))
    bound |= bool(_TEMPLATE.search(source) or _TEMPLATE.search(given.get("alt") or ""))
    return bool(source) and not bound and not _is_hidden(image)


def _is_hidden(node: LexborNode | None) -> bool:
    """Whether an element or one of its ancestors is hidden."""
    while node is not None:
        given = node.attributes
        hidden = "hidden" in given or given.get("aria-hidden") == "true"
        if hidden or _HIDING.search(given.get("style") or ""):
            return True
        node = node.parent
    return False


def differ_only_in(old: Page, new: Page, texts: Sequence[str]) -> bool:
    """Whether two pages differ only in these new alternative texts and their marks."""
    before, after = rendered(old), rendered(new)
    written = []
    images = before.css("img"), after.css("img")
    if len(images[0]) != len(images[1]):
        return False
    for image, changed in zip(*images, strict=True):
        if not alternative(image) and alternative(changed):
            written.append(alternative(changed))
            for node in (image, changed):
                for name in {"alt", "data-alt-by"} & node.attributes.keys():
                    del node.attrs[name]
    return sorted(written) == sorted(texts) and _unmarked(before) == _unmarked(after)


def _unmarked(document: LexborHTMLParser) -> str:
    return (document.html or "").replace(MARK_COMMENT, "")
