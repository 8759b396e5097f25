"""The alignment of two sentences."""

import numpy as np
from overlay.looks import Word, pixels

from examples.alignment import alignment


def test_an_alignment_has_a_row_for_each_word_written_and_a_column_for_each_read():
    written = [Word(name, 0.9, np.eye(5)[i]) for i, name in enumerate(["le", "$x$ chat"])]
    figure = alignment(["the", "_a^b_ cat", "sits"], written)
    axes, bar = figure.axes
    (picture,) = axes.images
    np.testing.assert_array_equal(picture.get_array(), [[1, 0, 0], [0, 1, 0]])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["the", "_a^b_ cat", "sits"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["le", "$x$ chat"]
    assert bar.get_ylim() == (0, 1)
    assert pixels(figure).std() > 10
