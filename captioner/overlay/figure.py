"""The attention as a figure: the photograph and a panel for each word."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator
from PIL import Image

from captioner.data.images import Source, open_image
from captioner.overlay.heat import COLOURS, blend, scale

if TYPE_CHECKING:
    from captioner.generation.results import Word

# A figure fits a slide and is readable from a distance: sizes in inches, type in points.
SLIDE = (13.3, 7.5)
DPI = 150
TITLE, LABEL, SMALL = 20, 14, 12
MARGIN, GAP = 0.2, 0.12


def figure(photograph: Source, words: "Sequence[Word]", title: str) -> Figure:
    """The photograph and a panel for each word, in the number of rows that fills a slide best.

    Raises:
        ImageError: the photograph cannot be read.
    """
    return _compose(photograph, _panels(words), title)


def strip(photograph: Source, words: "Sequence[Word]", title: str) -> Figure:
    """Like `figure`, in one row of any width."""
    return _compose(photograph, _panels(words), title, rows=1)


def picture(photograph: Source, words: "Sequence[Word]", title: str) -> Figure:
    """One panel for an answer: the mean attention of its words."""
    return _compose(photograph, [("", np.mean([w.attention for w in words], axis=0))], title)


def _panels(words: "Sequence[Word]") -> list[tuple[str, np.ndarray | None]]:
    """The unchanged photograph, then each word."""
    labelled = [(f"{word.word}  {word.probability:.2f}", word.attention) for word in words]
    return [("", None), *labelled]


def _compose(
    photograph: Source,
    panels: Sequence[tuple[str, np.ndarray | None]],  # label, float[h, w]
    title: str,
    rows: int | None = None,
) -> Figure:
    """Place panels, a title and a colour bar without overlap."""
    image = open_image(photograph, at_least=int(SLIDE[0] * DPI))
    limit = scale([attention for _, attention in panels if attention is not None])
    label_height = 0.3 if any(label for label, _ in panels) else 0.0
    # A very long word gets a smaller font, so that it does not push the panels apart.
    widest = min(1.7, max(_inches(label, LABEL) for label, _ in panels))
    columns, width = _grid(len(panels), image.width / image.height, widest, label_height, rows)
    rows = math.ceil(len(panels) / columns)
    height = width * image.height / image.width
    cell = (max(width, widest) + GAP, height + label_height + GAP)

    # The colour bar and its legend need 4 inches.
    total = max(columns * cell[0] - GAP, 4.0) + 2 * MARGIN
    # 0.9: some lines have more wide letters than the average.
    letters = 0.9 * (total - 2 * MARGIN) * len(title) / max(_inches(title, TITLE), 0.1)
    lines = textwrap.wrap(title, max(1, int(letters)))
    head, foot = MARGIN + 0.36 * len(lines), 0.85
    tall = head + rows * cell[1] + foot
    canvas = Figure(figsize=(total, tall), dpi=DPI)

    def axes(left: float, top: float, width: float, height: float) -> Axes:
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
    regions = next(attention.size for _, attention in panels if attention is not None)
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
    """The number of columns for the largest panels on a slide, and the width of a panel."""
    room = SLIDE[0] - 2 * MARGIN, SLIDE[1] - 1.4  # for panels, below the title, above the bar
    # A panel has at least 1.5 square inches, even if the figure is then larger than a slide.
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
    """The width of a text."""
    font = FontProperties(size=points)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72
