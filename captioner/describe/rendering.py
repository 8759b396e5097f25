"""What a browser makes of a page: its images, and whether two pages differ in nothing else.

Markdown is rendered by markdown-it, which conforms to CommonMark. HTML is parsed by Lexbor, which
conforms to the HTML standard. Neither knows where in the file something is.
"""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser, LexborNode

from captioner.describe.pages import Page

MARK = "captioner"  # the author of a text, for the person who reviews it
MARK_COMMENT = f"<!-- alt by {MARK} -->"
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# Attributes that a framework binds (`:alt`, `[alt]`, `data-bind`), or that a template writes.
_BOUND = re.compile(r"\balt\b|bind|[{}<>%]")
_TEMPLATE = re.compile(r"\{\{|\{%|<%|<\?|\$\{|^\{")


def rendered(page: Page) -> LexborHTMLParser:
    """The document that a browser shows."""
    body = page.body.decode()
    if page.is_markdown:
        body = MarkdownIt("commonmark").enable("table").render(body)
    return LexborHTMLParser(body)


def alternative(image: LexborNode) -> str:
    """The alternative text of an image; empty if there is none."""
    return (image.attributes.get("alt") or "").strip()


def lacks_text(image: LexborNode, is_markdown: bool) -> bool:
    """Whether an image needs an alternative text, which nothing else in the page gives it.

    Args:
        image: one to which an alternative text was given for a trial.
        is_markdown: whether its syntax is that of Markdown, which gives every image an `alt`.
    """
    given = image.attributes
    source = unquote(given.get("src") or "")
    bound = not is_markdown and any(_BOUND.search(name) for name in given.keys() - {"alt"})
    if not source or _TEMPLATE.search(source) or bound:
        return False
    named = any(given.get(name) for name in ("aria-label", "aria-labelledby"))
    named |= bool(given.get("title")) and not is_markdown
    decoration = not {"none", "presentation"}.isdisjoint((given.get("role") or "").split())
    return not named and not decoration and not any(map(_is_hidden, _with_ancestors(image)))


def _with_ancestors(node: LexborNode | None) -> Iterator[LexborNode]:
    while node is not None:
        yield node
        node = node.parent


def _is_hidden(node: LexborNode) -> bool:
    given = node.attributes
    return (
        "hidden" in given
        or given.get("aria-hidden") == "true"
        or bool(_HIDING.search(given.get("style") or ""))
    )


def differ_only_in(old: Page, new: Page, texts: Sequence[str]) -> bool:
    """Whether a new page is an old one with these alternative texts, and marks, in addition."""
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
