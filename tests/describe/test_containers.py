"""Packets in image files: nothing else in them changes."""

import itertools
import struct
import zlib

import pytest
from describe import samples
from describe.samples import chunk, encoded, exif, jpeg, pages, picture, png, png_xmp, segment, xmp

from captioner.data.metadata import pages_of
from captioner.describe.containers import container_of, verify
from captioner.describe.errors import Refused
from captioner.describe.jpeg import Jpeg, _bodies, _entries
from captioner.describe.png import Png
from captioner.describe.tiff_tags import Tiff
from captioner.describe.xmp import DESCRIPTION, WRAPPED, Packet

jpegs, pngs, tiffs = Jpeg(), Png(), Tiff()
OLD, NEW = xmp(), xmp("<dc:description>A dog.</dc:description>")
FILES = {
    "plain.jpg": encoded("JPEG"),
    "cut.jpg": encoded("JPEG")[:-9],
    "xmp.jpg": jpeg("exif", "mpf", "xmp"),
    "plain.png": encoded("PNG"),
    "xmp.png": png(png_xmp(OLD, compressed=True)),
    "plain.webp": encoded("WEBP"),
    "lossless.webp": encoded("WEBP", lossless=True),
    "xmp.webp": encoded("WEBP", exif=exif(), xmp=OLD),
    "longer.webp": encoded("WEBP") + b"a trailer",
    "pages.tif": pages(10),
    "big.tif": pages(6, big_tiff=True),
    "xmp.tif": pages(2, tiffinfo={700: OLD}),
    "little.tif": samples.tiff_with_inner("<"),
    "motorola.tif": samples.tiff_with_inner(">"),
}


def described(content):
    """The packet of a file with a description."""
    packet = Packet(container_of(content).read(content) or WRAPPED)
    packet.put(DESCRIPTION, "A dog.")
    return packet.to_bytes()


@pytest.mark.parametrize("name", FILES)
def test_a_packet_is_written_and_taken_out(name):
    before = FILES[name]
    container, packet = container_of(before), described(before)
    assert (container.read(before) is not None) == name.startswith("xmp")
    after = container.write(before, packet)
    assert container.read(after) == packet
    verify(container, before, after)
    removed = container.write(after, None)
    assert container.read(removed) is None and container.is_same(before, removed)
    assert pages_of(removed) == pages_of(before) != []
    if name in ("plain.jpg", "plain.png"):
        assert removed == before


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("plain", "pages"))])
def test_a_change_elsewhere_is_found(name):
    before = FILES[name]
    container = container_of(before)
    after = container.write(before, described(before))
    place = after.index(before[-len(before) // 10 :][:12])
    with pytest.raises(Refused, match="would change"):
        verify(container, before, after[:place] + b"\0" + after[place + 1 :])


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        *(("plain.jpg", b"\xff\xdb"), ("xmp.jpg", b"\xff\xdb"), ("plain.png", b"IDAT")),
        *(("plain.webp", b"VP8 "), ("lossless.webp", b"VP8L"), ("pages.tif", b"\n\0\0\1")),
    ],
)
def test_the_picture_stays_the_same_byte_for_byte(name, begins):
    before = FILES[name]
    after = container_of(before).write(before, described(before))
    assert before[before.index(begins) :] in after


ORDERS = [
    o for n in (2, 3) for o in itertools.permutations(("exif", "xmp", "mpf"), n) if "mpf" in o
]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_pictures_that_mpf_lists_are_found_in_every_order(order):
    before = jpeg(*order)
    after = jpegs.write(before, NEW)
    second = encoded("JPEG", picture(1, "L"))
    assert after.endswith(second) and len(after) != len(before)
    assert [hashed for *_, hashed in pages_of(after)] == [hashed for *_, hashed in pages_of(before)]
    (_, size, _), (entry, length, distance) = mpf_entries(after)
    assert size == len(after) - len(second)
    header = after.index(b"MPF\0") + 4
    assert after[header + distance : header + distance + length] == second and entry > header


