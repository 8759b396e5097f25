"""Figures: a panel for each word."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from overlay.looks import (
    SIZES,
    Caption,
    Word,
    assert_within_region,
    brightest,
    looking_at,
    photograph,
    pixels,
    rendered,
    words,
)
from PIL import Image

from captioner import overlay
from captioner.overlay.figure import figure as figure_of
from captioner.overlay.figure import picture, strip
from captioner.overlay.heat import heat as heat_of


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_figure_shows_the_heat_in_its_region(size):
    figure = figure_of(photograph(size), words((1, 5), (5, 2)), "Two words.")
    for panel, region in ((1, (1, 5)), (2, (5, 2))):
        image = rendered(figure, panel)
        assert image.shape[1] / image.shape[0] == pytest.approx(size[0] / size[1], rel=0.05)
        assert_within_region(brightest(image), *region)


def test_the_first_panel_is_the_photograph_without_heat():
    photo = photograph()
    figure = figure_of(photo, words((0, 0)), "One.")
    image = rendered(figure, 0)
    assert (image == image[..., :1]).all()  # grey, as the photograph is
    small = np.asarray(Image.fromarray(image).resize((24, 16)).convert("L"), float)
    expected = np.asarray(photo.resize((24, 16)).convert("L"), float)
    assert np.abs(small - expected).max() < 8


def test_panels_are_titled_with_word_and_probability():
    caption = [Word("a", 0.5, looking_at(0, 0)), Word("$\\frac$ <dog>", 0.123, looking_at(1, 1))]
    figure = figure_of(photograph(), caption, "A $\\frac$ <dog>.")
    titles = [panel.get_title() for panel in figure.axes[:3]]
    assert titles == ["", "a  0.50", "$\\frac$ <dog>  0.12"]
    assert figure.get_suptitle() == "A $\\frac$ <dog>."
    pixels(figure)  # between dollars, mathematics would be read


def test_words_of_a_figure_share_a_scale_which_the_bar_states():
    weak, strong = looking_at(3, 3, 0.15), looking_at(3, 3, 0.3)
    caption = [Word("weak", 0.5, weak), Word("strong", 0.5, strong)]
    figure = figure_of(photograph(), caption, "Weak strong.")
    centres = []
    for panel in (1, 2):
        image = rendered(figure, panel)
        y, x = image.shape[0] // 2, image.shape[1] // 2
        centres.append(image[y - 5 : y + 5, x - 5 : x + 5].mean())
    assert centres[1] > centres[0] + 20
    bar = figure.axes[-1]
    assert bar.get_xlim() == pytest.approx((0, 0.3 * 49))
    assert bar.get_xlabel() == "attention (1× = even over all 49 regions)"
    figure.draw_without_rendering()
    assert [label.get_text() for label in bar.get_xticklabels()][:3] == ["0×", "3×", "6×"]


@pytest.mark.parametrize("count", [1, 4, 13, 25])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_nothing_of_a_figure_overlaps_or_leaves_it(size, count):
    caption = [Word("internationalisations", 0.5, looking_at(3, 3))] * count
    title = "A sentence of WIDE LETTERS, " * 5
    figure = figure_of(photograph(size), caption, title)
    figure.draw_without_rendering()
    texts = [figure._suptitle, *(panel.title for panel in figure.axes[1 : count + 1])]
    boxes = [text.get_window_extent() for text in texts]
    boxes += [panel.bbox for panel in figure.axes[: count + 1]]
    boxes.append(figure.axes[-1].get_tightbbox())
    for box in boxes:
        assert box.x0 >= -0.5 and box.x1 <= figure.bbox.x1 + 0.5
        assert box.y0 >= -0.5 and box.y1 <= figure.bbox.y1 + 0.5
    for i, box in enumerate(boxes):
        for other in boxes[:i]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            down = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(across, down) < 1
    assert figure.get_figwidth() <= 13.4


def test_long_captions_wrap_and_panels_fill_the_figure():
    caption = words((0, 0)) * 15
    for name, size in SIZES.items():
        figure = figure_of(photograph(size), caption, "Sixteen panels.")
        boxes = [panel.get_position() for panel in figure.axes[:16]]
        assert len({round(box.y0, 3) for box in boxes}) > 1, name
        if name != "tall":  # whose labels are wider than its panels
            assert sum(box.width * box.height for box in boxes) > 0.4, name


def test_a_strip_is_one_row():
    figure = strip(photograph(), words(*[(0, 0)] * 10), "Ten words.")
    boxes = [panel.get_position() for panel in figure.axes[:11]]
    assert len({round(box.y0, 6) for box in boxes}) == 1
    assert figure.get_figwidth() > 4 * figure.get_figheight()


def test_a_picture_of_an_answer_is_the_mean_of_its_words():
    both = picture(photograph(), words((1, 1), (5, 5)), "What is it? A dog.")
    assert len(both.axes) == 2  # a panel and the colour bar
    expected = heat_of((looking_at(1, 1) + looking_at(5, 5)) / 2, (70, 70))
    image = np.asarray(Image.fromarray(rendered(both, 0)).convert("L").resize((70, 70)), float)
    hot = image[expected > expected.max() / 2].mean()
    assert hot > image[expected < 1].mean() + 40
    for region in ((15, 15), (55, 55)):
        assert image[region] > hot
    one = picture(photograph(), words((1, 5)), "What is it? A dog.")
    assert_within_region(brightest(rendered(one, 0)), 1, 5)


@pytest.mark.parametrize("size", [(2000, 3), (3, 2000), (1, 1)])
def test_odd_photographs(size, tmp_path):
    for suffix in (".png", ".gif", ".html"):
        caption = Caption("One two.", words((1, 1), (2, 2)))
        overlay.save(Image.new("RGB", size), caption, tmp_path / f"out{suffix}")


def test_figures_need_no_global_state():
    code = "import sys, captioner.overlay.figure; sys.exit('matplotlib.pyplot' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


# Animations


def test_the_picture_of_an_answer_is_titled_with_the_question(tmp_path):
    answer = Caption("one two", words((1, 1), (5, 5)))
    overlay.save(photograph(), answer, tmp_path / "o.png", "What is <it>?")
    expected = picture(photograph(), answer.words, "What is <it>? → one two")
    assert (np.asarray(Image.open(tmp_path / "o.png").convert("RGB")) == pixels(expected)).all()
