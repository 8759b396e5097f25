"""Photographs of every kind come out upright, RGB and right; the others are refused by name."""

import io
import itertools
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from captioner.data import images
from captioner.data.images import (
    ImageError,
    load_image,
    load_images,
    open_image,
    squash,
)
from captioner.data.limits import Limits

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255,) * 3, (0,) * 3


@pytest.fixture
def save(tmp_path):
    """Saves a Pillow image under a name and returns the path."""

    def save(image, name, **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


def corners(image):
    """The colours at the corners, clockwise from the upper left, by their strongest channel."""
    right, bottom = image.width - 1, image.height - 1
    pixels = [image.getpixel(at) for at in ((0, 0), (right, 0), (right, bottom), (0, bottom))]
    return "".join("w" if min(pixel) > 128 else "rgb"[np.argmax(pixel)] for pixel in pixels)


def four_corners():
    """64x32: red, green, blue and white quarters, clockwise from the upper left."""
    image = Image.new("RGB", (64, 32), RED)
    image.paste(GREEN, (32, 0, 64, 16))
    image.paste(BLUE, (32, 16, 64, 32))
    image.paste(WHITE, (0, 16, 32, 32))
    return image


def noise(width=64, height=48):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    """A PNG that announces its size and holds no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"")


# ------------------------------------------------------------------------------- upright


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp", "photo.tif"])
@pytest.mark.parametrize(
    ("orientation", "expected"),
    # The shown colours, clockwise, if red, green, blue, white are stored.
    [
        (1, "rgbw"),
        (2, "grwb"),
        (3, "bwrg"),
        (4, "wbgr"),
        (5, "rwbg"),
        (6, "wrgb"),
        (7, "bgrw"),
        (8, "gbwr"),
    ],
)
def test_exif_orientation_is_applied_once(save, name, orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = open_image(save(four_corners(), name, exif=exif))
    assert image.size == ((64, 32) if orientation < 5 else (32, 64))
    assert corners(image) == expected


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp"])
def test_damaged_exif_does_not_cost_the_photograph(save, name):
    path = save(four_corners(), name, exif=b"Exif\0\0not a tiff header")
    assert corners(open_image(path)) == "rgbw"


def test_damage_elsewhere_in_exif_does_not_cost_the_orientation(save):
    orientation = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    maker_of_the_wrong_type = struct.pack(">HHIf", 0x010F, 11, 1, 0.5)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02" + orientation + maker_of_the_wrong_type + bytes(4)
    assert corners(open_image(save(four_corners(), "photo.jpg", exif=exif))) == "wrgb"


# ------------------------------------------------------------------------------- RGB


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.gif", "a.tif"])
def test_every_format_keeps_its_colours_and_size(save, name):
    image = open_image(save(four_corners(), name))
    assert image.mode == "RGB"
    assert image.size == (64, 32)
    assert corners(image) == "rgbw"


def test_suffix_does_not_matter(save):
    path = save(four_corners(), "a.png")
    assert corners(open_image(path.rename(path.with_suffix(".jpg")))) == "rgbw"


@pytest.mark.parametrize(("mode", "value"), [("L", 100), ("LA", (100, 255)), ("1", 255)])
def test_grey_becomes_equal_channels(save, mode, value):
    grey = 255 if mode == "1" else 100
    image = open_image(save(Image.new(mode, (4, 4), value), "grey.png"))
    assert image.getpixel((1, 1)) == (grey,) * 3


@pytest.mark.parametrize(
    ("mode", "clear", "half"),
    [("RGBA", (255, 0, 0, 0), (0, 0, 0, 128)), ("LA", (9, 0), (0, 128))],
)
def test_transparency_lies_on_white(save, mode, clear, half):
    image = Image.new(mode, (2, 1), clear)
    image.putpixel((1, 0), half)
    image = open_image(save(image, "clear.png"))
    assert image.getpixel((0, 0)) == WHITE
    assert image.getpixel((1, 0)) == pytest.approx((127,) * 3, abs=1)


@pytest.mark.parametrize("name", ["palette.png", "palette.gif"])
@pytest.mark.parametrize("transparency", [None, 0])
def test_palette(save, name, transparency):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*BLUE, *GREEN])
    image.putpixel((1, 0), 1)
    options = {} if transparency is None else {"transparency": transparency}
    image = open_image(save(image, name, **options))
    assert image.getpixel((0, 0)) == (BLUE if transparency is None else WHITE)
    assert image.getpixel((1, 0)) == GREEN


def test_palette_with_alpha_of_each_colour(save):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*BLACK, *GREEN])
    image.putpixel((1, 0), 1)
    image = open_image(save(image, "palette.png", transparency=bytes([128, 255])))
    assert image.getpixel((0, 0)) == pytest.approx((127,) * 3, abs=1)
    assert image.getpixel((1, 0)) == GREEN


def test_colour_key_of_an_rgb_png(save):
    path = save(four_corners(), "key.png", transparency=RED)
    assert open_image(path).getpixel((0, 0)) == WHITE


@pytest.mark.parametrize("name", ["cmyk.jpg", "cmyk.tif"])
def test_cmyk_keeps_its_colours(save, name):
    image = open_image(save(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), name))
    assert image.getpixel((8, 8)) == pytest.approx(RED, abs=6)
    image = open_image(save(Image.new("CMYK", (16, 16), (0, 0, 0, 55)), name))
    assert image.getpixel((8, 8)) == pytest.approx((200,) * 3, abs=6)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_16_bit_grey_is_scaled_and_not_clipped(save, name):
    values = np.array([[0, 256, 32768, 65535]], np.uint16)
    image = open_image(save(Image.fromarray(values), name))
    assert np.array(image)[0, :, 1].tolist() == [0, 1, 128, 255]


def test_big_endian_16_bit_grey(save):
    image = Image.frombytes("I;16B", (2, 1), struct.pack(">2H", 32768, 257))
    assert np.array(open_image(save(image, "deep.tif")))[0, :, 0].tolist() == [128, 1]


def test_turned_16_bit_grey(save):
    exif = Image.Exif()
    exif[0x0112] = 3
    values = np.array([[0, 32768, 65535]], np.uint16)
    image = open_image(save(Image.fromarray(values), "deep.png", exif=exif))
    assert np.array(image)[0, :, 0].tolist() == [255, 128, 0]


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (np.int32, [-5, 0, 100, 255], [0, 0, 100, 255]),
        (np.int32, [0, 257, 32768, 65535], [0, 1, 128, 255]),
        (np.int32, [0, 0, 600_000, 1_000_000], [0, 0, 153, 255]),
        (np.float32, [0.0, 0.2, 0.5, 1.0], [0, 51, 128, 255]),
        (np.float32, [0.0, 51.0, 128.0, 255.0], [0, 51, 128, 255]),
        (np.float32, [0.0, np.nan, 0.5, np.inf], [0, 0, 128, 0]),
    ],
)
def test_32_bit_grey_takes_the_lowest_customary_white(save, dtype, values, expected):
    image = open_image(save(Image.fromarray(np.array([values], dtype)), "deep.tif"))
    assert np.array(image)[0, :, 0].tolist() == expected


@pytest.mark.parametrize("name", ["frames.gif", "frames.tif", "frames.webp", "frames.png"])
def test_first_frame(save, name):
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)
    image = open_image(save(first, name, save_all=True, append_images=[second]))
    assert image.getpixel((4, 4)) == pytest.approx(RED, abs=6)


# ------------------------------------------------------------------------------- refused


def test_missing_file(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.jpg: .*No such file"):
        open_image(tmp_path / "gone.jpg")


def test_directory(tmp_path):
    with pytest.raises(ImageError, match=f"{tmp_path.name}: .*directory"):
        open_image(str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"Dear diary,\n", b"%PDF-1.4\n%", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"],
    ids=["empty", "text", "pdf", "eps"],
)
def test_not_a_photograph(tmp_path, content):
    path = tmp_path / "strange.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"strange\.jpg: empty or not an image of a known format"):
        open_image(path)


def test_formats_that_pillow_knows_but_a_photograph_is_not_in(save):
    with pytest.raises(ImageError, match=r"old\.pcx: .*known format"):
        open_image(save(four_corners(), "old.pcx"))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.gif", "a.tif"])
def test_cut_short(save, name):
    path = save(noise(), name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match=rf"^[^\n]*{name}: damaged or cut short[^\n]*$"):
        open_image(path)


@pytest.mark.parametrize("leaked", [SyntaxError("broken"), struct.error("x\ny"), KeyError(3)])
def test_whatever_a_decoder_leaks_names_the_file(save, monkeypatch, leaked):
    def load(self):
        raise leaked

    path = save(noise(), "odd.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(ImageError, match=r"^[^\n]*odd\.png: damaged[^\n]*$"):
        open_image(path)


@pytest.mark.parametrize("pillow_limit", [None, 1_000, 10**9])
def test_bomb_is_refused_from_its_header(tmp_path, monkeypatch, pillow_limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillow_limit)
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(20_000, 12_000))  # 240 million; no pixels, so decoding would fail
    with pytest.raises(ImageError, match=r"bomb\.png: larger than 220,000,000 pixels"):
        open_image(path)


def test_pixel_limit_is_inclusive(save):
    path = save(noise(64, 48), "photo.png")
    assert open_image(path, limits=Limits(64 * 48, 10**6)).size == (64, 48)
    with pytest.raises(ImageError, match=r"photo\.png: larger than 3,071 pixels; scale it down"):
        open_image(path, limits=Limits(64 * 48 - 1, 10**6))


def test_something_that_is_no_source_is_the_callers_mistake():
    with pytest.raises(TypeError):
        open_image(None)


# ------------------------------------------------------------------------------- streams


def test_stream_is_read_and_left_open():
    stream = io.BytesIO()
    four_corners().save(stream, "PNG")
    assert corners(open_image(stream)) == "rgbw"
    assert not stream.closed


def test_stream_without_a_name_and_with_one(tmp_path):
    with pytest.raises(ImageError, match=r"^<stream>: "):
        open_image(io.BytesIO(b"no photograph"))
    path = tmp_path / "named.jpg"
    path.write_bytes(b"no photograph")
    with path.open("rb") as stream, pytest.raises(ImageError, match=r"named\.jpg: "):
        open_image(stream)


def test_pipe_that_cannot_be_rewound(save):
    content = save(four_corners(), "photo.jpg").read_bytes()
    reading, writing = os.pipe()
    with open(writing, "wb") as pipe:
        pipe.write(content)
    with open(reading, "rb") as pipe:
        assert corners(open_image(pipe)) == "rgbw"


# ------------------------------------------------------------------------------- squares


def test_squash_keeps_the_whole_photograph():
    square = squash(four_corners(), 16)
    assert square.shape == (16, 16, 3)
    assert square.dtype == np.uint8
    assert corners(Image.fromarray(square)) == "rgbw"


def test_squash_does_not_alias():
    # One-pixel stripes: without antialiasing they come out black or white.
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    square = squash(Image.fromarray(stripes), 16)
    assert square[:, 1:-1].astype(int) == pytest.approx(128, abs=3)


def test_squash_resamples_as_the_weights_on_disk_were_trained():
    steps = np.zeros((4, 8, 3), np.uint8)
    steps[:, 4:] = 255
    steps[0, 0] = 200
    assert squash(Image.fromarray(steps), 4)[0, :, 0].tolist() == [90, 10, 238, 255]


def test_squash_leaves_an_image_of_that_size_alone():
    photo = noise(32, 32)
    square = squash(photo, 32)
    assert np.array_equal(square, np.asarray(photo))
    square[:] = 0  # one's own array, not a view of the image
    assert np.asarray(photo).any()


def test_load_image_is_open_and_squash(save):
    path = save(noise(90, 70), "photo.png")
    assert np.array_equal(load_image(path, 24), squash(noise(90, 70), 24))


def test_training_and_use_prepare_a_photograph_alike(save):
    """Many from paths, as in training, and one from a stream, as in use: the same bytes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(noise(90, 70), "photo.jpg", exif=exif)
    (many,) = load_images([path], 24)
    with path.open("rb") as stream:
        assert np.array_equal(many, load_image(stream, 24))


# ------------------------------------------------------------------------------- many


@pytest.mark.parametrize("workers", [None, 1, 5])
def test_load_images_keeps_the_order_and_survives_bad_ones(save, tmp_path, workers):
    paths = [save(Image.new("L", (9, 9), level), f"{level}.png") for level in range(0, 200, 5)]
    paths[7] = tmp_path / "gone.png"
    results = list(load_images(paths, 4, workers))
    assert isinstance(results.pop(7), ImageError)
    levels = [level for level in range(0, 200, 5) if level != 35]
    assert [result[0, 0, 0] for result in results] == levels


def test_load_images_of_nothing():
    assert list(load_images([], 4)) == []


def test_load_images_draws_lazily(save):
    """An endless source must do, and only a bounded number of photographs is held."""
    path = save(noise(), "photo.png")
    drawn = itertools.count()
    results = load_images((path for _ in drawn), 4, workers=2)
    for _ in range(20):
        assert next(results).shape == (4, 4, 3)
    results.close()
    assert next(drawn) <= 20 + images.AHEAD + 1


def test_mistakes_in_the_program_are_not_hidden(save):
    with pytest.raises(TypeError):
        list(load_images([save(noise(), "photo.png"), None], 4))


def test_reading_photographs_and_data_sets_does_not_wait_for_tensorflow():
    code = (
        "import captioner.data.images, captioner.data.readers, sys;"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_photograph_opened_already_is_treated_as_its_file(tmp_path):
    path = tmp_path / "turned.png"
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(path, exif=exif)
    expected = load_image(path, 4)
    with Image.open(path) as opened:
        np.testing.assert_array_equal(load_image(opened, 4), expected)
    assert open_image(path).size == (2, 4)
    np.testing.assert_array_equal(load_image(np.asarray(open_image(path)), 4), expected)
    assert load_image(np.zeros((3, 5), "uint8"), 4).shape == (4, 4, 3)
