"""Animations: a frame for each word."""

import io

import numpy as np
import pytest
from overlay.looks import (
    SIZES,
    Word,
    assert_within_region,
    brightest,
    looking_at,
    photograph,
    words,
)
from PIL import Image

from captioner.overlay.animation import animation


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_frame_shows_the_heat_in_its_region(size):
    regions = [(1, 5), (5, 2)]
    gif = Image.open(io.BytesIO(animation(photograph(size), words(*regions))))
    factor = min(640 / size[0], 480 / size[1])
    width, height = round(size[0] * factor), round(size[1] * factor)
    left = (gif.width - width) // 2
    for position, region in enumerate(regions):
        gif.seek(position)
        frame = np.asarray(gif.convert("RGB"))[:height, left : left + width]
        assert_within_region(brightest(frame), *region)


def test_an_animation_has_a_frame_for_each_word_and_loops():
    caption = words((1, 5), (1, 5), (5, 2))
    gif = Image.open(io.BytesIO(animation(photograph(), caption)))
    assert (gif.format, gif.n_frames, gif.info["loop"]) == ("GIF", 3, 0)
    frames = []
    for position, region in enumerate([(1, 5), (1, 5), (5, 2)]):
        gif.seek(position)
        assert gif.info["duration"] == 1000
        frames.append(np.asarray(gif.convert("RGB")))
        assert_within_region(brightest(frames[-1][:427]), *region)
    below = [frame[427:].astype(int) for frame in frames]
    marks = [np.nonzero((frame[..., 0] > 200) & (frame[..., 2] < 60))[1] for frame in below]
    starts = [mark.min() for mark in marks]
    assert starts[0] < starts[1]  # the same picture, but another word is marked


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_all_words_of_a_frame_fit(size):
    caption = [Word("wonderful", 0.5, looking_at(3, 3))] * 25
    gif = Image.open(io.BytesIO(animation(photograph(size), caption)))
    assert gif.width >= 480
    gif.seek(24)
    frame = np.asarray(gif.convert("L"))
    height = round(size[1] * min(640 / size[0], 480 / size[1]))
    assert (frame[-8:] < 40).all() and (frame[height:, -10:] < 40).all()  # nothing is cut


# Pages


def test_an_animation_shows_the_question_before_the_words():
    starts = {}
    for question in (None, "Is it?"):
        made = animation(photograph(), words((1, 5), (5, 2)), question)
        gif = Image.open(io.BytesIO(made))
        assert gif.n_frames == 2
        for position, region in enumerate([(1, 5), (5, 2)]):
            gif.seek(position)
            frame = np.asarray(gif.convert("RGB")).astype(int)
            assert_within_region(brightest(frame[:427]), *region)
            line = frame[427:475]
            marked = np.nonzero((line[..., 0] > 200) & (line[..., 2] < 60))[1]
            white = np.nonzero(line.min(axis=-1) > 225)[1]
            assert (white.size > 0) == (question is not None)
            assert (white < marked.min()).all()
            starts[question, position] = marked.min()
    assert starts["Is it?", 0] > starts[None, 0] + 40
