"""The static page, its host, the server of the other page, and how tests use both in a browser."""

import contextlib
import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).parents[1]
PATH = "below/a/path"  # of the page on its host
QUESTION = "what is the table made of?"
# Drops a photograph on the page, and waits until its caption is there.
DROP = """
const blob = await (await fetch(values[0])).blob();
const dataTransfer = new DataTransfer();
dataTransfer.items.add(new File([blob], "a.jpg", { type: "image/jpeg" }));
const begun = performance.now();
document.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
while (!document.querySelector("#caption h2")) await new Promise(requestAnimationFrame);
return performance.now() - begun;
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Host:
    """A host of static files.

    Attributes:
        folder: whose files it serves.
        address: of the page, which lies at a path below it.
    """

    def __init__(self, folder, path=f"{PATH}/"):
        self.folder = folder
        handler = functools.partial(Quiet, directory=folder)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self._server.server_port
        self.address = f"http://127.0.0.1:{self.port}/{path}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def serve(port=0):
    """The address of `captioner serve`, which must stop cleanly when it is told to."""
    command = [sys.executable, "-m", "captioner", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        yield re.search(r"http://127\.0\.0\.1:\d+/", server.stderr.readline())[0]
        server.terminate()
        assert server.wait(20) in (0, -15) and server.stderr.read() == ""


class Page:
    """The page in the browser."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address
        self.origin = re.match(r"http://[^/]*/", address)[0]
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

    def drop(self, address):
        """Drop a photograph that the host has, and give the milliseconds until its caption."""
        return self.call(DROP, address)

    def memory(self):
        """The private memory of the process of the page, in bytes."""
        return max(map(_private_memory, self._renderers()))

    def cpu_seconds(self):
        """The processor time of the processes of the page, in seconds."""
        return sum(map(_cpu_seconds, self._renderers()))

    def _renderers(self):
        return filter(_is_renderer, _descendants(self.driver.service.process.pid))

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


def _descendants(process):
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            yield child
            yield from _descendants(child)


def _is_renderer(process):
    return b"--type=renderer" in Path(f"/proc/{process}/cmdline").read_bytes()


def _private_memory(process):
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    return 1024 * sum(map(int, re.findall(r"^Private_\w+:\s+(\d+)", rollup, re.MULTILINE)))


def _cpu_seconds(process):
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
