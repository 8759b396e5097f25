"""Captions and pages that image files hold."""

import io

import numpy as np
import pytest
from PIL import Image

from captioner.data.metadata import captions_of, pages_of, xmp_of


def encoded(format, count=1, **settings):
    images = [Image.new("RGB", (8, 6), (90 * i, 0, 0)) for i in range(count)]
    file = io.BytesIO()
    if count > 1:
        settings |= {"save_all": True, "append_images": images[1:]}
    images[0].save(file, format, **settings)
    return file.getvalue()


@pytest.mark.parametrize(
    ("stored", "caption"),
    [
        (b"My dog", "My dog"),
        ("Mein süßer Hund".encode(), "Mein süßer Hund"),
        ("Mein süßer Hund".encode("latin-1"), "Mein süßer Hund"),
        ("Dog – “Rex”".encode("cp1252"), "Dog – “Rex”"),
        ("犬 👨‍👩‍👧".encode(), "犬 👨‍👩‍👧"),
        (b"  My\n dog \0", "My dog"),
        (b"2019", "2019"),
    ],
)
def test_captions_of_people(stored, caption):
    assert set(captions_of(encoded("JPEG", comment=stored))) == {caption}


@pytest.mark.parametrize(
    "stored",
    [
        *(b"", b"   \0\0", b"0000", b"***", b"SONY DSC", b"KONICA MINOLTA DIGITAL CAMERA"),
        *(b"LEAD Technologies Inc. V1.01", rb"DCIM\100MEDIA\DJI_0001.JPG", b"\x01\x02\x90\xff\x05"),
    ],
)
def test_texts_of_cameras(stored):
    assert captions_of(encoded("JPEG", comment=stored)) == []


def test_captions_of_what_is_no_image():
    assert (captions_of(b"none"), pages_of(b"none"), xmp_of(b"none")) == ([], [], None)


def test_pages_tell_pixels_apart():
    three = pages_of(encoded("TIFF", 3))
    assert len(three) == len(set(three)) == 3
    assert three[:2] == pages_of(encoded("TIFF", 2)) != pages_of(encoded("TIFF", 2))[::-1]
    assert len(pages_of(encoded("PNG", 3))) == 3
    grey = io.BytesIO()
    Image.fromarray(np.zeros((6, 8), "uint8")).save(grey, "PNG")
    assert pages_of(grey.getvalue()) != pages_of(encoded("PNG"))


def test_pages_that_cannot_be_decoded():
    assert pages_of(encoded("TIFF", 3)[:-40])[1:] != pages_of(encoded("TIFF", 3))[1:]
    assert pages_of(encoded("JPEG")[:-2])[-1] == ("OSError",)


@pytest.mark.parametrize("format", ["AVIF", "JPEG", "WEBP"])
def test_xmp_of_any_format(format):
    content = encoded(format, xmp=b"<x/>")
    assert xmp_of(content) == b"<x/>"


def test_xmp_of_a_gif():
    packet = b"<x:xmpmeta></x:xmpmeta>"
    block = b"!\xff\x0bXMP DataXMP" + packet + b"\1" + bytes(range(255, -1, -1)) + bytes(1)
    assert xmp_of(encoded("GIF")) is None
    assert xmp_of(encoded("GIF")[:-1] + block + b";") == packet
