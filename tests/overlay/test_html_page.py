"""Pages, as a browser shows them."""

import base64
import io
import re

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
    red,
    words,
)
from PIL import Image
from selenium.webdriver import ActionChains, Keys

from captioner import overlay
from captioner.overlay.html_page import describe
from captioner.overlay.html_page import page as page_of


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
    assert [kind for kind, _ in kinds] == ["jpeg", "png", "png", "png"]
    jpeg, *heats, _ = (Image.open(io.BytesIO(base64.b64decode(data))) for _, data in kinds)
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


# Calls back when nothing fades any more.
FADED = """
const done = arguments[0], frame = requestAnimationFrame;
frame(() => Promise.all(document.getAnimations().map((fade) => fade.finished)).then(
  () => frame(() => frame(done))));
"""


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def opened(browser, tmp_path, request):
    """A page of three words: the browser, their buttons and a function that looks at the page."""
    path = tmp_path / "out.html"
    caption = Caption("Zero one two.", words((0, 0), (1, 5), (5, 2)))
    overlay.save(red(photograph(request.param)), caption, path)
    browser.get(path.as_uri())
    view, look = (browser.find_element("css selector", name) for name in (".view", ".told"))
    browser.execute_script("arguments[0].style.borderRadius = 0", view)
    buttons = browser.find_elements("tag name", "button")

    def shown():
        """The text of the page, and its picture `uint8[H, W, 3]` after the heat has faded in."""
        browser.execute_async_script(FADED)
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


@pytest.mark.parametrize("opened", [SIZES["portrait"]], indirect=True)
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
    photo, *heats = browser.find_elements("css selector", ".view img")
    assert photo.accessible_name == "The photograph"
    assert [heat.get_dom_attribute("alt") for heat in heats] == [""] * 3  # told in words instead
    assert [button.accessible_name for button in buttons] == ["zero 0.05", "one 0.10", "two 0.15"]
    group = browser.find_element("css selector", ".words")
    assert (group.aria_role, group.accessible_name) == (
        "group",
        "The words, each with its probability",
    )
    assert browser.find_element("css selector", ".told").get_dom_attribute("aria-live") == "polite"


# Files


def test_a_page_shows_the_question_and_escapes_it(tmp_path):
    answer = Caption("red", words((0, 0)))
    overlay.save(photograph(), answer, tmp_path / "o.html", "what $limit is <script>?")
    page = (tmp_path / "o.html").read_text()
    for tag in ("h1", "title"):
        assert f"<{tag}>what $limit is &lt;script&gt;? → red</{tag}>" in page


# Notebooks


def test_a_caption_shows_itself_in_a_notebook(toy, tmp_path):
    photo = tmp_path / "photo.png"
    photograph((900, 600)).save(photo)
    one, other = toy().caption([photo, Image.open(photo)])
    for caption in (one, other):
        shown = caption._repr_html_()
        assert f"<strong>{caption.text}</strong>" in shown
        assert shown.count('class="heat" hidden') == len(caption.words)
        assert not re.search(r"https?:|://", re.sub(r"base64,[^\"]*", "", shown))
    jpeg = re.search(r"image/jpeg;base64,([^\"]*)", one._repr_html_())[1]
    assert Image.open(io.BytesIO(base64.b64decode(jpeg))).size == (480, 320)
    assert one._replace(photograph=None)._repr_html_() is None  # then a notebook shows its text


def test_several_captions_of_a_notebook_light_each_its_own(browser, tmp_path):
    from captioner.overlay.html_page import shown

    parts = [shown(photograph(), words((0, 0), (6, 6)), name) for name in ("One.", "Two.")]
    path = tmp_path / "notebook.html"
    path.write_text(f'<!DOCTYPE html><meta charset="utf-8">{"".join(parts)}', encoding="utf-8")
    browser.get(path.as_uri())
    buttons = browser.find_elements("css selector", ".words button")
    ActionChains(browser, duration=0).move_to_element(buttons[3]).perform()
    lit = [heat.get_attribute("class") for heat in browser.find_elements("class name", "heat")]
    assert lit == ["heat", "heat", "heat", "heat lit"]
    told = [look.text for look in browser.find_elements("css selector", ".told")]
    assert told[0].startswith("Point at") and told[1].startswith("one: ")
    assert browser.get_log("browser") == []


# The contrast of an element's text with what is painted behind it, as WCAG 2 has it.
CONTRAST = """
const pen = document.createElement("canvas").getContext("2d");
const layers = [];
for (let element = arguments[0]; element; element = element.parentElement) layers.unshift(element);
function luminance(colour) {
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((value) =>
    value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const behind = layers.map((element) => luminance(getComputedStyle(element).backgroundColor)).pop();
const text = luminance(getComputedStyle(arguments[0]).color);
return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
"""


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize("theme", ["#ffffff;color:rgba(0,0,0,.87)", "#111111;color:#d4d4d4"])
def test_a_notebook_can_be_read_in_any_theme(browser, tmp_path, system, theme):
    from captioner.overlay.html_page import shown

    part = shown(photograph(), words((0, 0), (6, 6)), "Two words.")
    page = f'<!DOCTYPE html><meta charset="utf-8"><body style="background:{theme}">{part}'
    (tmp_path / "notebook.html").write_text(page, encoding="utf-8")
    feature = {"name": "prefers-color-scheme", "value": system}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    try:
        browser.get((tmp_path / "notebook.html").as_uri())
        button = browser.find_element("css selector", ".words button")
        ActionChains(browser, duration=0).move_to_element(button).perform()
        places = "strong, .words button, .words small, .told, .scale, .note"
        found = browser.find_elements("css selector", places)
        assert len(found) == 8 and "lit" in button.get_attribute("class")
        for element in found:
            assert browser.execute_script(CONTRAST, element) >= 4.5, element.get_attribute("class")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
