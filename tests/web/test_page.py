"""The page, as a browser shows it, with the weights that ship."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.cbook import get_sample_data
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.support.wait import WebDriverWait
from skimage import data

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address():
    """Of a server, which must stop cleanly when it is told to."""
    command = [sys.executable, "-m", "captioner", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        yield re.search(r"http://127\.0\.0\.1:\d+/", server.stderr.readline())[0]
        server.terminate()
        assert server.wait(20) in (0, -15) and server.stderr.read() == ""


@pytest.fixture
def opened(browser, address):
    """The page, and a function that waits for an element; nothing was fetched from elsewhere."""
    browser.get(address)

    def wait(selector):
        return WebDriverWait(browser, 60).until(
            lambda driver: driver.find_element("css selector", selector)
        )

    yield browser, wait
    fetched = browser.execute_script("return performance.getEntries().map((entry) => entry.name)")
    urls = [name for name in fetched if "://" in name]
    assert urls and all(url.startswith((address, f"blob:{address}")) for url in urls)
    errors = [entry for entry in browser.get_log("browser") if "422" not in entry["message"]]
    assert errors == []
    browser.set_window_size(1000, 900)


def test_a_photograph_is_captioned_and_asked_about_by_mouse(opened):
    browser, wait = opened
    photo = get_sample_data("grace_hopper.jpg", asfileobj=False)
    browser.find_element("id", "photo").send_keys(str(photo))
    said = wait("#caption h3")
    assert "hat" in said.text and said.text.endswith(".")
    assert re.fullmatch(r"Such captions are right in about \d+ of 10 cases\.", wait(".sure").text)
    buttons = browser.find_elements("css selector", "#caption .words button")
    assert len(buttons) == len(said.text.split())
    hat = next(button for button in buttons if button.text.startswith("hat"))
    ActionChains(browser, duration=0).move_to_element(hat).perform()
    assert "looked most at the" in browser.find_element("css selector", "#caption .told").text
    assert len(browser.find_elements("css selector", "#caption .heat.lit")) == 1
    browser.find_element("id", "question").send_keys("what color is the hat?")
    browser.find_element("css selector", "#ask button").click()
    assert wait("#answers h3").text == "black"
    assert wait("#answers .asked").text == "what color is the hat?"


def test_the_keyboard_is_enough(opened):
    browser, wait = opened
    keys = ActionChains(browser, duration=0)
    for _ in range(3):
        keys.send_keys(Keys.TAB)
    keys.perform()
    assert browser.switch_to.active_element.get_attribute("id") == "example"
    ActionChains(browser, duration=0).send_keys(Keys.ENTER).perform()
    said = wait("#caption h3")
    WebDriverWait(browser, 10).until(lambda driver: driver.switch_to.active_element == said)
    ActionChains(browser, duration=0).send_keys(Keys.TAB).perform()
    first = browser.switch_to.active_element
    assert first.text.split()[0] == said.text.split()[0].lower()
    ActionChains(browser, duration=0).send_keys(Keys.END, Keys.TAB, Keys.TAB).perform()
    assert browser.switch_to.active_element.get_attribute("id") == "question"
    ActionChains(browser, duration=0).send_keys("who is it?", Keys.ENTER).perform()
    assert wait("#answers h3").text


def test_a_file_that_is_no_photograph_is_told(opened, tmp_path):
    browser, wait = opened
    (tmp_path / "letter.jpg").write_text("Dear Ann")
    browser.find_element("id", "photo").send_keys(str(tmp_path / "letter.jpg"))
    error = WebDriverWait(browser, 30).until(lambda driver: driver.find_element("id", "error").text)
    assert error.startswith("the photograph: empty or not an image of a known format")
    assert browser.find_element("id", "error").get_dom_attribute("role") == "alert"
    assert not browser.find_elements("css selector", "#caption h3")


def test_a_telephone_needs_no_sideways_scrolling(opened, tmp_path):
    from PIL import Image

    browser, wait = opened
    # A window of Chromium is no narrower than 500 pixels, a telephone is.
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        Image.fromarray(data.coffee()).save(tmp_path / "coffee.png")
        browser.find_element("id", "photo").send_keys(str(tmp_path / "coffee.png"))
        assert "coffee" in wait("#caption h3").text
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width == 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_photograph_is_dropped_or_pasted(opened):
    browser, wait = opened
    browser.execute_async_script(
        """
        const done = arguments[0];
        fetch("example").then((response) => response.blob()).then((blob) => {
          const data = new DataTransfer();
          data.items.add(new File([blob], "a.jpg", { type: "image/jpeg" }));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
          done();
        });
        """
    )
    assert "hat" in wait("#caption h3").text
