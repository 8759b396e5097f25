"""Where it looked: the heat lies where the attention was, in every form."""

import base64
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys

from captioner import overlay
from captioner.data.images import ImageError
from captioner.overlay.alignment import alignment
from captioner.overlay.animation import animation
from captioner.overlay.figure import figure as figure_of
from captioner.overlay.figure import picture, strip
from captioner.overlay.heat import blend, scale
from captioner.overlay.heat import heat as heat_of
from captioner.overlay.heat import layer as layer_of
from captioner.overlay.page import describe
from captioner.overlay.page import page as page_of

SIZES = {"portrait": (120, 180), "landscape": (240, 160), "panorama": (360, 60), "tall": (50, 300)}


class Word(NamedTuple):
    word: str
    probability: float
    attention: np.ndarray


class Caption(NamedTuple):
    text: str
    words: list[Word]


def looking_at(row, column, share=0.8, shape=(7, 7)):
    """A map with one hot region; the others share the rest alike."""
    attention = np.full(shape, (1 - share) / (shape[0] * shape[1] - 1), "float32")
    attention[row, column] = share
    return attention


def words(*places):
    names = "zero one two three four five six seven eight nine".split()
    return [Word(names[i], (i + 1) / 20, looking_at(*place)) for i, place in enumerate(places)]


def photograph(size=(240, 160)):
    """Noise in grey: neither dark nor bright anywhere, and no colour but what is laid over it."""
    grey = np.random.default_rng(0).normal(128, 20, size[::-1]).clip(0, 255)
    return Image.fromarray(grey.astype("uint8")).convert("RGB")


