"""Captions of a few dev photographs after every epoch, for TensorBoard."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg

from captioner.overlay.figure import strip
from captioner.training.dev_scores import DevScores

DPI = 60  # low, since TensorBoard keeps the pictures of every epoch


class TensorBoardLogger(keras.callbacks.Callback):
    """Writes captions as text, and their attention as images.

    Args:
        scores: the callback that writes the captions; it must run before this one.
        folder: the folder that TensorBoard reads.
    """

    def __init__(self, scores: DevScores, folder: Path) -> None:
        super().__init__()
        self.scores, self.folder = scores, folder

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        with tf.summary.create_file_writer(str(self.folder)).as_default(step=epoch):
            for image, caption in self.scores.shown:
                canvas = FigureCanvasAgg(strip(image, caption.words, caption.text))
                canvas.figure.set_dpi(DPI)
                canvas.draw()
                tf.summary.text(f"caption/{image.name}", caption.text)
                pixels = np.asarray(canvas.buffer_rgba())[None, ..., :3]
                tf.summary.image(f"attention/{image.name}", pixels)
