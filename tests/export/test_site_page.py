"""The page in Chromium, as people use it: the static one, and that of the server."""

import re
import shutil

import chromium
import numpy as np
import pytest
from pages import QUESTION, Host, Page
from PIL import Image
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.actions import interaction
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.support.wait import WebDriverWait
from skimage import data

from captioner.cli.requests import EXAMPLE

pytestmark = pytest.mark.slow
MEGABYTE = 1e6
both = pytest.mark.parametrize("page_kind", ["static", "served"], indirect=True)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Paths of different photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("coffee", "astronaut", "chelsea", "rocket"):
        image = Image.fromarray(getattr(data, name)()).resize((1600, 1200))
        image.save(folder / f"{name}.jpg")
    return sorted(folder.iterdir())


def press(driver, *keys):
    ActionChains(driver, duration=0).send_keys(*keys).perform()


def error_of(page):
    return page.wait("#error", 30)


@both
def test_a_photograph_is_captioned_and_asked_about_by_mouse(page, expected):
    said, answer = page.choose(EXAMPLE), expected[1]
    assert said == expected[0]
    assert re.fullmatch(
        r"P\w+ \w+\. Such captions are right in about \d+ of 10 cases\.",
        page.wait("#caption .sure"),
    )
    buttons = page.driver.find_elements("css selector", "#caption .words button")
    assert len(buttons) == len(said.split())
    ActionChains(page.driver, duration=0).move_to_element(buttons[1]).perform()
    assert page.find("#caption .told").text.startswith(f"{said.split()[1]}: probability 0.")
    assert len(page.driver.find_elements("css selector", "#caption .heat.lit")) == 1
    page.find("#question").send_keys(QUESTION)
    page.find("#ask button").click()
    assert page.wait("#answers h2") == answer
    assert page.find("#answers .asked").text == QUESTION


def test_the_heat_is_that_of_overlays(page):
    from captioner.overlay.heat import layer, scale

    rng = np.random.default_rng(0)
    attention = rng.dirichlet(np.full(64, 0.3)).reshape(8, 8)
    found = page.call(
        """
        const { heatLayer, heatLimit } = await load("heat.js");
        const { about } = await (await fetch("model.json")).json();
        const attention = Float32Array.from(values[0]);
        const canvas = heatLayer(attention, about, heatLimit([{ attention }]));
        return Array.from(canvas.getContext("2d").getImageData(0, 0, 80, 80).data);
        """,
        attention.ravel().tolist(),
    )
    expected = np.asarray(layer(attention, (80, 80), scale([attention])), int).reshape(-1, 4)
    found = np.array(found).reshape(-1, 4)
    assert np.abs(found - expected).max() <= 4  # a canvas multiplies colours by alpha


@both
def test_a_photograph_is_dropped(page, expected):
    page.drop("example.jpg")
    assert page.wait("#caption h2") == expected[0]


@both
def test_a_photograph_is_pasted(page, expected):
    page.call(
        """
        const blob = await (await fetch("example.jpg")).blob();
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([blob], "a.jpg", { type: "image/jpeg" }));
        document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
        """
    )
    assert page.wait("#caption h2") == expected[0]


def permit(page, name, setting):
    permission = {"permission": {"name": name}, "setting": setting, "origin": page.origin}
    page.driver.execute_cdp_cmd("Browser.setPermission", permission)


def test_a_camera_that_is_denied_is_told(page):
    permit(page, "camera", "denied")
    page.find("#take").click()
    assert error_of(page) == (
        "The camera is not allowed. Allow it in the settings of the browser, or choose a file."
    )
    assert not page.find("#camera").is_displayed()
    assert page.choose(EXAMPLE)
    assert page.find("#error").text == ""


@both
def test_the_camera_takes_a_photograph(page):
    permit(page, "camera", "granted")
    page.find("#take").click()
    WebDriverWait(page.driver, 20).until(
        lambda driver: driver.execute_script("return document.querySelector('video').videoWidth")
    )
    page.find("#shoot").click()
    assert page.wait("#caption h2")
    assert page.driver.execute_script("return document.querySelector('video').srcObject") is None