def red(photograph):
    """The same photograph in shades of red."""
    grey = photograph.convert("L")
    half = grey.point(lambda value: value // 2)
    return Image.merge("RGB", (grey, half, half))


def pixels(figure):
    """What a figure looks like, `uint8[H, W, 3]`."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def rendered(figure, panel):
    """What a panel of a figure looks like, `uint8[H, W, 3]`."""
    image = pixels(figure)
    height, width = image.shape[:2]
    box = figure.axes[panel].get_position()
    rows = slice(round((1 - box.y1) * height), round((1 - box.y0) * height))
    return image[rows, round(box.x0 * width) : round(box.x1 * width)]


def brightest(image):
    """The centre (x, y) of the brightest pixels of `[H, W(, 3)]`, as parts of its size."""
    light = image.reshape(*image.shape[:2], -1).mean(axis=-1)
    rows, columns = np.nonzero(light >= np.quantile(light, 0.998))
    return (columns.mean() + 0.5) / light.shape[1], (rows.mean() + 0.5) / light.shape[0]


def assert_within_region(place, row, column, shape=(7, 7)):
    x, y = place
    assert column / shape[1] < x < (column + 1) / shape[1]
    assert row / shape[0] < y < (row + 1) / shape[0]


# The heat


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("region", [(0, 0), (0, 6), (6, 0), (2, 4), (5, 1), (3, 3)])
def test_heat_lies_where_the_region_lies_in_the_original(size, region):
    heat = heat_of(looking_at(*region), size)
    assert heat.shape == size[::-1]
    assert_within_region(brightest(heat), *region)


def test_heat_of_a_grid_that_is_not_square():
    heat = heat_of(looking_at(1, 4, shape=(3, 9)), (180, 120))
    assert_within_region(brightest(heat), 1, 4, shape=(3, 9))


def test_heat_is_in_units_of_even_attention():
    even = np.full((7, 7), 1 / 49)
    assert heat_of(even, (60, 40)) == pytest.approx(1)
    # At the centre of a region it is what the region has, in multiples of 1 / R.
    assert heat_of(looking_at(3, 3, 0.4), (63, 63))[31, 31] == pytest.approx(0.4 * 49, rel=0.02)
    # Enlarging neither adds nor takes attention, beyond what the clipped ripples add.
    assert heat_of(looking_at(2, 4, 0.2), (210, 70)).mean() == pytest.approx(1, rel=0.02)


def test_heat_does_not_ring_below_zero_and_is_smooth():
    heat = heat_of(looking_at(3, 3, 1.0), (210, 210))
    assert heat.min() == 0
    assert np.abs(np.diff(heat, axis=0)).max() < heat.max() / 20  # no edges of regions


def test_heat_keeps_the_order_of_regions():
    attention = np.random.default_rng(0).dirichlet(np.ones(4)).reshape(2, 2)
    heat = heat_of(attention, (200, 100))
    corners = heat[[10, 10, 90, 90], [10, 190, 10, 190]]
    assert list(corners.argsort()) == list(attention.ravel().argsort())


def test_the_scale_is_shared_and_has_a_least_end():
    maps = [looking_at(0, 0, 0.1), looking_at(0, 0, 0.3), looking_at(0, 0, 0.2)]
    assert scale(maps) == pytest.approx(0.3 * 49)
    assert scale([np.full((7, 7), 1 / 49)]) == 2
    assert scale([looking_at(0, 0, 1.9 / 49)]) == 2


def test_more_attention_is_brighter_and_denser():
    values = np.linspace(0, 0.24, 7)[None] / 7
    layer = np.asarray(layer_of(np.repeat(values, 7, axis=0), (7, 7), 0.24 * 7)).astype(int)
    assert (np.diff(layer[0].sum(axis=-1)) > 0).all()
    assert (np.diff(layer[0, :, 3]) > 0).all()
    assert layer[..., 3].min() > 0 and layer[..., 3].max() < 255  # the photograph shows through


def test_the_photograph_stays_recognisable_under_the_heat_and_loses_its_colours():
    photo = photograph()
    cold = np.asarray(blend(red(photo), looking_at(6, 6), 0.8 * 49))[:100, :180]
    assert np.ptp(cold.astype(int), axis=-1).max() < 8
    # What is left of the photograph's contrast, beside the heat over an even grey.
    flat = Image.new("RGB", photo.size, (128, 128, 128))
    hot, even = (
        np.asarray(blend(image, looking_at(3, 3), 0.8 * 49).convert("L"), float)
        for image in (photo, flat)
    )
    contrast = np.asarray(photo.convert("L"), float) - 128
    for part, least in ((np.s_[:40, :60], 0.6), (np.s_[70:90, 110:130], 0.2)):  # cold and hot
        kept = np.polyfit(contrast[part].ravel(), (hot - even)[part].ravel(), 1)[0]
        assert least < kept < 1


# Figures


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


def test_a_page_escapes_what_it_is_given():
    evil = '<script>alert("&")</script>\'"'
    caption = [Word(evil, 0.5, looking_at(0, 0)), Word("$limit", 0.5, looking_at(1, 1))]
    page = page_of(photograph(), caption, evil)
    assert page.count("<script") == 1 and "alert(&quot;" in page
    tags = re.sub(r"base64,[^\"]*", "", page)
    assert 'alert("' not in tags
    assert "$limit" in page
    for attribute in re.findall(r'(?:alt|data-look)="([^"]*)"', page):
        assert "<" not in attribute


def test_a_page_holds_all_it_needs(tmp_path):
    secret = tmp_path / "secret-name.jpg"
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    photograph((1500, 900)).save(secret, exif=exif)
    page = page_of(secret, words((0, 0), (6, 6)), "Two words.")
    written = re.sub(r"base64,[^\"]*", "", page)
    assert not re.search(r"https?:|://|@import|url\(", written)
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "default-src 'none'" in page
    assert "secret" not in written
    kinds = re.findall(r'src="data:image/(\w+);base64,([^"]*)"', page)
    assert [kind for kind, _ in kinds] == ["jpeg", "png", "png"]
    jpeg, *heats = (Image.open(io.BytesIO(base64.b64decode(data))) for _, data in kinds)
    assert jpeg.size == (1000, 600) and not jpeg.getexif()
    for heat, region in zip(heats, ((0, 0), (6, 6)), strict=True):
        assert_within_region(brightest(np.asarray(heat.convert("RGBA"))[..., 3]), *region)


@pytest.mark.parametrize(
    ("region", "place"),
    [((0, 0), "upper left"), ((1, 3), "top"), ((3, 3), "centre"), ((2, 6), "right")]
    + [((6, 2), "bottom"), ((5, 1), "lower left"), ((6, 6), "lower right")],
)
def test_a_look_is_told_in_words(region, place):
    text = describe(Word("dog", 0.456, looking_at(*region, 0.2)))
    assert text == f"dog: probability 0.46, looked most at the {place}, 9.8 times an even look"


def test_an_even_look_is_told_in_words():
    text = describe(Word("a", 0.9, looking_at(0, 0, 1.4 / 49)))
    assert text == "a: probability 0.90, looked all over the photograph"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium without a window and without a network."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("Chromium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    flags = (
        "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    )
    for flag in f"{flags} disable-component-update disable-sync window-size=1000,900".split():
        options.add_argument(f"--{flag}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield driver
    driver.quit()


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def opened(browser, tmp_path, request):
    """A page of three words: the browser, their buttons and a function that looks at the page."""
    path = tmp_path / "out.html"
    caption = Caption("Zero one two.", words((0, 0), (1, 5), (5, 2)))
    overlay.save(red(photograph(request.param)), caption, path)
    browser.get(path.as_uri())
    view, look = (browser.find_element("id", name) for name in ("view", "look"))
    browser.execute_script("arguments[0].style.borderRadius = 0", view)
    buttons = browser.find_elements("tag name", "button")

    def shown():
        """What the page says, and its picture `uint8[H, W, 3]` when the heat has faded in."""
        browser.execute_async_script("setTimeout(arguments[0], 300)")
        image = Image.open(io.BytesIO(view.screenshot_as_png)).convert("RGB")
        # Without the white of the page, of which a screenshot has a trace at the edges.
        return look.text, np.asarray(image)[1:-1, 1:-1]

    yield browser, buttons, shown
    requests = browser.execute_script("return performance.getEntriesByType('resource')")
    assert all(request["name"].startswith("data:") for request in requests)
    assert browser.get_log("browser") == []


def is_red(image):
    return (image[..., 0] > image[..., 2].astype(int) + 20).mean() > 0.9


def is_grey(image):
    return np.ptp(image.astype(int), axis=-1).max() < 12  # JPEG and the scaling leave a trace


def test_the_mouse_lights_the_region_of_a_word(opened):
    browser, buttons, shown = opened
    text, before = shown()
    assert text.startswith("Point at a word")
    assert is_red(before)
    for button, region, place in ((1, (1, 5), "upper right"), (2, (5, 2), "bottom")):
        ActionChains(browser, duration=0).move_to_element(buttons[button]).perform()
        text, image = shown()
        assert_within_region(brightest(image), *region)
        assert f"looked most at the {place}," in text
        assert is_grey(image[:40, :40])
    title = browser.find_element("tag name", "h1")
    ActionChains(browser, duration=0).move_to_element(title).perform()
    text, image = shown()
    assert text.startswith("Point at a word")
    assert is_red(image)


def test_the_keyboard_lights_the_region_of_a_word(opened):
    browser, buttons, shown = opened
    for key, position, region in (
        (Keys.TAB, 0, (0, 0)),
        (Keys.TAB, 1, (1, 5)),
        (Keys.ARROW_RIGHT, 2, (5, 2)),
        (Keys.ARROW_RIGHT, 2, (5, 2)),  # the last one
        (Keys.ARROW_LEFT, 1, (1, 5)),
        (Keys.HOME, 0, (0, 0)),
        (Keys.END, 2, (5, 2)),
    ):
        ActionChains(browser, duration=0).send_keys(key).perform()
        assert browser.switch_to.active_element == buttons[position]
        assert buttons[position].value_of_css_property("outline-style") == "solid"
        text, image = shown()
        assert text.startswith(("zero: ", "one: ", "two: ")[position])
        assert_within_region(brightest(image), *region)
    ActionChains(browser, duration=0).send_keys(Keys.ESCAPE).perform()
    text, image = shown()
    assert text.startswith("Point at a word")
    assert is_red(image)


@pytest.mark.parametrize("opened", [SIZES["landscape"]], indirect=True)
def test_a_page_can_be_heard(opened):
    browser, buttons, _ = opened
    photo, *heats = browser.find_elements("css selector", "#view img")
    assert photo.accessible_name == "The photograph"
    assert [heat.get_dom_attribute("alt") for heat in heats] == [""] * 3  # told in words instead
    assert [button.accessible_name for button in buttons] == ["zero 0.05", "one 0.10", "two 0.15"]
    group = browser.find_element("id", "words")
    assert (group.aria_role, group.accessible_name) == (
        "group",
        "The words, each with its probability",
    )
    assert browser.find_element("id", "look").get_dom_attribute("aria-live") == "polite"


# Files


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".png", b"\x89PNG"),
        (".jpg", b"\xff\xd8"),
        (".JPEG", b"\xff\xd8"),
        (".pdf", b"%PDF"),
        (".svg", b"<?xml"),
        (".gif", b"GIF89a"),
        (".html", b"<!DOCTYPE html>"),
    ],
)
def test_save_chooses_by_suffix(tmp_path, suffix, start):
    path = tmp_path / f"out{suffix}"
    overlay.save(photograph(), Caption("One.", words((0, 0))), path)
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["out.webp", "out", "png"])
def test_save_refuses_an_unknown_suffix(tmp_path, name):
    with pytest.raises(ValueError) as error:
        overlay.save(photograph(), Caption("One.", words((0, 0))), tmp_path / name)
    expected = "unknown suffix; use one of .png, .jpg, .jpeg, .pdf, .svg, .gif, .html"
    assert str(error.value) == f"{tmp_path / name}: {expected}"
    assert list(tmp_path.iterdir()) == []


def test_save_names_a_photograph_that_is_missing(tmp_path):
    with pytest.raises(ImageError, match="missing.jpg"):
        overlay.save(tmp_path / "missing.jpg", Caption("One.", words((0, 0))), tmp_path / "o.png")


# Questions


def test_the_picture_of_an_answer_is_titled_with_the_question(tmp_path):
    answer = Caption("one two", words((1, 1), (5, 5)))
    overlay.save(photograph(), answer, tmp_path / "o.png", "What is <it>?")
    expected = picture(photograph(), answer.words, "What is <it>? → one two")
    assert (np.asarray(Image.open(tmp_path / "o.png").convert("RGB")) == pixels(expected)).all()


def test_a_page_shows_the_question_and_escapes_it(tmp_path):
    answer = Caption("red", words((0, 0)))
    overlay.save(photograph(), answer, tmp_path / "o.html", "what $limit is <script>?")
    page = (tmp_path / "o.html").read_text()
    for tag in ("h1", "title"):
        assert f"<{tag}>what $limit is &lt;script&gt;? → red</{tag}>" in page


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


@pytest.mark.parametrize("suffix", [".png", ".gif", ".html"])
def test_an_endless_question_with_broken_characters(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    question = "what \ud800 is" + 10_000 * " it" + 10_000 * "t"
    overlay.save(photograph(), Caption("red", words((0, 0))), path, question)
    if suffix != ".html":
        with Image.open(path) as image:
            assert max(image.size) < 2_000
    else:
        (heading,) = re.findall("<h1>(.*)</h1>", path.read_text())
        assert heading.startswith("what ? is it it") and heading.endswith(" it … → red")


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
