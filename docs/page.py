"""Draws `docs/page.jpg`, a picture of the page for the README: `python docs/page.py`."""

import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import chromium
from pages import ROOT, Page, serve
from PIL import Image
from selenium.webdriver import ActionChains

from captioner.cli.requests import EXAMPLE

WORD = "coffee"  # under the mouse
SIZE = {"width": 900, "height": 912, "deviceScaleFactor": 1, "mobile": False}


def screenshot(page: Page) -> Image.Image:
    """The page with the example, its caption, and the attention of a word."""
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SIZE)
    page.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    page.choose(EXAMPLE)
    page.driver.execute_script("scrollTo(0, 0)")
    buttons = page.driver.find_elements("css selector", "#caption .words button")
    button = next(button for button in buttons if button.text.startswith(WORD))
    ActionChains(page.driver, duration=0).move_to_element(button).perform()
    page.call("await Promise.all(document.getAnimations().map((fade) => fade.finished));")
    return Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB")


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder, serve() as address:
        driver = chromium.start(folder)
        try:
            picture = screenshot(Page(driver, address))
        finally:
            driver.quit()
    picture.save(ROOT / "docs" / "page.jpg", quality=80, optimize=True)


if __name__ == "__main__":
    main()
