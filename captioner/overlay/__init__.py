"""Where the model looked: for each word a picture of its attention over the photograph.

The model sees the photograph squashed to a square. Here its map `float[h, w]` is stretched back:
region (r, c) covers the rectangle [c/w, (c+1)/w] x [r/h, (r+1)/h] of the original.
"""

import base64
import html
import io
import math
import os
import string
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont

from captioner.data.images import Source, open_image

if TYPE_CHECKING:
    from captioner.generation.loop import Candidate, Caption, Word

SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg", ".gif", ".html")
COLOURS = "inferno"

# A figure fits a slide and is read from the last row: inches, and points of type.
SLIDE = (13.3, 7.5)
DPI = 150
TITLE, LABEL, SMALL = 20, 14, 12
MARGIN, GAP = 0.2, 0.12

PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)


def heat(attention: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map `float[h, w]` that sums to 1, smoothly enlarged to `float32[H, W]`.

    Its unit is even attention: 1 is what each of the h * w regions would get if all got the same.

    Args:
        attention: `float[h, w]`.
        size: (W, H) in pixels.
    """
    multiples = Image.fromarray((attention * attention.size).astype(np.float32))
    # Bicubic filters undershoot beside a peak; there is no attention below none.
    return np.asarray(multiples.resize(size, Image.Resampling.BICUBIC)).clip(0)


def scale(maps: Sequence[np.ndarray]) -> float:
    """The upper end of the scale that all maps of a figure share, in units of `heat`.

    It is never below 2, so that an even look does not burn like a keen one.
    """
    return max(2.0, *(float(attention.max() * attention.size) for attention in maps))


def layer(attention: np.ndarray, size: tuple[int, int], limit: float) -> Image.Image:
    """The heat alone, in colour, denser where it is hotter: an RGBA picture of (W, H) pixels."""
    share = (heat(attention, size) / limit).clip(0, 1)
    colours = matplotlib.colormaps[COLOURS](share)
    colours[..., 3] = 0.3 + 0.45 * share
    return Image.fromarray((colours * 255).round().astype(np.uint8))


def blend(photograph: Image.Image, attention: np.ndarray, limit: float) -> Image.Image:
    """The heat over a photograph, which goes grey so that every colour in it means attention."""
    grey = photograph.convert("L").convert("RGBA")
    return Image.alpha_composite(grey, layer(attention, grey.size, limit)).convert("RGB")


def figure(photograph: Source, words: "Sequence[Word]", title: str) -> Figure:
    """The photograph and a panel for each word, in as many rows as fill a slide best.

    Raises:
        ImageError: as `open_image` does; so do all functions here that take a photograph.
    """
    return _compose(photograph, _panels(words), title)


def strip(photograph: Source, words: "Sequence[Word]", title: str) -> Figure:
    """The same in one row, as wide as it gets."""
    return _compose(photograph, _panels(words), title, rows=1)


def picture(photograph: Source, words: "Sequence[Word]", title: str) -> Figure:
    """A single panel for the whole of an answer: the mean attention of its words."""
    return _compose(photograph, [("", np.mean([w.attention for w in words], axis=0))], title)


def animation(photograph: Source, words: "Sequence[Word]", question: str | None = None) -> bytes:
    """A GIF that says the words one by one, a second each, and begins again; the question, if
    there is one, stands before them."""
    asked = [] if question is None else _shortened(question).split()
    image = open_image(photograph)
    factor = min(640 / image.width, 480 / image.height)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3)
    limit = scale([word.attention for word in words])
    frames = [
        _dithered(_frame(blend(image, word.attention, limit), asked, words, position))
        for position, word in enumerate(words)
    ]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=1000, loop=0)
    return file.getvalue()


def page(photograph: Source, words: "Sequence[Word]", title: str) -> str:
    """An HTML page that shows where a word looked under the mouse or the keyboard's focus.

    Everything is within it and nothing is fetched: the photograph is a JPEG of 1000 pixels at
    most, without the metadata of the original, and its name does not appear.
    """
    image = open_image(photograph)
    limit = scale([word.attention for word in words])
    width, height = image.size
    image.thumbnail((1000, 1000))
    # The browser enlarges the heat; it is as smooth at ten pixels a region, and small.
    grid = words[0].attention.shape
    heats = [layer(word.attention, (10 * grid[1], 10 * grid[0]), limit) for word in words]
    stops = matplotlib.colormaps[COLOURS](np.linspace(0, 1, 9), bytes=True)[:, :3]
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return string.Template(template).substitute(
        title=html.escape(title),
        aspect=f"{width / height:.4f}",
        photograph=_data_uri(image, "JPEG"),
        heats="\n".join(f'<img class="heat" alt="" src="{_data_uri(h, "PNG")}">' for h in heats),
        words="\n".join(
            f'<button type="button" data-look="{html.escape(describe(word))}">'
            f"{html.escape(word.word)} <small>{word.probability:.2f}</small></button>"
            for word in words
        ),
        colours=", ".join(f"rgb({r}, {g}, {b})" for r, g, b in stops),
        limit=f"{limit:.1f}",
        regions=grid[0] * grid[1],
    )


def alignment(source: Sequence[str], words: "Sequence[Word]") -> Figure:
    """Where the words of a translation looked: a row of attention for each, a column for each word
    of the source.

    Args:
        source: the words read.
        words: the words written, each with its attention `float[Q]` over the words read.
    """
    weights = np.stack([word.attention[: len(source)] for word in words])
    size = 2 + 0.35 * len(source), 1.5 + 0.35 * len(words)
    canvas = Figure(figsize=size, dpi=DPI, layout="constrained")
    axes = canvas.add_subplot()
    picture = axes.imshow(weights, COLOURS, Normalize(0, 1))
    axes.set_xticks(range(len(source)), source, rotation=60, ha="left", parse_math=False)
    axes.set_yticks(range(len(words)), [word.word for word in words], parse_math=False)
    axes.tick_params(bottom=False, labelbottom=False, labeltop=True, left=False, labelsize=SMALL)
    canvas.colorbar(picture, label="attention", shrink=0.8)
    return canvas


def describe(word: "Word") -> str:
    """Where a word looked, in words, for people who do not see the picture."""
    h, w = word.attention.shape
    row, column = divmod(int(word.attention.argmax()), w)
    peak = float(word.attention.max() * word.attention.size)
    place = PLACES[int((row + 0.5) * 3 / h)][int((column + 0.5) * 3 / w)]
    look = f"looked most at the {place}, {peak:.1f} times an even look"
    if peak < 1.5:
        look = "looked all over the photograph"
    return f"{word.word}: probability {word.probability:.2f}, {look}"


def check_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of a file that `save` can write, in lower case.

    Raises:
        ValueError: for another one, or none.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{os.fspath(path)}: unknown suffix; use one of {', '.join(SUFFIXES)}")
    return suffix


def save(
    photograph: Source,
    caption: "Caption | Candidate",
    path: str | os.PathLike[str],
    question: str | None = None,
) -> None:
    """Write where the words of a caption looked: a figure, or an animation or a page by suffix.

    Args:
        photograph: what `open_image` takes.
        caption: what was written about it.
        path: the file.
        question: what it answers. It is then part of the title, and the figure a single picture.

    Raises:
        ImageError: as `open_image` does.
        ValueError: for an unknown suffix.
        OSError: if the file cannot be written.
    """
    suffix = check_suffix(path)
    title = caption.text if question is None else f"{_shortened(question)} → {caption.text}"
    if suffix == ".gif":
        Path(path).write_bytes(animation(photograph, caption.words, question))
    elif suffix == ".html":
        Path(path).write_text(page(photograph, caption.words, title), encoding="utf-8")
    else:
        draw = figure if question is None else picture
        draw(photograph, caption.words, title).savefig(path)


def _shortened(question: str) -> str:
    """A question as far as there is room for it, as text that every format can encode."""
    text = question.encode("utf-8", "replace").decode("utf-8")
    return textwrap.shorten(text, 200, placeholder=" …")


def _panels(words: "Sequence[Word]") -> list[tuple[str, np.ndarray | None]]:
    """The photograph as it is, then each word."""
    labelled = [(f"{word.word}  {word.probability:.2f}", word.attention) for word in words]
    return [("", None), *labelled]


def _compose(
    photograph: Source,
    panels: Sequence[tuple[str, np.ndarray | None]],  # label, float[h, w]
    title: str,
    rows: int | None = None,
) -> Figure:
    """Place panels, a title and a colour bar by the inch: nothing overlaps, little is margin."""
    image = open_image(photograph)
    limit = scale([attention for _, attention in panels if attention is not None])
    label_height = 0.3 if any(label for label, _ in panels) else 0.0
    # A very long word is set smaller, so that it does not push all panels apart.
    widest = min(1.7, max(_inches(label, LABEL) for label, _ in panels))
    columns, width = _grid(len(panels), image.width / image.height, widest, label_height, rows)
    rows = math.ceil(len(panels) / columns)
    height = width * image.height / image.width
    cell = (max(width, widest) + GAP, height + label_height + GAP)

    # The colour bar and its legend need some width however narrow the photograph is.
    total = max(columns * cell[0] - GAP, 4.0) + 2 * MARGIN
    # 0.9: some lines have more of the wide letters than the whole has.
    letters = 0.9 * (total - 2 * MARGIN) * len(title) / max(_inches(title, TITLE), 0.1)
    lines = textwrap.wrap(title, max(1, int(letters)))
    head, foot = MARGIN + 0.36 * len(lines), 0.85
    tall = head + rows * cell[1] + foot
    canvas = Figure(figsize=(total, tall), dpi=DPI)

    def axes(left, top, width, height):
        return canvas.add_axes(
            (left / total, 1 - (top + height) / tall, width / total, height / tall)
        )

    heading = canvas.suptitle("\n".join(lines), y=1 - MARGIN / tall, fontsize=TITLE)
    heading.set(parse_math=False, linespacing=1.1)
    size = max(1, round(width * DPI)), max(1, round(height * DPI))
    image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3)
    left = (total - columns * cell[0] + GAP) / 2 + (cell[0] - GAP - width) / 2
    for position, (label, attention) in enumerate(panels):
        row, column = divmod(position, columns)
        panel = axes(left + column * cell[0], head + row * cell[1] + label_height, width, height)
        shown = image if attention is None else blend(image, attention, limit)
        panel.imshow(shown, aspect="auto")
        panel.set_axis_off()
        points = LABEL * min(1.0, (cell[0] - GAP) / max(_inches(label, LABEL), 0.1))
        panel.set_title(label, fontsize=points, pad=4, parse_math=False)

    bar_width = min(5.0, total - 2 * MARGIN)
    bar = axes((total - bar_width) / 2, tall - foot + 0.1, bar_width, 0.14)
    regions = panels[-1][1].size
    canvas.colorbar(
        ScalarMappable(Normalize(0, limit), COLOURS),
        cax=bar,
        orientation="horizontal",
        ticks=MaxNLocator(6, integer=True),
        format="{x:g}×",
    )
    bar.tick_params(labelsize=SMALL)
    bar.set_xlabel(f"attention (1× = even over all {regions} regions)", fontsize=SMALL)
    return canvas


def _grid(
    count: int, aspect: float, widest: float, label_height: float, rows: int | None
) -> tuple[int, float]:
    """The number of columns that makes panels largest on a slide, and the panels' width."""
    room = SLIDE[0] - 2 * MARGIN, SLIDE[1] - 1.4  # for panels, below the title, above the bar
    # Many words outgrow the slide rather than go below 1.5 square inches each.
    least = min(math.sqrt(1.5 * aspect), room[0], room[1] * aspect)
    if rows is not None:
        return math.ceil(count / rows), max(least, 1.7 * math.sqrt(aspect))
    found = []
    for columns in range(1, count + 1):
        across = (room[0] + GAP) / columns - GAP
        down = (room[1] + GAP) / math.ceil(count / columns) - GAP - label_height
        if columns == 1 or across >= max(least, widest):
            found.append((max(least, min(across, down * aspect)), columns))
    width, columns = max(found)
    return math.ceil(count / math.ceil(count / columns)), width  # rows of about the same length


def _inches(text: str, points: float) -> float:
    """How wide a text is."""
    font = FontProperties(size=points)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def _frame(
    image: Image.Image, asked: Sequence[str], words: "Sequence[Word]", position: int
) -> Image.Image:
    """A picture above what was asked, all words, of which one is marked, and its probability."""
    width, height = max(image.width, 480), 34
    font = ImageFont.truetype(findfont(FontProperties()), 22)
    x, y, places = 16, image.height + 16, []
    for text in [*asked, *(word.word for word in words)]:
        length = font.getlength(text)
        if x + length > width - 16 and x > 16:
            x, y = 16, y + height
        places.append((x, y, length))
        x += length + 12
    frame = Image.new("RGB", (width, y + 2 * height + 12), "#111111")
    frame.paste(image, ((width - image.width) // 2, 0))
    draw = ImageDraw.Draw(frame)
    for text, (x, y, _) in zip(asked, places, strict=False):
        draw.text((x, y), text, "#f4f4f4", font)
    for number, (word, (x, y, length)) in enumerate(zip(words, places[len(asked) :], strict=True)):
        marked = number == position
        if marked:
            draw.rounded_rectangle((x - 5, y - 3, x + length + 5, y + height - 5), 5, "#fca50a")
        draw.text((x, y), word.word, "#111111" if marked else "#b4b4b4", font)
    probability = f"probability {words[position].probability:.2f}"
    draw.text((16, y + height + 4), probability, "#fca50a", font)
    return frame


def _dithered(frame: Image.Image) -> Image.Image:
    """A frame in 256 colours, which the glow and the letters share fairly."""
    palette = frame.quantize(method=Image.Quantize.MAXCOVERAGE)
    return frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _data_uri(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, kind, quality=85, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
