"""Where the words of a translation looked, as a figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from captioner.overlay.figure import DPI, SMALL
from captioner.overlay.heat import COLOURS

if TYPE_CHECKING:
    from captioner.generation.results import Word


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