def test_the_camera_is_cancelled(page):
    permit(page, "camera", "granted")
    page.find("#take").click()
    WebDriverWait(page.driver, 20).until(lambda driver: page.find("#camera").is_displayed())
    press(page.driver, Keys.ESCAPE)
    WebDriverWait(page.driver, 20).until(lambda driver: not page.find("#camera").is_displayed())
    assert page.find("#error").text == ""
    assert not page.driver.find_elements("css selector", "#caption h2")


@both
def test_a_finger_lights_a_word(page):
    page.choose(EXAMPLE)
    button = page.find("#caption .words button")
    finger = PointerInput(interaction.POINTER_TOUCH, "finger")
    touch = ActionChains(page.driver, duration=0, devices=[finger])
    touch.w3c_actions.pointer_action.move_to(button).pointer_down().pointer_up()
    touch.perform()
    assert "lit" in button.get_attribute("class").split()
    assert len(page.driver.find_elements("css selector", "#caption .heat.lit")) == 1


def test_the_caption_is_copied(page):
    permit(page, "clipboard-read", "granted")
    permit(page, "clipboard-write", "granted")
    caption = page.choose(EXAMPLE)
    page.find("#caption .copy").click()
    WebDriverWait(page.driver, 10).until(lambda driver: page.find(".copy").text == "Copied")
    assert page.call("return navigator.clipboard.readText();") == caption


@both
def test_the_photographs_of_a_visit_are_shown_again(page, photographs):
    first = page.choose(photographs[0])
    page.find("#question").send_keys(QUESTION, Keys.ENTER)
    answer = page.wait("#answers h2")
    assert not page.find("#history").is_displayed()
    page.find("#photo").send_keys(str(photographs[1]))
    WebDriverWait(page.driver, 60).until(lambda driver: page.find("#history").is_displayed())
    second = page.find("#caption h2").text
    assert page.find("#answers").text == page.find("#question").get_property("value") == ""
    buttons = page.driver.find_elements("css selector", "#history button")
    assert [button.text for button in buttons] == [second, first]
    assert [button.get_dom_attribute("aria-current") for button in buttons] == ["true", "false"]
    buttons[1].click()
    assert (page.find("#caption h2").text, page.find("#answers h2").text) == (first, answer)
    assert page.driver.switch_to.active_element.text == first
    assert [button.get_dom_attribute("aria-current") for button in buttons] == ["false", "true"]


@pytest.mark.parametrize(
    ("confidence", "told"),
    [
        (0.75, "Probably right. Such captions are right in about 8 of 10 cases."),
        (0.4, "Perhaps right. Such captions are right in about 4 of 10 cases."),
        (0.2, "Probably wrong. Such captions are right in about 2 of 10 cases. It may show: dog."),
        (None, None),
    ],
)
def test_doubt_is_told_in_words(page, confidence, told):
    found = page.call(
        """
        const { captionView } = await load("view.js");
        const { about } = await (await fetch("model.json")).json();
        const caption = { text: "A dog.", confidence: values[0], concepts: [{ word: "dog" }],
          words: [], candidates: [] };
        const view = captionView(caption, about, new OffscreenCanvas(8, 8));
        return view.querySelector(".sure")?.textContent ?? null;
        """,
        confidence,
    )
    assert found == told


@both
@pytest.mark.parametrize("content", [b"", b"Dear Ann", EXAMPLE.read_bytes()[:500]])
def test_a_broken_file_is_told_and_the_next_one_is_captioned(page, tmp_path, content):
    (tmp_path / "broken.jpg").write_bytes(content)
    page.find("#photo").send_keys(str(tmp_path / "broken.jpg"))
    reasons = ("This file is damaged, or this browser", "the photograph: ", "photo is missing")
    assert error_of(page).startswith(reasons)
    assert page.find("#error").get_dom_attribute("role") == "alert"
    assert page.choose(EXAMPLE)
    assert page.find("#error").text == ""


def test_fifty_megapixels_are_captioned(page, tmp_path):
    cup = Image.fromarray(data.coffee()).resize((8660, 5774))
    cup.save(tmp_path / "large.jpg", quality=80)
    assert re.search("coffee|cup", page.choose(tmp_path / "large.jpg"))


