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


def heads(source: Sequence[str], written: Sequence[str], looks: Sequence[np.ndarray]) -> Figure:
    """Where each head of a Transformer looked: a row of pictures for each layer.

    Args:
        source: the words read, S of them.
        written: the words written, T of them.
        looks: of each layer `float[T, h, S]`.
    """
    rows, columns = len(looks), looks[0].shape[1]
    size = 1 + columns * (0.5 + 0.22 * len(source)), 1 + rows * (0.5 + 0.22 * len(written))
    canvas = Figure(figsize=size, dpi=DPI, layout="constrained")
    grid = canvas.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for layer, weights in enumerate(looks):
        for head, axes in enumerate(grid[layer]):
            axes.imshow(weights[:, head], COLOURS, Normalize(0, 1))
            axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=SMALL)
            axes.tick_params(bottom=False, left=False, labelsize=SMALL)
    grid[0, 0].set_yticks(range(len(written)), written, parse_math=False)
    for axes in grid[-1]:
        axes.set_xticks(range(len(source)), source, rotation=90, parse_math=False)
    return canvas
