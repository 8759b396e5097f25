"""The static page, exported once, and that of the server, in the browser."""

import shutil

import pytest
from pages import PATH, QUESTION, Host, Page, serve

from captioner.cli.requests import EXAMPLE
from captioner.runtime.onnx_captioner import OnnxCaptioner


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
    from captioner.export.equality import ExportError
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
def reference(exported):
    """`OnnxCaptioner` on the 8-bit weights of the page."""
    from captioner.export.web import with_graphs

    return with_graphs(OnnxCaptioner.from_preset("everyday"), exported / PATH)


@pytest.fixture
def page_kind(request):
    """Of the page: "static", unless a test is for others as well."""
    return getattr(request, "param", "static")


@pytest.fixture
def expected(request, page_kind):
    """The caption of the page's example, and the answer to a question about it."""
    model = request.getfixturevalue("reference" if page_kind == "static" else "served_model")
    return [written.text for written in model.answer(EXAMPLE, [None, QUESTION])]


@pytest.fixture(scope="session")
def served_model():
    return OnnxCaptioner.from_preset("everyday")


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


@pytest.fixture(scope="session")
def server():
    with serve() as address:
        yield address


@pytest.fixture
def page(browser, request, page_kind):
    """The page, from which no request went elsewhere, and which logged no error."""
    if page_kind == "static":
        address = request.getfixturevalue("host").address
    else:
        address = request.getfixturevalue("server")
    opened = Page(browser, address)
    yield opened
    entries = browser.execute_script("return performance.getEntriesByType('resource')")
    assert entries
    allowed = (opened.origin, f"blob:{opened.origin}", "data:")
    assert [e["name"] for e in entries if not e["name"].startswith(allowed)] == []
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    # The server refuses what the page then tells.
    assert [entry for entry in errors if "status of 422" not in entry["message"]] == []
