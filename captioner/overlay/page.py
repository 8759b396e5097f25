"""Where the model looked, as a page that a browser shows offline."""

import base64
import html
import io
import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from PIL import Image

from captioner.data.images import Source, open_image
from captioner.overlay.heat import COLOURS, layer, scale

if TYPE_CHECKING:
    from captioner.generation.results import Word

SIDE = 1000  # of the photograph in a page, in pixels, at most
PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)


def page(photograph: Source, words: "Sequence[Word]", title: str) -> str:
    """An HTML page that shows where a word looked under the mouse or the keyboard's focus.

    Everything is within it and nothing is fetched: the photograph is a JPEG of 1000 pixels at
    most, without the metadata of the original, and its name does not appear.
    """
    image = open_image(photograph, at_least=SIDE)
    limit = scale([word.attention for word in words])
    width, height = image.size
    image.thumbnail((SIDE, SIDE))
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


def _data_uri(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, kind, quality=85, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
