"""The attention of each word, as a page for a browser, offline."""

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

SIDE, NOTEBOOK_SIDE = 1000, 480  # maximum pixels of the photograph in a page
PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)


def page(photograph: Source, words: "Sequence[Word]", title: str) -> str:
    """An HTML page that shows the attention of the word under the mouse or the keyboard focus.

    The page fetches nothing. Its photograph is a JPEG of 1000 pixels at most, without the metadata
    and the name of the original.
    """
    return _filled("page.html", title, look(photograph, words))


def shown(photograph: Source, words: "Sequence[Word]", title: str) -> str:
    """The same for a notebook, which may contain several. Where scripts do not run, as on GitHub,
    it shows the photograph and the words."""
    return _filled("notebook.html", title, look(photograph, words, "24rem", NOTEBOOK_SIDE))


def _filled(template: str, title: str, content: str) -> str:
    return part(template).substitute(
        title=html.escape(title),
        style=part("look.css").template,
        script=part("look.js").template,
        look=content,
    )


def look(
    photograph: Source, words: "Sequence[Word]", height: str = "62vh", side: int = SIDE
) -> str:
    """The element with the photograph and the words, of the class "look". `look.css` styles it, and
    the function `bindLook` of `look.js` handles its events.

    Args:
        photograph: as for `open_image`.
        words: at least one.
        height: of the photograph, at most, in CSS.
        side: of the photograph, at most, in pixels.
    """
    image = open_image(photograph, at_least=side)
    limit = scale([word.attention for word in words])
    width, tall = image.size
    image.thumbnail((side, side))
    # Ten pixels for each region: the browser enlarges them smoothly.
    grid = words[0].attention.shape
    heats = [layer(word.attention, (10 * grid[1], 10 * grid[0]), limit) for word in words]
    colours = matplotlib.colormaps[COLOURS](np.linspace(0, 1, 64), bytes=True)[None, :, :3]
    return part("look.html").substitute(
        aspect=f"{width / tall:.4f}",
        height=height,
        photograph=_data_uri(image, "JPEG"),
        heats="\n".join(
            f'<img class="heat" hidden alt="" src="{_data_uri(h, "PNG")}">' for h in heats
        ),
        words="\n".join(
            f'<button type="button" data-look="{html.escape(describe(word))}">'
            f"{html.escape(word.word)} <small>{word.probability:.2f}</small></button>"
            for word in words
        ),
        colours=_data_uri(Image.fromarray(np.ascontiguousarray(colours)), "PNG"),
        limit=f"{limit:.1f}",
        regions=grid[0] * grid[1],
    )


def part(name: str) -> string.Template:
    """A file of this folder: "look.css", "look.js", or a template."""
    return string.Template(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def describe(word: "Word") -> str:
    """The attention of a word as a sentence, for people who cannot see the picture."""
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
