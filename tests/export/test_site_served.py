"""The page of the server, in which it differs from the static one."""

import re

import pytest
from pages import PATH, Host, Page, serve
from PIL import Image
from selenium.webdriver.support.wait import WebDriverWait
from skimage import data

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("page_kind", ["served"], indirect=True)
def test_the_server_reads_a_format_that_the_browser_does_not(page, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    lying = Image.fromarray(data.coffee()).transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "coffee.tiff", exif=exif)
    assert re.search("coffee|cup", page.choose(tmp_path / "coffee.tiff"))
    shown = page.find("#caption canvas.photograph")
    assert (shown.get_property("width"), shown.get_property("height")) == (600, 400)


def test_a_server_that_is_gone_is_told(browser, tmp_path):
    Image.fromarray(data.coffee()).save(tmp_path / "coffee.png")
    with serve() as address:
        page = Page(browser, address)
        WebDriverWait(browser, 20).until(lambda driver: page.find("#status").text == "")
    page.find("#photo").send_keys(str(tmp_path / "coffee.png"))
    assert page.wait("#error") == "The server cannot be reached; is it still running?"
    browser.get_log("browser")  # which has the connection that was refused


def test_a_static_page_that_was_at_the_address_is_gone(browser, exported):
    host = Host(exported / PATH, "")
    page = Page(browser, host.address)
    page.wait("#offline")
    host.stop()
    with serve(host.port) as address:
        assert address == host.address
        browser.get(address)  # the static one, which its service worker keeps
        WebDriverWait(browser, 30).until(
            lambda driver: "JSON interface" in page.find("footer").text
        )
        browser.get(address)
        assert "JSON interface" in page.find("footer").text
    browser.get_log("browser")
