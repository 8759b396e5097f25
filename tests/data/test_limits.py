"""Photographs that are small as files and large in memory."""

import os
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from captioner.data import tones
from captioner.data.images import ImageError, load_image, open_image
from captioner.data.limits import Limits, TooLarge

SIDE = (17_896, 12_237)  # 219 megapixels


def tones_of(mode, size=(90, 70)):
    """An image with a different tone, and alpha, almost everywhere."""
    deep = mode in ("I;16", "F")
    shape = (*size[::-1], 1 if deep else len(mode))
    values = np.random.default_rng(0).integers(0, 65536 if deep else 256, shape)
    if deep:
        return Image.fromarray(values[..., 0].astype("uint16" if mode == "I;16" else "float32"))
    return Image.frombytes(mode, size, values.astype("uint8").tobytes())


def palette(size=(90, 70)):
    image = tones_of("L", size)
    image.putpalette(np.random.default_rng(1).integers(0, 256, 768).tolist())
    return image


LARGE = {
    "a.png": tones_of("LA"),
    "b.png": tones_of("RGBA"),
    "c.png": tones_of("I;16"),
    "d.png": palette(),
    "e.tif": tones_of("CMYK"),
    "f.tif": tones_of("F"),
    "g.bmp": tones_of("RGB"),
    "h.webp": tones_of("RGBA"),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_image_is_the_whole_one_made_smaller(name, tmp_path, monkeypatch):
    options = {"transparency": bytes(range(256))} if name == "d.png" else {}
    LARGE[name].save(tmp_path / name, **options)
    whole = open_image(tmp_path / name)
    monkeypatch.setattr(tones, "LARGE", 90 * 70 - 1)
    monkeypatch.setattr(tones, "BAND", 700)
    assert open_image(tmp_path / name) == whole
    small = open_image(tmp_path / name, at_least=30)
    assert small.size == (45, 35) and small == whole.reduce(2)
    with Image.open(tmp_path / name) as opened:
        assert open_image(opened, at_least=30) == small


def test_a_large_array_is_the_whole_one_made_smaller(monkeypatch):
    array = np.random.default_rng(0).integers(0, 1024, (70, 90, 4), "uint16")
    whole = open_image(array)
    monkeypatch.setattr(tones, "LARGE", 90 * 70 - 1)
    monkeypatch.setattr(tones, "BAND", 700)
    assert open_image(array, at_least=23) == whole.reduce(3)


def test_an_image_that_is_not_large_is_resampled_as_it_is(tmp_path):
    tones_of("RGBA").save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png", at_least=10).size == (90, 70)


def test_decoding_that_needs_more_memory_than_there_is_is_refused(tmp_path):
    for name in ("a.png", "f.tif"):
        LARGE[name].save(tmp_path / name)
        with pytest.raises(ImageError, match=r"decoding it takes 0 MB, more than 0; scale it down"):
            load_image(tmp_path / name, 8, Limits(10**6, 90 * 70 * 4))


def test_the_coefficients_of_a_jpeg_are_counted(tmp_path):
    Image.new("RGB", (1000, 900)).save(tmp_path / "a.jpg")
    load_image(tmp_path / "a.jpg", 8, Limits(10**6, 5_600_000))
    with pytest.raises(ImageError, match=r"decoding it takes 5 MB, more than 5; scale it down"):
        load_image(tmp_path / "a.jpg", 8, Limits(10**6, 5_400_000))


def test_a_tile_far_larger_than_the_picture_is_not_decoded(tmp_path, monkeypatch):
    data = zlib.compress(bytes(2048 * 2048))
    tags = ImageFileDirectory_v2()
    tags[256], tags[257], tags[258], tags[259], tags[262] = 16, 16, 8, 8, 1
    tags[322], tags[323], tags[324], tags[325] = 2048, 2048, 0, len(data)
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + tags.tobytes(8) + data)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="tiles far larger than the picture"):
        open_image(tmp_path / "a.tif")


def test_decoding_waits_for_memory_that_others_hold():
    limits = Limits(1, 100)
    order = []

    def hold(name, needed):
        with limits.reserve(needed):
            order.append(name)

    with limits.reserve(60):
        waiting = threading.Thread(target=hold, args=("large", 50))
        waiting.start()
        hold("small", 40)
        time.sleep(0.05)
        assert order == ["small"]
    waiting.join(10)
    assert order == ["small", "large"]
    with pytest.raises(TooLarge), limits.reserve(101):
        pass
    with pytest.raises(KeyError), limits.reserve(100):
        raise KeyError
    hold("all", 100)  # nothing is held by what failed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_waits_for_no_thread_of_its_parent():
    limits = Limits(1, 100)
    with limits.reserve(100):
        child = os.fork()
        if not child:
            with limits.reserve(100):
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def png_of_grey_and_alpha(path):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    row, pack = bytes(1 + 2 * SIDE[0]), zlib.compressobj(1)
    data = b"".join([*(pack.compress(row) for _ in range(SIDE[1])), pack.flush()])
    header = struct.pack(">IIBBBBB", *SIDE, 8, 4, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def deep_tiff(path):
    strip = zlib.compress(bytes(2 * SIDE[0] * 100), 1)
    strips = -(-SIDE[1] // 100)
    tags = ImageFileDirectory_v2()
    tags[256], tags[257], tags[258], tags[259], tags[262] = *SIDE, 16, 8, 1
    # 0: Pillow adds where the tags end. All strips are the same bytes.
    tags[273], tags[278], tags[279] = (0,) * strips, 100, (len(strip),) * strips
    path.write_bytes(b"II*\0\x08\0\0\0" + tags.tobytes(8) + strip)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (10**9, 10**9))
from captioner.data.images import load_image
print(*load_image(sys.argv[1], 256)[100, 100])
"""


@pytest.mark.slow
@pytest.mark.parametrize(("make", "tone"), [(png_of_grey_and_alpha, 255), (deep_tiff, 0)])
def test_219_megapixels_fit_into_a_gigabyte(make, tone, tmp_path):
    make(tmp_path / "bomb")
    assert (tmp_path / "bomb").stat().st_size < 4 * 10**6
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "bomb")], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"{tone} {tone} {tone}\n", "")
