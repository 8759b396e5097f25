"""Random pictures that are not photographs. A model should not caption them."""

import itertools
import string
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
Colour = tuple[int, int, int]

FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral")  # of Matplotlib
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def drawings(count: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Draw pictures of each kind in turn.

    Args:
        count: the number of pictures.
        seed: of the random numbers.

    Yields:
        The kind and the picture `uint8[H, W, 3]`.
    """
    rng = np.random.default_rng(seed)
    for draw in itertools.islice(itertools.cycle(KINDS), count):
        width, height = (int(side) for side in rng.integers(240, 640, 2))
        drawn = draw(Image.new("RGB", (width, height), WHITE), rng)
        yield draw.__name__, np.asarray(drawn)


def _colour(rng: Rng, darkest: int = 0, lightest: int = 255) -> Colour:
    red, green, blue = (int(part) for part in rng.integers(darkest, lightest + 1, 3))
    return red, green, blue


def _paper(rng: Rng) -> tuple[Colour, Colour]:
    """The colours of the background and of the text."""
    if rng.random() < 0.3:
        return _colour(rng, 0, 60), _colour(rng, 180)
    return (WHITE if rng.random() < 0.6 else _colour(rng, 200)), _colour(rng, 0, 110)


def _font(rng: Rng, size: int) -> ImageFont.FreeTypeFont:
    weight = "bold" if rng.random() < 0.3 else "normal"
    family = FONTS[rng.integers(len(FONTS))]
    return ImageFont.truetype(findfont(FontProperties(family=family, weight=weight)), size)


def _words(rng: Rng, count: int) -> str:
    letters = list(string.ascii_lowercase + "aeiou" * 4)
    return " ".join("".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(count))


def _point(picture: Image.Image, rng: Rng) -> tuple[int, int]:
    return int(rng.integers(picture.width)), int(rng.integers(picture.height))


def _box(picture: Image.Image, rng: Rng) -> tuple[int, int, int, int]:
    """A box inside the picture. Its sides are at least a tenth of the picture's."""
    (left, right), (top, bottom) = (
        sorted(rng.uniform(0, 0.9, 2) + np.array([0.0, 0.1])) for _ in range(2)
    )
    width, height = picture.size
    return int(left * width), int(top * height), int(right * width), int(bottom * height)


def page(picture: Image.Image, rng: Rng) -> Image.Image:
    """A page of text."""
    paper, ink = _paper(rng)
    picture.paste(paper, (0, 0, *picture.size))
    draw, size = ImageDraw.Draw(picture), int(rng.integers(9, 26))
    font, margin = _font(rng, size), int(rng.integers(5, 40))
    for top in range(margin, picture.height - margin, round(1.4 * size)):
        if rng.random() < 0.9:
            line = _words(rng, int(rng.integers(3, 14))).capitalize()
            draw.text((margin, top), line, ink, font)
    return picture


def sign(picture: Image.Image, rng: Rng) -> Image.Image:
    """A word or two, large."""
    paper, ink = _paper(rng)
    picture.paste(paper, (0, 0, *picture.size))
    draw = ImageDraw.Draw(picture)
    for row in range(int(rng.integers(1, 4))):
        size = int(rng.integers(picture.height // 8, picture.height // 3))
        top = row * picture.height // 3
        draw.text((20, top), _words(rng, 1).upper(), ink, _font(rng, size))
    return picture


def logo(picture: Image.Image, rng: Rng) -> Image.Image:
    """Some shapes of a few colours, and perhaps a name."""
    picture.paste(WHITE if rng.random() < 0.7 else _colour(rng), (0, 0, *picture.size))
    draw, colours = ImageDraw.Draw(picture), [_colour(rng) for _ in range(3)]
    for _ in range(int(rng.integers(1, 5))):
        left, top, right, bottom = box = _box(picture, rng)
        fill, corners = colours[rng.integers(3)], int(rng.integers(3, 12))
        if corners < 8:
            circle = ((left + right) / 2, (top + bottom) / 2, min(right - left, bottom - top) / 2)
            draw.regular_polygon(circle, corners, int(rng.integers(360)), fill)
        elif corners < 10:
            draw.ellipse(box, fill)
        else:
            draw.rounded_rectangle(box, int(rng.integers(15)), fill)
    if rng.random() < 0.6:
        size = picture.height // 7
        draw.text((20, picture.height - 2 * size), _words(rng, 1), colours[0], _font(rng, size))
    return picture


def chart(picture: Image.Image, rng: Rng) -> Image.Image:
    """A chart of Matplotlib."""
    width, height = (side / 80 for side in picture.size)
    figure = Figure(figsize=(width, height), dpi=80)
    axes = figure.subplots()
    count = int(rng.integers(3, 12))
    values, colour = rng.random(count), "#{:02x}{:02x}{:02x}".format(*_colour(rng))
    plots: tuple[Callable[[], Any], ...] = (
        lambda: axes.plot(rng.normal(size=(60, count // 3)).cumsum(axis=0)),
        lambda: axes.bar(range(count), values, color=colour),
        lambda: axes.barh(range(count), values),
        lambda: axes.scatter(rng.normal(size=90), rng.normal(size=90), 12, color=colour),
        lambda: axes.pie(values, labels=_words(rng, count).split()),
        lambda: axes.hist(rng.normal(size=300), count, color=colour),
        lambda: axes.imshow(rng.random((count, count))),
        lambda: axes.stackplot(range(20), rng.random((count // 2, 20))),
        lambda: axes.contour(rng.random((9, 9))),
    )
    plots[int(rng.integers(len(plots)))]()
    axes.set(title=_words(rng, 3), xlabel=_words(rng, 2), ylabel=_words(rng, 1))
    axes.grid(bool(rng.random() < 0.4))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def code(picture: Image.Image, rng: Rng) -> Image.Image:
    """A QR code or a barcode with random content."""
    across = int(rng.integers(15, 60))
    down = across if rng.random() < 0.7 else 1
    cells = rng.random((down, across)) < 0.5
    if down > 1:
        first, last = slice(7), slice(-7, None)
        for rows, columns in ((first, first), (first, last), (last, first)):
            cells[rows, columns] = np.pad(np.pad(np.ones((3, 3), bool), 1), 1, constant_values=True)
    squares = Image.fromarray(np.where(cells, 0, 255).astype("uint8"))
    margin = int(rng.integers(0, 60))
    inner = (picture.width - 2 * margin, picture.height - 2 * margin)
    picture.paste(squares.resize(inner, Image.Resampling.NEAREST).convert("RGB"), (margin, margin))
    return picture


def blank(picture: Image.Image, rng: Rng) -> Image.Image:
    """One colour, perhaps with a frame."""
    choices = (WHITE, BLACK, _colour(rng), (int(rng.integers(256)),) * 3)
    picture.paste(choices[rng.integers(4)], (0, 0, *picture.size))
    if rng.random() < 0.3:
        box = (0, 0, picture.width - 1, picture.height - 1)
        ImageDraw.Draw(picture).rectangle(box, None, _colour(rng), int(rng.integers(1, 30)))
    return picture


def gradient(picture: Image.Image, rng: Rng) -> Image.Image:
    """A gradient between two colours, linear or radial."""
    y, x = np.mgrid[0 : picture.height, 0 : picture.width]
    if rng.random() < 0.6:
        angle = rng.uniform(0, 2 * np.pi)
        along = np.cos(angle) * x + np.sin(angle) * y
    else:
        column, row = _point(picture, rng)
        along = np.hypot(x - column, y - row)
    share = ((along - along.min()) / np.ptp(along))[..., None]
    mixed = share * _colour(rng) + (1 - share) * _colour(rng)
    return Image.fromarray(mixed.astype("uint8"))


def noise(picture: Image.Image, rng: Rng) -> Image.Image:
    """Random points, fine or coarse, grey or coloured."""
    side, channels = int(2 ** rng.uniform(2, 8)), int(rng.choice([1, 3]))
    values = rng.normal(rng.uniform(60, 200), rng.uniform(15, 90), (side, side, channels))
    spots = np.broadcast_to(np.clip(values, 0, 255), (side, side, 3)).astype("uint8")
    smooth = Image.Resampling.BICUBIC if rng.random() < 0.5 else Image.Resampling.NEAREST
    return Image.fromarray(spots).resize(picture.size, smooth)


def pattern(picture: Image.Image, rng: Rng) -> Image.Image:
    """Stripes, checks, dots or waves."""
    y, x = np.mgrid[0 : picture.height, 0 : picture.width]
    size, angle = rng.uniform(6, 60), rng.uniform(0, np.pi)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    masks = (
        u // size % 2,
        (u // size + v // size) % 2,
        np.hypot(u % size - size / 2, v % size - size / 2) < size / 4,
        (v + size / 2 * np.sin(u / size)) // size % 2,
    )
    mask = np.asarray(masks[rng.integers(4)], float)[..., None]
    mixed = mask * _colour(rng) + (1 - mask) * _colour(rng)
    return Image.fromarray(mixed.astype("uint8"))


def window(picture: Image.Image, rng: Rng) -> Image.Image:
    """A window of a program: a bar with a title, a list, text, buttons."""
    paper, ink = _paper(rng)
    width, height = picture.size
    picture.paste(paper, (0, 0, width, height))
    draw, font, bar = ImageDraw.Draw(picture), _font(rng, 12), int(rng.integers(18, 34))
    draw.rectangle((0, 0, width, bar), _colour(rng, 40, 220))
    draw.text((8, bar // 4), _words(rng, 2), WHITE, font)
    for button in range(3):
        left = width - 20 * (button + 1)
        draw.ellipse((left, bar // 3, left + 10, bar // 3 + 10), _colour(rng))
    side = int(rng.integers(0, width // 3))
    draw.rectangle((0, bar, side, height), _colour(rng, 190, 245))
    for top in range(bar + 8, height - 40, 20):
        draw.text((6, top), _words(rng, 1)[: side // 8], BLACK, font)
        if rng.random() < 0.8:
            draw.text((side + 10, top), _words(rng, int(rng.integers(1, 9))), ink, font)
    for _ in range(int(rng.integers(0, 4))):
        left, top = _point(picture, rng)
        draw.rounded_rectangle((left, top, left + 80, top + 24), 5, _colour(rng, 120), ink)
        draw.text((left + 8, top + 5), _words(rng, 1), ink, font)
    return picture


def sketch(picture: Image.Image, rng: Rng) -> Image.Image:
    """Lines on paper: curves, boxes, stick figures."""
    paper, ink = _paper(rng)
    picture.paste(paper, (0, 0, *picture.size))
    draw, width = ImageDraw.Draw(picture), int(rng.integers(1, 6))
    for _ in range(int(rng.integers(2, 12))):
        left, top, right, bottom = _box(picture, rng)
        middle = (left + right) // 2
        form = rng.integers(5)
        if form == 0:
            steps = rng.normal(0, 18, (25, 2)).cumsum(axis=0) + _point(picture, rng)
            draw.line([(float(x), float(y)) for x, y in steps], ink, width, joint="curve")
        elif form == 1:
            draw.ellipse((left, top, right, bottom), None, ink, width)
        elif form == 2:
            draw.rectangle((left, top, right, bottom), None, ink, width)
            draw.line(((left, top), (middle, top - 40), (right, top)), ink, width)
        elif form == 3:
            draw.arc((left, top, right, bottom), 0, float(rng.uniform(90, 360)), ink, width)
        else:
            draw.ellipse((middle - 12, top, middle + 12, top + 24), None, ink, width)
            draw.line(((middle, top + 24), (middle, bottom)), ink, width)
            draw.line(((left, bottom + 40), (middle, bottom), (right, bottom + 40)), ink, width)
            draw.line(((left, top + 45), (right, top + 45)), ink, width)
    return picture


def diagram(picture: Image.Image, rng: Rng) -> Image.Image:
    """Boxes with names, and lines from one to the next; or a table."""
    paper, ink = _paper(rng)
    picture.paste(paper, (0, 0, *picture.size))
    draw, font = ImageDraw.Draw(picture), _font(rng, 12)
    if rng.random() < 0.4:
        across, down = int(rng.integers(50, 110)), int(rng.integers(18, 40))
        for left in range(5, picture.width, across):
            for top in range(5, picture.height, down):
                draw.rectangle((left, top, left + across, top + down), None, ink)
                draw.text((left + 4, top + 3), str(rng.integers(10**4)), ink, font)
        return picture
    places = [_point(picture, rng) for _ in range(int(rng.integers(3, 9)))]
    draw.line(places, ink, int(rng.integers(1, 4)))
    for x, y in places:
        draw.rectangle((x - 45, y - 16, x + 45, y + 16), _colour(rng, 170), ink)
        draw.text((x - 38, y - 8), _words(rng, 1), BLACK, font)
    return picture


KINDS = (page, sign, logo, chart, code, blank, gradient, noise, pattern, window, sketch, diagram)