def mpf_entries(content):
    (header,) = _bodies(jpegs.split(content)[0], b"MPF\0")
    return list(_entries(content, *header))


def test_exif_stays_the_first_segment():
    written = jpegs.write(jpeg("exif", "icc"), NEW)
    assert written.index(b"Exif") < written.index(NEW) < written.index(b"ICC_PROFILE")


def test_an_offset_in_maker_notes_is_not_broken():
    preview = encoded("JPEG", picture(1))
    content = jpeg("exif") + preview
    header = content.index(b"Exif\0\0") + 6
    offset = struct.pack("<I", len(content) - len(preview) - header)
    pointing = jpeg("exif").replace(b"Canon", offset + b"n") + preview
    assert jpegs.write(content, NEW).endswith(preview)
    with pytest.raises(Refused, match="refer to a picture that would move"):
        jpegs.write(pointing, NEW)


def test_a_page_more_than_four_is_kept():
    assert len(pages_of(tiffs.write(pages(10), NEW))) == 10


def test_a_tiff_does_not_grow_where_there_is_room():
    before = pages(2, tiffinfo={700: OLD})
    packet = NEW.replace(b"A dog.", b"")[: len(OLD)].ljust(len(OLD))
    assert len(tiffs.write(before, packet)) == len(before)


def test_no_copy_of_a_text_is_left_in_a_tiff():
    written = tiffs.write(pages(1), NEW)
    assert b"A dog." not in tiffs.write(written, None)
    assert b"A dog." not in tiffs.write(written, OLD)


SIGNED = {
    "jpg": jpeg("exif", more=segment(0xEB, b"JP\0\1\0\0\0\1jumbc2pa")),
    "png": png(chunk(b"caBX", b"c2pa")),
    "tif": pages(1, tiffinfo={0xCD41: b"c2pa manifest"}),
    "webp": encoded("WEBP", xmp=OLD),
}
SIGNED["webp"] += b"C2PA\4\0\0\0c2pa"
SIGNED["webp"] = b"RIFF" + struct.pack("<I", len(SIGNED["webp"]) - 8) + SIGNED["webp"][8:]
TWO = xmp(attributes='xmp:Rating="1"')
WRONG = {
    "two packets in a JPEG": jpeg("xmp", more=jpeg("xmp")[2 : len(xmp()) + 35]),
    "two packets in a PNG": png(png_xmp(OLD), png_xmp(TWO)),
    "captions in extended XMP": jpeg(
        "xmp",
        more=segment(
            0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + b"<dc:description>My dog"
        ),
    ),
    "XMP of ImageMagick": png(chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(OLD))),
    "XMP that does not unpack": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0none")),
    "a PNG cut short": encoded("PNG")[:-20],
    "a JPEG cut short": encoded("JPEG")[:300],
    "a WebP cut short": encoded("WEBP")[:-20],
    "a TIFF cut short": pages(1)[:20],
}


@pytest.mark.parametrize("content", SIGNED.values(), ids=SIGNED.keys())
def test_a_signature_is_not_broken(content):
    container = container_of(content)
    container.read(content)
    with pytest.raises(Refused, match="signed with Content Credentials"):
        container.write(content, NEW)


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG.keys())
def test_a_file_that_cannot_be_changed_safely_is_refused(content):
    with pytest.raises(Refused):
        container_of(content).read(content)


def test_a_packet_that_is_too_long_for_a_jpeg_is_refused():
    with pytest.raises(Refused, match="full"):
        jpegs.write(encoded("JPEG"), bytes(70_000))


def test_a_format_without_xmp_is_refused():
    with pytest.raises(Refused, match="hold no XMP"):
        container_of(encoded("BMP"))


def test_xmp_after_the_pixels_of_a_png_is_found():
    content = png(after=[png_xmp(OLD)])
    assert pngs.read(content) == OLD
    assert pngs.read(pngs.write(content, NEW)) == NEW
