"""Places of images and of their alternative texts in a page.

tree-sitter gives the byte range of each image. Its grammars tolerate errors and can differ from
browsers, so these places are candidates; `rendering` verifies them.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_html
import tree_sitter_markdown
from tree_sitter import Language, Node, Parser, Query, QueryCursor

# Code of template engines: Jinja, Liquid, Vue, ERB, PHP, JavaScript; and CDATA of XHTML.
_OPENINGS = b"{{ {% {# <% <? ${ <![CDATA[".split()
_CLOSINGS = b"}} %} #} %> ?> } ]]>".split()
_TEMPLATE_STRING = re.compile(rb"[=(,:?]\s*`[^`]*`")
# A "<" that browsers show, but the grammar parses as the start of a tag.
_NO_TAG = re.compile(rb"<(?![A-Za-z/!?])")
# Attributes after an image, in the syntax of pandoc and kramdown: `{width=50%}`, `{: .class}`.
_ATTRIBUTES = re.compile(rb"""\{(?!%)(?:"[^"]*"|'[^']*'|[^{}"'])*\}""")
_NAMED = re.compile(rb"\b(?:alt|role|aria-\w+)\s*=")


@dataclass(frozen=True)
class Place:
    """The place of an image.

    Attributes:
        start: its start, an offset in the body of the page.
        text: the offset for inserted text.
        end: the end of the image and its attributes.
        is_markdown: whether the text is in brackets rather than in an attribute.
    """

    start: int
    text: int
    end: int
    is_markdown: bool


def places_of(body: bytes, is_markdown: bool) -> list[Place]:
    """The places of the images in the body of a page, in order."""
    places = set(_markdown_places(body) if is_markdown else _html_places(body))
    code = list(_code(body))
    return sorted(
        (p for p in places if not any(start < p.start < end for start, end in code)),
        key=lambda place: place.start,
    )


def _code(body: bytes) -> Iterator[tuple[int, int]]:
    """The ranges of template code."""
    for opening, closing in zip(_OPENINGS, _CLOSINGS, strict=True):
        start = body.find(opening)
        while start >= 0 and (end := body.find(closing, start)) >= 0:
            yield start, end
            start = body.find(opening, end)
    yield from (match.span() for match in _TEMPLATE_STRING.finditer(body))


@functools.cache
def _parser(grammar: str, query: str) -> tuple[Parser, Query]:
    language = Language(
        {
            "html": tree_sitter_html.language,
            "markdown": tree_sitter_markdown.language,
            "inline": tree_sitter_markdown.inline_language,
        }[grammar]()
    )
    return Parser(language), Query(language, query)


def _nodes(grammar: str, query: str, text: bytes) -> dict[str, list[Node]]:
    """The nodes that a query finds in a text, by their names in the query."""
    parser, search = _parser(grammar, query)
    return QueryCursor(search).captures(parser.parse(text).root_node)


def _html_places(text: bytes, offset: int = 0) -> Iterator[Place]:
    """The places in HTML at an offset in the body of the page."""
    text = _NO_TAG.sub(b" ", text)
    for tag in _nodes("html", "[(start_tag) (self_closing_tag)] @tag", text).get("tag", []):
        parts = [child for child in tag.children if child.type in ("tag_name", "attribute")]
        if not tag.has_error and parts and (parts[0].text or b"").lower() == b"img":
            start, inside, end = tag.start_byte, parts[-1].end_byte, tag.end_byte
            yield Place(offset + start, offset + inside, offset + end, False)


def _markdown_places(body: bytes) -> Iterator[Place]:
    blocks = _nodes(
        "markdown", "[(inline) (pipe_table_cell) (ERROR)] @inline (html_block) @html", body
    )
    for block in blocks.get("html", []):
        yield from _html_places(_text(block, body), block.start_byte)
    for block in blocks.get("inline", []):
        yield from _inline_places(_text(block, body), block.start_byte)


def _text(block: Node, body: bytes) -> bytes:
    """The text of a block, with spaces for the markers of surrounding quotations and lists."""
    text = bytearray(body[block.start_byte : block.end_byte])
    for sign in (child for child in block.children if child.type == "block_continuation"):
        start, end = sign.start_byte - block.start_byte, sign.end_byte - block.start_byte
        text[start:end] = b" " * (end - start)
    return bytes(text)


def _inline_places(text: bytes, offset: int) -> Iterator[Place]:
    """The places in a paragraph at an offset in the body of the page."""
    found = _nodes("inline", "(image) @image (html_tag) @html", text)
    for tag in found.get("html", []):
        yield from _html_places(text[tag.start_byte : tag.end_byte], offset + tag.start_byte)
    for image in found.get("image", []):
        parts = {child.type: child for child in reversed(image.children)}  # the first of each type
        bracket = parts["]"]
        if "image_description" in parts and not {"(", "link_label"} & parts.keys():
            continue  # its text is also the label of a reference
        attributes = _ATTRIBUTES.match(text, image.end_byte)
        if attributes is None or not _NAMED.search(attributes[0]):
            end = attributes.end() if attributes else image.end_byte
            start, inside = image.start_byte, bracket.start_byte
            yield Place(offset + start, offset + inside, offset + end, True)
