"""The page of `captioner serve` and of the static site: its files, and the data about the model.

The two differ only in `captioner.js`. In the static site it runs the model; in the other it asks
the server.
"""

import string
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from captioner import __version__
from captioner.data.word_lists import COLORS, NUMBERS
from captioner.generation.model import CaptionModel
from captioner.overlay import html_page
from captioner.overlay.heat import COLOURS

SITE = Path(__file__).with_name("site")
INDEX = "index.html"
EXAMPLE = "example.jpg"
# All files of the page except `captioner.js`.
SHARED = (
    *("page.css", "page.js", "view.js", "heat.js", "history.js", "camera.js"),
    *("photograph.js", "picture.js", "exif.js", "orientation.js", "resize.js"),
)


def shared_files(privacy: str, footer: str) -> dict[str, str]:
    """The content of the files that both pages share, by name.

    Args:
        privacy: a sentence about the use of the photographs.
        footer: HTML at the end of the last line, after the version.
    """
    index = string.Template(SITE.joinpath(INDEX).read_text(encoding="utf-8"))
    return {
        INDEX: index.substitute(privacy=privacy, version=__version__, footer=footer),
        "look.css": html_page.part("look.css").template,
        # In an overlay it is a script; here it is a module.
        "look.js": html_page.part("look.js").template + "\nexport { bindLook };\n",
        **{name: SITE.joinpath(name).read_text(encoding="utf-8") for name in SHARED},
    }


def about(model: CaptionModel) -> dict[str, Any]:
    """The data about the model, as JSON: an `About` of `site/captioner.js`."""
    colours = matplotlib.colormaps[COLOURS](np.arange(256), bytes=True)[:, :3]
    return {
        "version": __version__,
        "grid": model.grid,
        "answers": model.answers,
        "colours": colours.tolist(),
        "colourWords": sorted(COLORS),
        "numberWords": NUMBERS,
    }
