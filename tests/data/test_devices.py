"""Photographs as cameras, telephones, scanners and careless programs write them."""

import base64
import io
import itertools
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from captioner.data import images
from captioner.data.images import ImageError, load_image, load_images, open_image


def picture(height=37, width=53):
    """`uint8[H, W, 3]` with every tone, smooth enough for a JPEG."""
    y, x = np.mgrid[0:height, 0:width]
    channels = 255 * x / (width - 1), 255 * y / (height - 1), 255 * (x + y) / (height + width - 2)
    return np.stack(channels, axis=2).round().astype(np.uint8)


GREY = picture()[..., 0]
RGB = picture()


def tones(image):
    return np.asarray(image).astype(int)


def near(image, expected, most=1):
    expected = np.broadcast_to(expected.reshape(*expected.shape[:2], -1), (*expected.shape[:2], 3))
    difference = np.abs(tones(image) - expected)
    assert tones(image).shape == expected.shape and difference.max() <= most


def pack(values, bits, order):
    """Samples `int[rows, n]` as the bytes of rows."""
    if bits in (8, 16, 32, 64):
        return values.astype(f"{order}i{bits // 8}").tobytes()
    if bits == 24:
        full = values.astype(f"{order}u4")[..., None].view("u1")
        return full[..., 1:].tobytes() if order == ">" else full[..., :3].tobytes()
    spread = (values[..., None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(spread.reshape(len(values), -1).astype("u1"), axis=1).tobytes()


def tiff(
    values,
    bits,
    *,
    photometric=None,
    sample_format=1,
    planar=False,
    order="<",
    rows=10,
    tile=None,
    deflate=False,
    predictor=1,
    extra=None,
    fill_order=1,
    orientation=1,
):
    """A TIFF of samples `[H, W]` or `[H, W, C]`, in strips of `rows` or in tiles of a size."""
    values = values.reshape(*values.shape[:2], -1)
    height, width, channels = values.shape
    if photometric is None:
        photometric = 2 if channels >= 3 else 1
    planes = np.split(values, channels, axis=2) if planar else [values]
    segments = []
    for plane in planes:
        step_y, step_x = (tile, tile) if tile else (rows, width)
        for top, left in itertools.product(range(0, height, step_y), range(0, width, step_x)):
            part = plane[top : top + step_y, left : left + step_x]
            if tile:
                missing = [(0, tile - part.shape[0]), (0, tile - part.shape[1]), (0, 0)]
                part = np.pad(part, missing)
            if predictor == 2:
                part = np.diff(part, axis=1, prepend=0)
            if part.dtype.kind == "f":
                data = part.astype(f"{order}f{bits // 8}").tobytes()
            else:
                data = pack(part.reshape(len(part), -1), bits, order)
            data = zlib.compress(data) if deflate else data
            if fill_order == 2:
                data = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
            segments.append(data)
    tags = {
        256: [width],
        257: [height],
        258: [bits] * channels,
        259: [8 if deflate else 1],
        262: [photometric],
        266: [fill_order],
        274: [orientation],
        277: [channels],
        284: [2 if planar else 1],
        317: [predictor],
        339: [sample_format] * channels,
    }
    if extra is not None:
        tags[338] = [extra]
    starts = np.cumsum([8, *map(len, segments)]).tolist()
    sizes = list(map(len, segments))
    tags |= {322: [tile], 323: [tile], 324: starts[:-1], 325: sizes} if tile else {}
    tags |= {} if tile else {273: starts[:-1], 278: [rows], 279: sizes}
    body = b"".join(segments)
    at = 8 + len(body) + len(body) % 2
    entries, beyond, free = b"", b"", at + 2 + 12 * len(tags) + 4
    for tag, numbers in sorted(tags.items()):
        data = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(data) > 4:
            beyond += data
            data = struct.pack(f"{order}I", free + len(beyond) - len(data))
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + data
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", at)
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    return start + body + bytes(len(body) % 2) + directory + beyond


def deep(values, bits):
    """8-bit tones in more bits, white at their highest number."""
    return (values.astype(np.int64) * (2**bits - 1) + 127) // 255


# ------------------------------------------------------------------------------- TIFF


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("layout", [{}, {"rows": 37}, {"tile": 16}, {"deflate": True}])
@pytest.mark.parametrize(("bits", "photometric"), [(8, 0), (8, 1), (16, 1)])
def test_grey_tiff(order, layout, bits, photometric):
    values = deep(255 - GREY if photometric == 0 else GREY, bits)
    data = tiff(values, bits, order=order, photometric=photometric, **layout)
    near(open_image(io.BytesIO(data)), GREY)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("layout", [{}, {"rows": 37}, {"tile": 16}, {"deflate": True}])
@pytest.mark.parametrize(("bits", "planar"), [(8, False), (8, True), (16, False)])
def test_rgb_tiff(order, layout, bits, planar):
    data = tiff(deep(RGB, bits), bits, order=order, planar=planar, **layout)
    near(open_image(io.BytesIO(data)), RGB)


@pytest.mark.parametrize("held", [8, 10, 12, 14])
def test_few_bits_in_words_of_16(held):
    near(open_image(io.BytesIO(tiff(deep(GREY, held), 16))), GREY)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("white", [1, 255, 65000])
def test_grey_floats(white, order):
    data = tiff(GREY / 255 * white, 32, sample_format=3, order=order)
    near(open_image(io.BytesIO(data)), GREY, most=1 if white != 65000 else 3)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("held", [8, 12, 16, 31])
def test_signed_grey_of_32_bits(held, order):
    near(open_image(io.BytesIO(tiff(deep(GREY, held), 32, sample_format=2, order=order))), GREY)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_compressed_16_bit_grey(compression, predictor):
    file = io.BytesIO()
    tags = {317: 2} if predictor == 2 and compression != "packbits" else {}
    image = Image.fromarray(257 * GREY.astype(np.uint16))
    image.save(file, "TIFF", compression=compression, tiffinfo=tags)
    near(open_image(file), GREY)


def test_compressed_16_bit_rgb():
    near(open_image(io.BytesIO(tiff(deep(RGB, 16), 16, deflate=True, predictor=2))), RGB)


def test_floating_point_predictor():
    file = io.BytesIO()
    values = (GREY / 255).astype(np.float32)
    Image.fromarray(values).save(file, "TIFF", compression="tiff_lzw", tiffinfo={317: 3})
    near(open_image(file), GREY)


@pytest.mark.parametrize("extra", [0, 1, 2])
def test_alpha_of_16_bit_tiff(extra):
    alpha = np.full_like(GREY, 51)
    values = deep(np.dstack([RGB, alpha]), 16)
    if extra == 1:
        values[..., :3] = values[..., :3] * 0.2
    shown = RGB if extra == 0 else 255 + alpha[..., None] / 255 * (RGB - 255.0)
    near(open_image(io.BytesIO(tiff(values, 16, extra=extra))), shown, most=2)


def test_deep_cmyk():
    values = deep(np.dstack([255 - RGB, np.zeros_like(GREY)]), 16)
    near(open_image(io.BytesIO(tiff(values, 16, photometric=5))), RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_is_turned(orientation, bits):
    turned = ImageOps.exif_transpose(exif_image(GREY, orientation))
    image = open_image(io.BytesIO(tiff(deep(GREY, bits), bits, orientation=orientation)))
    near(image, tones(turned))


def exif_image(values, orientation):
    """A Pillow image with an orientation that is not applied."""
    image = Image.fromarray(values)
    image.getexif()[0x0112] = orientation
    return image


@pytest.mark.parametrize(
    ("values", "bits", "options"),
    [
        (GREY, 12, {}),
        (GREY, 24, {}),
        (GREY, 32, {}),
        (GREY, 16, {"sample_format": 2}),
        (GREY, 8, {"sample_format": 2}),
        (GREY, 16, {"photometric": 0}),
        (GREY, 16, {"photometric": 32803}),
        (GREY, 16, {"sample_format": 5}),
        (RGB, 12, {}),
        (RGB, 16, {"planar": True}),
        (RGB / 255, 32, {"sample_format": 3}),
    ],
)
def test_a_tiff_that_pillow_would_misread_is_refused(values, bits, options, tmp_path):
    path = tmp_path / "deep.tif"
    path.write_bytes(tiff(values if values.dtype == float else deep(values, bits), bits, **options))
    message = r"^[^\n]*deep\.tif: of a kind that is not read \(.*\); save it as JPEG or PNG$"
    with pytest.raises(ImageError, match=message):
        open_image(path)


def test_a_misread_tiff_that_pillow_has_opened_is_refused(tmp_path):
    path = tmp_path / "deep.tif"
    path.write_bytes(tiff(deep(RGB, 16), 16, planar=True))
    with Image.open(path) as image, pytest.raises(ImageError, match=r"deep\.tif: of a kind"):
        open_image(image)


@pytest.mark.parametrize("deflate", [False, True])
def test_deep_tiff_cut_short(deflate):
    data = tiff(deep(RGB, 16), 16, deflate=deflate, rows=37)
    # The last strip begins within the file and ends beyond it.
    for count in (len(data) // 2, len(data) - 300):
        with pytest.raises(ImageError, match="damaged or cut short"):
            open_image(io.BytesIO(data[:count]))


def test_deep_tiff_that_announces_too_much():
    data = tiff(deep(GREY, 16), 16)
    height = struct.pack("<HHII", 257, 4, 1, 37)
    huge = data.replace(height, struct.pack("<HHII", 257, 4, 1, 10**9))
    with pytest.raises(ImageError, match="larger than"):
        open_image(io.BytesIO(huge))
    large = data.replace(height, struct.pack("<HHII", 257, 4, 1, 10**6))
    with pytest.raises(ImageError, match="damaged or cut short"):
        open_image(io.BytesIO(large))


# ------------------------------------------------------------------------------- BMP

ORDERS = {
    "BGRA": (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    "RGBA": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
    "ABGR": (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    "BGRX": (0xFF0000, 0xFF00, 0xFF, 0),
    "RGB565": (0xF800, 0x7E0, 0x1F, 0),
}


def bmp(pixels, masks, alpha, header=124, top_down=False):
    """A BMP of `uint8[H, W, 3]` whose channels lie in masks; `alpha` is a share."""
    bits = 32 if max(masks) > 0xFFFF else 16
    words = np.zeros(pixels.shape[:2], np.uint64)
    for mask, channel in zip(masks, [*np.moveaxis(pixels / 255, 2, 0), alpha], strict=True):
        if mask:
            lowest = mask & -mask
            words += np.round(np.broadcast_to(channel, words.shape) * (mask // lowest)).astype(
                np.uint64
            ) * np.uint64(lowest)
    height, width = words.shape
    rows = words.astype(f"<u{bits // 8}").view("u1").reshape(height, -1)
    rows = np.pad(rows, [(0, 0), (0, -rows.shape[1] % 4)])
    data = (rows if top_down else rows[::-1]).tobytes()
    info = struct.pack(
        "<IiiHHIIiiII",
        *(header, width, -height if top_down else height, 1, bits, 3, len(data), 2835, 2835, 0, 0),
    )
    info += struct.pack("<4I", *masks) + bytes(124)
    info = info[: header if header > 40 else 52]
    start = 14 + len(info)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + data


@pytest.mark.parametrize(
    ("order", "header"),
    [
        (order, header)
        for order in ORDERS
        for header in (40, 52, 56, 108, 124)
        if order != "RGBA" or header >= 56  # Pillow needs the mask of alpha
    ],
)
@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("alpha", [0, 1])
def test_bmp_with_an_alpha_that_is_0_or_full_everywhere(order, header, top_down, alpha):
    data = bmp(RGB, ORDERS[order], alpha, header, top_down)
    near(open_image(io.BytesIO(data)), RGB, most=5)
    with Image.open(io.BytesIO(data)) as image:
        near(open_image(image), RGB, most=5)


@pytest.mark.parametrize("masks", [(0x3FF00000, 0xFFC00, 0x3FF, 0), (0xF00, 0xF0, 0xF, 0xF000)])
def test_bmp_of_masks_that_pillow_does_not_know_is_refused(masks):
    with pytest.raises(ImageError, match=r"not read \(Unsupported BMP.*save it as JPEG or PNG"):
        open_image(io.BytesIO(bmp(RGB, masks, 1)))


@pytest.mark.parametrize("order", ["BGRA", "RGBA"])
def test_bmp_with_real_alpha(order):
    alpha = np.ones(GREY.shape)
    alpha[:, :20] = 0
    image = open_image(io.BytesIO(bmp(RGB, ORDERS[order], alpha)))
    near(image.crop((20, 0, 53, 37)), RGB[:, 20:], most=9)
    assert (tones(image)[:, :20] == 255).all()


# ------------------------------------------------------------------------------- PNG


def chunk(kind, data, checksum=None):
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(*, before=b"", after=b"", image=None, **options):
    """A PNG with other chunks before and after its pixels."""
    file = io.BytesIO()
    (image or Image.fromarray(RGB)).save(file, "PNG", **options)
    data = file.getvalue()
    first, last = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    return data[:first] + before + data[first:last] + after + data[last:]


def large(kind):
    profile = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
    start = {b"iCCP": b"profile\0\0", b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0"}
    compressed = zlib.compress(profile if kind != b"iTXt" else bytes(3_000_000))
    return chunk(kind, start[kind] + compressed)


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_png_with_large_profiles_and_texts(where, kind):
    near(open_image(io.BytesIO(png(**{where: large(kind)}))), RGB, most=0)


def test_png_with_many_texts():
    texts = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000))) * 70
    near(open_image(io.BytesIO(png(before=texts))), RGB, most=0)


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize(
    "kind", [b"tEXt", b"gAMA", b"pHYs", b"iCCP", b"eXIf", b"tRNS", b"prVt", b"acTL", b"tIME"]
)
def test_png_with_a_wrong_checksum_beside_the_pixels(where, kind):
    damaged = chunk(kind, b"\0\0\0\1\0\0\0\2", checksum=12345)
    near(open_image(io.BytesIO(png(**{where: damaged}))), RGB, most=0)


def test_a_repaired_png_keeps_its_turn_and_its_transparency():
    exif = Image.Exif()
    exif[0x0112] = 3
    image = Image.fromarray(np.dstack([RGB, np.where(GREY < 100, 0, 255).astype(np.uint8)]))
    whole = open_image(io.BytesIO(png(image=image, exif=exif)))
    damaged = chunk(b"tEXt", b"Comment\0x", checksum=1)
    near(open_image(io.BytesIO(png(image=image, exif=exif, before=damaged))), tones(whole), most=0)
    near(whole.rotate(180), np.where(GREY[..., None] < 100, 255, RGB), most=0)
    palette = Image.fromarray(RGB).quantize(16)
    whole = open_image(io.BytesIO(png(image=palette, transparency=3)))
    data = png(image=palette, transparency=3, before=damaged)
    near(open_image(io.BytesIO(data)), tones(whole), most=0)


def test_png_with_a_wrong_checksum_of_its_header_is_refused():
    data = bytearray(png())
    data[29] ^= 1
    with pytest.raises(ImageError, match="damaged"):
        open_image(io.BytesIO(bytes(data)))


def test_a_repaired_png_is_not_too_large_either():
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    chunks = header + large(b"zTXt") + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    data = b"\x89PNG\r\n\x1a\n" + chunks
    with pytest.raises(ImageError, match="larger than"):
        open_image(io.BytesIO(data))


# ------------------------------------------------------------------------------- JPEG


def jpeg(image=None, **options):
    file = io.BytesIO()
    (image or Image.fromarray(picture(333, 257))).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("ending", [b"", b"\xff", bytes(7)])
def test_jpeg_without_its_end_marker(progressive, subsampling, ending):
    options = {"progressive": progressive, "subsampling": subsampling}
    whole = jpeg(**options)
    assert whole.endswith(b"\xff\xd9")
    image = open_image(io.BytesIO(whole[:-2] + ending))
    near(image, tones(open_image(io.BytesIO(whole))), most=0)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_jpeg_without_some_of_its_pixels(progressive, share):
    noise = np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    data = jpeg(Image.fromarray(noise), progressive=progressive, quality=60)
    for end in (int(share * len(data)), len(data) - 4, len(data) - 8):
        with pytest.raises(ImageError, match="damaged or cut short"):
            open_image(io.BytesIO(data[:end]))


def zero_date():
    """EXIF with an orientation, and a date that is no text but the fraction 0/0."""
    entries = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHII", 0x0132, 5, 1, 38)
    return b"Exif\0\0II*\0\x08\0\0\0\x02\0" + entries + bytes(4) + struct.pack("<II", 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_odd_exif_by_path_and_as_an_image(kind, tmp_path):
    path = tmp_path / "odd"
    Image.fromarray(RGB).save(path, kind, exif=zero_date(), quality=100)
    by_path = open_image(path)
    assert by_path.size == (37, 53)
    near(by_path, np.rot90(RGB, 3), most=12)
    with Image.open(path) as image:
        near(open_image(image), tones(by_path), most=0)


def test_a_large_jpeg_is_decoded_small():
    """The square of a photograph decoded small is that of the whole one, but for rounding."""
    # Lowest frequencies: what every resampling keeps.
    photo = Image.fromarray(picture(2400, 3200))
    data = jpeg(photo, quality=95)
    square = load_image(io.BytesIO(data), 100).astype(int)
    whole = images.squash(open_image(io.BytesIO(data)), 100)
    assert np.abs(square - whole).max() <= 3
    assert open_image(io.BytesIO(data), at_least=200).size == (400, 300)
    assert open_image(io.BytesIO(data), at_least=301).size == (800, 600)
    assert open_image(io.BytesIO(data), at_least=10_000).size == (3200, 2400)


def test_the_photograph_of_a_telephone_with_200_megapixels(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)  # whatever other libraries set
    path = tmp_path / "huge.jpg"
    Image.new("L", (16320, 12240), 90).save(path)
    assert abs(load_image(path, 8).astype(int) - 90).max() <= 1


# ------------------------------------------------------------------------------- HEIC and AVIF

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAA"
    "AAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAPgAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAAB"
    "AABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADw"
    "NgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAA"
    "AAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcA"
    "AAAEAAAAABAAAAIAAAAAEAAAAAAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWB"
    "AgMFhAAAAQBtZGF0AAAA9CgBrwng4Vc5NB//8ju///Kwdl+8R6oUicv+3piK/EHI/9QD/og+cC1c/z2MAcNoNCrGW9"
    "1nrIlIiC1724p3s2MIIYL8pfWRN84fwqQf/QdD/9jO7nytE//aFf3/wQVp/q0Ix3/6GP+uW4l4X9RlaI0J1eurHpP6"
    "egyjuaROEehhYf/7wlU5ZUu8VmHMPcQ1qZQI6mJcfCh4e6Fd5/tA9eLe4zaflRwvMrGIFo/G2xSk7+FBf52U0gjb4j"
    "Gqx+XxZ0qj8OSdVrWy427E22bWjkaah2OXR9mjyjpfpYixDV4o9a8SXX1r6ALrr1pVDmzZv+gkOsw="
)


def test_heic():
    """64x32: red, green, blue and white quarters, clockwise."""
    image = open_image(io.BytesIO(HEIC))
    assert image.size == (64, 32)
    at = [(10, 8), (54, 8), (54, 24), (10, 24)]
    for place, colour in zip(
        at, [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)], strict=True
    ):
        assert image.getpixel(place) == pytest.approx(colour, abs=40)
    for end in (20, 300, len(HEIC) - 100):
        with pytest.raises(ImageError):
            open_image(io.BytesIO(HEIC[:end]))


def test_avif():
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "AVIF", quality=95)
    near(open_image(file), RGB, most=12)


# ------------------------------------------------------------------------------- as a library


@pytest.mark.parametrize("shown", [GREY, RGB], ids=["grey", "rgb"])
@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x / 255,
        lambda x: (x / 255).astype(np.float32),
        lambda x: (x / 255).astype(np.float16),
        lambda x: x.astype(np.float64),
        lambda x: x * 257.0,
        lambda x: x.astype(np.uint16) * 257,
        lambda x: deep(x, 12).astype(np.uint16),
        lambda x: x.astype(np.int64),
        lambda x: x.astype(np.int32),
        lambda x: x[:, ::-1][:, ::-1],
        lambda x: np.asfortranarray(x),
    ],
)
def test_arrays_of_any_number_type(shown, convert):
    near(open_image(convert(shown)), shown)


def test_arrays_with_alpha_and_of_one_channel():
    near(open_image(GREY[..., None]), GREY, most=0)
    clear = np.dstack([RGB, np.where(GREY < 100, 0, 255)])
    expected = np.where(GREY[..., None] < 100, 255, RGB)
    near(open_image(clear.astype(np.uint8)), expected, most=0)
    near(open_image(clear / 255), expected, most=1)
    near(open_image(GREY > 100), np.where(GREY > 100, 255, 0), most=0)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 5, 3)),
        np.zeros((5,)),
        np.zeros((2, 5, 5, 3)),
        np.zeros((5, 5, 7)),
        np.zeros((3, 64, 64)),
        np.zeros((5, 5, 3), complex),
        np.array([["a", "b"]]),
        np.array([[None, 1]]),
        -np.ones((5, 5, 3)),
        np.full((5, 5, 3), np.nan),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_arrays_that_are_no_photographs(array):
    with pytest.raises(ImageError, match=r"^<array>: not a photograph \(.*give uint8\[H, W, 3\]$"):
        open_image(array)


def test_a_truncated_image_of_pillow(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(jpeg()[:3000])
    with Image.open(path) as image, pytest.raises(ImageError, match=r"cut\.jpg: damaged"):
        open_image(image)
    with Image.open(io.BytesIO(jpeg()[:3000])) as image:
        with pytest.raises(ImageError, match="<image>: damaged"):
            open_image(image)


def test_one_image_of_pillow_many_times_at_once():
    """A lazily opened image is decoded by whoever needs it first, and by nobody else meanwhile."""
    for _ in range(5):
        with Image.open(io.BytesIO(jpeg())) as image:
            squares = list(load_images([image] * 16, 16, workers=8))
        for square in squares:
            np.testing.assert_array_equal(square, squares[0])
    assert threading.active_count() < 20


def test_an_image_of_pillow_is_left_as_it_is():
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(jpeg(exif=exif))) as image:
        size = image.size
        assert open_image(image).size == size[::-1]
        assert image.size == size and image.getexif()[0x0112] == 6