@both
def test_the_keyboard_is_enough(page):
    press(page.driver, Keys.TAB, Keys.TAB, Keys.TAB)
    assert page.driver.switch_to.active_element.get_attribute("id") == "example"
    press(page.driver, Keys.ENTER)
    said = page.wait("#caption h2")
    WebDriverWait(page.driver, 10).until(
        lambda driver: driver.switch_to.active_element.text == said
    )
    press(page.driver, Keys.TAB, Keys.TAB)
    first = page.driver.switch_to.active_element
    assert first.text.split()[0] == said.split()[0].lower()
    press(page.driver, Keys.ARROW_RIGHT)
    assert page.driver.switch_to.active_element.text.split()[0] == said.split()[1]
    assert len(page.driver.find_elements("css selector", "#caption .heat.lit")) == 1
    press(page.driver, Keys.END, Keys.TAB, Keys.TAB)
    assert page.driver.switch_to.active_element.get_attribute("id") == "question"
    press(page.driver, "who is it?", Keys.ENTER)
    assert page.wait("#answers h2")


def violations(page, axe):
    page.driver.execute_script(axe)
    found = page.call("return (await axe.run()).violations;")
    return [(item["id"], [node["html"] for node in item["nodes"]]) for item in found]


@both
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(page, axe, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        dark = page.driver.execute_script(
            "return getComputedStyle(document.body).backgroundColor === 'rgb(23, 23, 26)'"
        )
        assert dark == (scheme == "dark")
        assert violations(page, axe) == []
        page.choose(EXAMPLE)
        page.choose(EXAMPLE)  # again, for the photographs of the visit
        page.find("#question").send_keys("who is it?", Keys.ENTER)
        page.wait("#answers h2")
        assert page.find("#history").is_displayed()
        assert violations(page, axe) == []
        permit(page, "camera", "granted")
        page.find("#take").click()
        WebDriverWait(page.driver, 20).until(lambda driver: page.find("#camera").is_displayed())
        assert violations(page, axe) == []
        page.find("#cancel").click()
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@both
def test_a_telephone_needs_no_sideways_scrolling(page, photographs):
    # A window of Chromium is no narrower than 500 pixels, a telephone is.
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.choose(photographs[0])
        question = ", ".join(["what is <i>this</i>"] * 20)
        page.find("#question").send_keys(question, Keys.ENTER)
        page.wait("#answers h2")
        assert page.find("#answers .asked").text == question
        width = page.driver.execute_script("return document.documentElement.scrollWidth")
        assert width == 360
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_works_without_its_host(browser, exported, expected):
    host = Host(exported)
    page = Page(browser, host.address)
    page.wait("#offline")
    host.stop()
    browser.get(host.address)  # a reload
    assert page.call("return self.crossOriginIsolated;")  # so the model may use several threads
    assert page.choose(EXAMPLE) == expected[0]
    page.find("#question").send_keys(QUESTION, Keys.ENTER)
    assert page.wait("#answers h2") == expected[1]
    assert page.find("footer a").get_attribute("href").startswith(host.address)


@pytest.fixture
def fresh_page(browser, host, tmp_path):
    """The page in a browser that has shown no other before; `browser` says whether there is one."""
    driver = chromium.start(tmp_path)
    yield Page(driver, host.address)
    driver.quit()


def test_fifty_photographs_leave_the_memory_small(fresh_page, host, photographs):
    folder = host.folder / "photographs"
    folder.mkdir()
    for path in photographs:
        shutil.copy(path, folder)
    for i in range(50):
        fresh_page.drop(f"/photographs/{photographs[i % len(photographs)].name}")
    assert fresh_page.memory() < 400 * MEGABYTE


@both
def test_a_photograph_that_comes_meanwhile_is_the_one_captioned(page, photographs):
    chelsea = next(path for path in photographs if path.stem == "chelsea")
    coffee = next(path for path in photographs if path.stem == "coffee")
    alone = page.choose(coffee)
    page.find("#photo").send_keys(str(chelsea))
    assert page.choose(coffee) == alone
    assert len(page.driver.find_elements("css selector", "#caption h2")) == 1
