"""The static page, exported once and served below a path, and what opens it."""

import functools
import http.server
import shutil
import threading

import pytest
from selenium.webdriver.support.wait import WebDriverWait

PATH = "below/a/path"  # of the page on its host


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Host:
    """A host of static files.

    Attributes:
        folder: whose files it serves.
        address: of the page, which lies below it.
    """

    def __init__(self, folder):
        self.folder = folder
        handler = functools.partial(Quiet, directory=folder)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/{PATH}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="session")
def npm_offline():
    """npm, which takes packages from its cache alone."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("npm_config_offline", "true")
        yield


@pytest.fixture(scope="session")
def exported(npm_offline, tmp_path_factory):
    """A folder to serve, with the page of the weights that ship below `PATH`."""
    from captioner.export.check import ExportError
    from captioner.export.web import export_site

    folder = tmp_path_factory.mktemp("host")
    try:
        export_site("everyday", folder / PATH)
    except ExportError as error:
        if "npm cannot fetch" in str(error):
            pytest.skip("run `python tests/npm_packages.py` first, with a network")
        raise
    return folder


@pytest.fixture(scope="session")
def axe(npm_offline, tmp_path_factory):
    """The script of axe-core, which finds what keeps people out."""
    from npm_packages import AXE

    folder = tmp_path_factory.mktemp("axe")
    AXE.extract(["axe.min.js"], folder)
    return (folder / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def host(exported):
    started = Host(exported)
    yield started
    started.stop()


class Page:
    """The page in the browser."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address
        driver.get(address)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def wait(self, selector, seconds=60):
        """Wait for an element that shows a text, and give that."""
        return WebDriverWait(self.driver, seconds, 0.02).until(
            lambda driver: next(
                (e.text for e in driver.find_elements("css selector", selector) if e.text), None
            )
        )

    def choose(self, path):
        """Choose a file, and wait for its caption."""
        self.find("#photo").send_keys(str(path))
        return self.wait("#caption h2")

    def call(self, script, *values):
        """The value that an `async` function's body returns; modules lie beside the page."""
        result = self.driver.execute_async_script(
            f"""
            const done = arguments[arguments.length - 1];
            const values = Array.from(arguments).slice(0, -1);
            const load = (name) => import(new URL(name, document.baseURI));
            (async () => {{ {script} }})().then((value) => done({{ value }}),
              (error) => done({{ error: String(error) }}));
            """,
            *values,
        )
        assert "error" not in result, result["error"]
        return result["value"]


@pytest.fixture
def page(browser, host):
    """The page, from which no request went elsewhere, and which logged no error."""
    browser.set_script_timeout(300)
    opened = Page(browser, host.address)
    yield opened
    entries = browser.execute_script("return performance.getEntriesByType('resource')")
    assert entries
    allowed = (host.address, f"blob:{host.address}", host.address.replace(PATH + "/", ""))
    assert [e["name"] for e in entries if not e["name"].startswith((*allowed, "data:"))] == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
