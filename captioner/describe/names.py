"""Names of people, read from face regions and inserted into a caption."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lxml.etree import _Element

from captioner.data.word_lists import NUMBERS, PEOPLE
from captioner.describe.xmp import RDF, Packet

# The schema of the Metadata Working Group: digiKam, Lightroom, Picasa.
MWG = "{http://www.metadataworkinggroup.com/schemas/regions/}"
AREA = "{http://ns.adobe.com/xmp/sType/Area#}"
# The schema of Microsoft.
MPRI = "{http://ns.microsoft.com/photo/1.2/t/RegionInfo#}"
MPREG = "{http://ns.microsoft.com/photo/1.2/t/Region#}"

_GROUPS = frozenset("audience band couple crowd family group people team".split())
_IRREGULAR = {"man": "men", "woman": "women", "person": "people", "child": "children"}
_IRREGULAR |= {"baby": "babies", "lady": "ladies", "policeman": "policemen"}
_PLURALS = {noun: _IRREGULAR.get(noun, f"{noun}s") for noun in PEOPLE}
_PEOPLE = re.compile(rf"\b(?:{'|'.join([*_PLURALS, *_PLURALS.values()])})\b", re.IGNORECASE)
_ONE, _SEVERAL = ("|".join(map(nouns, PEOPLE - _GROUPS)) for nouns in (str, _PLURALS.__getitem__))
_AGE = "(?:(?:young|older|old|elderly|little|small) )?"
_PERSON = rf"(?:(?:an?|the|one) )?{_AGE}(?:{_ONE})|(?:{'|'.join(NUMBERS[2:])}) {_AGE}(?:{_SEVERAL})"
# The next word shows that the noun ends here: "a baby is", but not "a baby elephant".
_AFTER = r"(?=[.,']| (?:and|are|at|by|in|near|next|on|who|with|\w+ing|\w+s)\b)"
_SUBJECT = re.compile(rf"(?:{_PERSON})(?: and (?:{_PERSON}))?{_AFTER}", re.IGNORECASE)


class Face(NamedTuple):
    """A face: the name of the person (empty if unknown) and the centre, from 0 to 1."""

    name: str
    x: float
    y: float


def faces_of(packet: Packet) -> list[Face]:
    """The marked faces of a packet. The schema of the Metadata Working Group has priority."""
    regions = [_mwg_face(item) for item in _items(packet, f"{MWG}RegionList")]
    regions = regions or [_microsoft_face(item) for item in _items(packet, f"{MPRI}Regions")]
    return [face for face in regions if face is not None]


def names_in_order(faces: list[Face], orientation: int) -> list[str]:
    """The names from left to right; empty for unknown people.

    Args:
        faces: positions in the stored photograph.
        orientation: EXIF orientation, 1 to 8.
    """

    def shown(face: Face) -> float:
        place = face.y if orientation >= 5 else face.x
        return 1 - place if orientation in (2, 3, 6, 7) else place

    return [face.name for face in sorted(faces, key=shown)]


def with_names(caption: str, names: list[str]) -> str:
    """A caption with the names of the people in the photograph.

    The names replace the subject if it contains all people of the caption and their number is equal
    to that of the names, all known. Otherwise they follow in brackets. A caption without people
    does not change.

    Args:
        caption: a sentence.
        names: from left to right; empty for unknown people.
    """
    known = [name for name in names if name]
    if not known or not _PEOPLE.search(caption):
        return caption
    listed = " and ".join(filter(None, (", ".join(known[:-1]), known[-1])))
    if subject := _SUBJECT.match(caption):
        rest = caption[subject.end() :]
        count = sum(map(_count, subject[0].lower().split(" and ")))
        if count == len(names) == len(known) and not _PEOPLE.search(rest):
            return listed + rest
    return f"{caption.removesuffix('.')} ({listed})."


def _items(packet: Packet, name: str) -> Iterator[_Element]:
    """The items of the lists with a name, anywhere in the packet."""
    for regions in packet.elements(name):
        yield from regions.iter(f"{{{RDF}}}li")


def _mwg_face(item: _Element) -> Face | None:
    if _value(item, f"{MWG}Type").lower() != "face":
        return None
    return _face(_value(item, f"{MWG}Name"), _value(item, f"{AREA}x"), _value(item, f"{AREA}y"))


def _microsoft_face(item: _Element) -> Face | None:
    """The face of a rectangle "left, top, width, height"."""
    try:
        left, top, width, height = map(float, _value(item, f"{MPREG}Rectangle").split(","))
    except ValueError:
        return None
    return _face(_value(item, f"{MPREG}PersonDisplayName"), left + width / 2, top + height / 2)


def _face(name: str, x: str | float, y: str | float) -> Face | None:
    try:
        return Face(" ".join(name.split()), float(x), float(y))
    except ValueError:
        return None


def _value(item: _Element, name: str) -> str:
    """A field of a structure; some programs write an attribute, others an element."""
    for element in item.iter("*"):
        if name in element.attrib:
            return element.get(name, "")
        if element.tag == name:
            return element.text or ""
    return ""


def _count(people: str) -> int:
    """The number of people in a phrase such as "two men" or "a man"."""
    number = people.split()[0]
    return NUMBERS.index(number) if number in NUMBERS else 1
