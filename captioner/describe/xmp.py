"""The captions in an XMP packet; everything else in it stays unchanged.

Photo programs show `dc:description`; screen readers read `Iptc4xmpCore:AltTextAccessibility`. The
own property `captioner:written` contains the text of this program. It distinguishes this text from
a person's text, and lets the program remove it.
"""

import re
from collections.abc import Iterator

from lxml import etree
from lxml.etree import QName, _Element

from captioner.describe.errors import Refused

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
IPTC = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
OURS = "urn:captioner:xmp:1.0/"
EXIF, TIFF = "http://ns.adobe.com/exif/1.0/", "http://ns.adobe.com/tiff/1.0/"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"

DESCRIPTION, ALT = f"{{{DC}}}description", f"{{{IPTC}}}AltTextAccessibility"
CAPTIONS = {DESCRIPTION: "dc:description", ALT: "AltTextAccessibility"}
WRITTEN = f"{{{OURS}}}written"
# Captions in XMP that was converted from EXIF.
FROM_EXIF = (f"{{{TIFF}}}ImageDescription", f"{{{EXIF}}}UserComment")
DEFAULT = "x-default"
_ALTERNATIVES, _ITEM = f"{{{RDF}}}Alt", f"{{{RDF}}}li"

TOOLKIT = "captioner"
EMPTY = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{TOOLKIT}">'
    f'<rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta>'
).encode()
WRAPPED = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    + EMPTY
    + b'<?xpacket end="w"?>'
)
_ENCODING = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=["']([^"']*)""")


class Packet:
    """The properties of an XMP packet.

    Args:
        content: a packet or a sidecar.

    Raises:
        Refused: it is not well-formed XMP in UTF-8. It may contain a person's text, so it is not
            treated as empty.
    """

    def __init__(self, content: bytes) -> None:
        content = content.rstrip(b"\0")  # padding of some cameras
        encoding = _ENCODING.match(content)
        if b"<!DOCTYPE" in content or (encoding and encoding[1].lower() != b"utf-8"):
            raise Refused("its XMP has a DTD, or is not in UTF-8")
        parser = etree.XMLParser(
            encoding="UTF-8", resolve_entities=False, no_network=True, huge_tree=True
        )
        try:
            self._root = etree.fromstring(content, parser)
        except etree.XMLSyntaxError as error:
            raise Refused(f"its XMP is broken ({' '.join(str(error.msg).split())[:80]})") from error
        self._declared = content.removeprefix(b"\xef\xbb\xbf").startswith(b"<?xml ")
        rdf = list(self._root.iter(f"{{{RDF}}}RDF"))
        if len(rdf) != 1:
            raise Refused(f"its XMP is broken ({len(rdf)} elements rdf:RDF)")
        self._rdf = rdf[0]
        for name in (*CAPTIONS, *FROM_EXIF, WRITTEN):
            if sum(1 for _ in self._places(name)) > 1:
                raise Refused(f"its XMP is broken ({QName(name).localname} is there twice)")

    def texts(self, name: str) -> dict[str, str]:
        """The texts of a property by language, without blank ones."""
        texts: dict[str, str] = {}
        for owner, element in self._places(name):
            if element is None:
                texts[DEFAULT] = owner.get(name, "")
            else:
                for item in element.findall(f"*/{_ITEM}") or [element]:
                    language, text = _language(item), "".join(map(str, item.itertext()))
                    texts[language] = f"{texts.get(language, '')} {text}"
        return {language: text.strip() for language, text in texts.items() if text.strip()}

    def elements(self, name: str) -> Iterator[_Element]:
        """The elements with a name, at any depth."""
        return self._rdf.iter(name)

    @property
    def written(self) -> str | None:
        """The text of this program, or None."""
        return self.texts(WRITTEN).get(DEFAULT)

    def is_ours(self, name: str) -> bool:
        """Whether the default text of a property is the text of this program."""
        return self.written is not None and self.texts(name).get(DEFAULT) == self.written

    def put(self, name: str, text: str) -> None:
        """Set the default text of a property; keep other languages."""
        alternatives = self._rdf.find(f"*/{name}/{_ALTERNATIVES}")
        if alternatives is None:
            description = self._description()  # before `_clear`, to copy `rdf:about`
            self._clear(name)
            alternatives = etree.SubElement(etree.SubElement(description, name), _ALTERNATIVES)
        defaults = [item for item in alternatives.findall(_ITEM) if _language(item) == DEFAULT]
        item = defaults[0] if defaults else etree.Element(_ITEM)
        alternatives.insert(0, item)  # the default language comes first
        item[:] = []
        item.attrib.clear()
        item.set(LANG, DEFAULT)
        item.text = text

    def mark(self, text: str | None) -> None:
        """Record the text of this program; None removes the record."""
        self._remove(WRITTEN)
        if text is not None:
            self._description().set(WRITTEN, text)

    def take_out(self, name: str) -> None:
        """Remove the default text of a property; keep other languages."""
        lists = self._rdf.findall(f"*/{name}/*")
        if all(_language(item) == DEFAULT for found in lists for item in found.findall(_ITEM)):
            self._remove(name)
        for found in lists:
            for item in found.findall(_ITEM):
                if _language(item) == DEFAULT:
                    found.remove(item)

    def is_empty(self) -> bool:
        """Whether this program made the packet, and it has no properties."""
        made_here = any(TOOLKIT == value for value in self._root.attrib.values())
        return made_here and len(self._rdf) == 0

    def others(self) -> bytes:
        """Everything except the texts of this program, in canonical XML."""
        copy = Packet(self.to_bytes())
        for name in CAPTIONS:
            copy.take_out(name)
        copy.mark(None)
        return etree.tostring(copy._root, method="c14n2", with_comments=False, strip_text=True)

    def to_bytes(self, at_least: int = 0) -> bytes:
        """The packet in UTF-8, padded with spaces to a number of bytes."""
        tree = self._root.getroottree()
        content = etree.tostring(tree, encoding="UTF-8", xml_declaration=self._declared)
        end = content.rfind(b"<?xpacket end")
        place = len(content) if end < 0 else end
        return content[:place] + b" " * (at_least - len(content)) + content[place:]

    def _places(self, name: str) -> Iterator[tuple[_Element, _Element | None]]:
        """The descriptions with a property, each with its element; None for an attribute."""
        for description in self._rdf.iterchildren("*"):
            if name in description.attrib:
                yield description, None
            yield from ((description, element) for element in description.findall(name))

    def _description(self) -> _Element:
        """The element for the properties of this program."""
        for description in self._rdf.iterchildren("*"):
            if description.nsmap.get(TOOLKIT) == OURS:
                return description
        about = [d.get(f"{{{RDF}}}about") or d.get("about") for d in self._rdf.iterchildren("*")]
        return etree.SubElement(
            self._rdf,
            f"{{{RDF}}}Description",
            {f"{{{RDF}}}about": (about[0] if about else None) or ""},
            {TOOLKIT: OURS, "dc": DC, "Iptc4xmpCore": IPTC},
        )

    def _clear(self, name: str) -> list[_Element]:
        """Remove a property; return the descriptions that contained it."""
        places = list(self._places(name))
        for owner, element in places:
            if element is None:
                del owner.attrib[name]
            else:
                owner.remove(element)
        return [owner for owner, _ in places]

    def _remove(self, name: str) -> None:
        """Remove a property, and its description if that becomes empty."""
        for owner in self._clear(name):
            if not len(owner) and not {*owner.attrib} - {f"{{{RDF}}}about", "about"}:
                self._rdf.remove(owner)


def _language(element: _Element) -> str:
    return (element.get(LANG) or DEFAULT).lower()
