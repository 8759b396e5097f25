"""Photographs, words that look at a place, and where the heat of a picture is."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

SIZES = {"portrait": (120, 180), "landscape": (240, 160), "panorama": (360, 60), "tall": (50, 300)}


class Word(NamedTuple):
    word: str
    probability: float
    attention: np.ndarray


class Caption(NamedTuple):
    text: str
    words: list[Word]


def looking_at(row, column, share=0.8, shape=(7, 7)):
    """A map with one hot region; the others share the rest alike."""
    attention = np.full(shape, (1 - share) / (shape[0] * shape[1] - 1), "float32")
    attention[row, column] = share
    return attention


def words(*places):
    names = "zero one two three four five six seven eight nine".split()
    return [Word(names[i], (i + 1) / 20, looking_at(*place)) for i, place in enumerate(places)]


def photograph(size=(240, 160)):
    """Noise in grey: neither dark nor bright anywhere, and no colour but what is laid over it."""
    grey = np.random.default_rng(0).normal(128, 20, size[::-1]).clip(0, 255)
    return Image.fromarray(grey.astype("uint8")).convert("RGB")


def red(photograph):
    """The same photograph in shades of red."""
    grey = photograph.convert("L")
    half = grey.point(lambda value: value // 2)
    return Image.merge("RGB", (grey, half, half))


def pixels(figure):
    """The pixels of a figure, `uint8[H, W, 3]`."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def rendered(figure, panel):
    """The pixels of a panel of a figure, `uint8[H, W, 3]`."""
    image = pixels(figure)
    height, width = image.shape[:2]
    box = figure.axes[panel].get_position()
    rows = slice(round((1 - box.y1) * height), round((1 - box.y0) * height))
    return image[rows, round(box.x0 * width) : round(box.x1 * width)]


def brightest(image):
    """The centre (x, y) of the brightest pixels of `[H, W(, 3)]`, as parts of its size."""
    light = image.reshape(*image.shape[:2], -1).mean(axis=-1)
    rows, columns = np.nonzero(light >= np.quantile(light, 0.998))
    return (columns.mean() + 0.5) / light.shape[1], (rows.mean() + 0.5) / light.shape[0]


def assert_within_region(place, row, column, shape=(7, 7)):
    x, y = place
    assert column / shape[1] < x < (column + 1) / shape[1]
    assert row / shape[0] < y < (row + 1) / shape[0]


# The heat
