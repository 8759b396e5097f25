"""XMP packets: what is read, changed and refused."""

import pytest
from describe.samples import DARKTABLE, LIGHTROOM, languages, xmp

from captioner.describe.errors import Refused
from captioner.describe.xmp import ALT, DESCRIPTION, EMPTY, WRAPPED, Packet

TEXT = 'A dog & a "cat" — café.'


def described(packet, text=TEXT):
    for name in (DESCRIPTION, ALT):
        packet.put(name, text)
    packet.mark(text)
    return Packet(packet.to_bytes())


@pytest.mark.parametrize("content", [EMPTY, WRAPPED, xmp(), DARKTABLE, LIGHTROOM])
def test_a_text_is_put_in_and_taken_out_again(content):
    packet = described(Packet(content))
    assert packet.texts(DESCRIPTION) == packet.texts(ALT) == {"x-default": TEXT}
    assert packet.is_ours(DESCRIPTION) and packet.is_ours(ALT) and packet.written == TEXT
    assert packet.others() == Packet(content).others()
    for name in (DESCRIPTION, ALT):
        packet.take_out(name)
    packet.mark(None)
    undone = Packet(packet.to_bytes())
    assert (undone.texts(DESCRIPTION), undone.written) == ({}, None)
    assert undone.others() == Packet(content).others()
    assert undone.is_empty() == (content in (EMPTY, WRAPPED))


def test_what_differs_elsewhere_is_found():
    assert Packet(xmp()).others() != Packet(xmp(attributes='xmp:Rating="5"')).others()
    assert Packet(xmp()).others() != Packet(xmp("<dc:title>Sea</dc:title>")).others()
    german = xmp(languages("dc:description", de="Ein Hund"))
    assert Packet(xmp()).others() != Packet(german).others()


def test_other_languages_stay():
    packet = Packet(xmp(languages("dc:description", de="Ein Hund")))
    described(packet)
    assert packet.texts(DESCRIPTION) == {"x-default": TEXT, "de": "Ein Hund"}
    described(packet, "Another.")
    assert packet.texts(DESCRIPTION) == {"x-default": "Another.", "de": "Ein Hund"}
    packet.take_out(DESCRIPTION)
    assert packet.texts(DESCRIPTION) == {"de": "Ein Hund"}


@pytest.mark.parametrize(
    ("properties", "attributes"),
    [
        ("<dc:description>My dog</dc:description>", ""),
        ("<dc:description><rdf:Bag><rdf:li>My dog</rdf:li></rdf:Bag></dc:description>", ""),
        ("<dc:description><rdf:Alt><rdf:li>My <b>dog</b></rdf:li></rdf:Alt></dc:description>", ""),
        ("", 'dc:description="My dog"'),
    ],
)
def test_texts_of_other_programs_are_read_and_replaced(properties, attributes):
    packet = Packet(xmp(properties, attributes))
    assert packet.texts(DESCRIPTION) == {"x-default": "My dog"}
    assert described(packet).texts(DESCRIPTION) == {"x-default": TEXT}


def test_spaces_fill_a_packet_up():
    packet = Packet(WRAPPED)
    filled = packet.to_bytes(at_least=2000)
    assert len(filled) == 2000 and filled.endswith(b'<?xpacket end="w"?>')
    assert Packet(filled).others() == packet.others()
    assert len(packet.to_bytes(at_least=10)) > 10


BROKEN = {
    "an ampersand": xmp("<dc:title>R&D</dc:title>"),
    "a control character": xmp("<dc:title>a\x01</dc:title>"),
    "Latin-1": xmp("<dc:title>caf\xe9</dc:title>").replace("\xe9".encode(), b"\xe9"),
    "Latin-1, declared": '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1"),
    "UTF-16": '<?xml version="1.0"?><a>é</a>'.encode("utf-16"),
    "an unbound prefix": xmp("<my:title>a</my:title>"),
    "a duplicate attribute": xmp(attributes='xmp:Rating="1" xmp:Rating="2"'),
    "two packets": xmp() + xmp(),
    "two rdf:RDF": xmp().replace(b"</rdf:RDF>", b"</rdf:RDF><rdf:RDF/>"),
    "two descriptions": xmp(languages("dc:description", default="My dog") * 2),
    "an entity": b'<!DOCTYPE a [<!ENTITY b "c">]>' + xmp("<dc:title>&b;</dc:title>"),
    "cut short": xmp()[:-60],
    "not XMP": b"<html></html>",
    "nothing": b"",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_broken_xmp_is_never_taken_for_none(content):
    with pytest.raises(Refused, match="its XMP "):
        Packet(content)


def test_zeros_after_a_packet_do_not_matter():
    assert Packet(xmp() + bytes(3)).others() == Packet(xmp()).others()
