"""The static page, exported once and served below a path, in the browser."""

import shutil

import pytest
from pages import PATH, QUESTION, Host, Page


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
def reference(exported):
    """`OnnxCaptioner` on the 8-bit weights of the page."""
    from captioner import presets
    from captioner.runtime.captioner import OnnxCaptioner

    [folder] = {path.parent for path in exported.rglob(presets.ENCODER_GRAPH)}
    model = OnnxCaptioner.from_preset("everyday")
    model._encoder, model._search = (
        _run(folder / name) for name in (presets.ENCODER_GRAPH, presets.SEARCH_GRAPH)
    )
    return model


def _run(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # As the page has it: float32 arithmetic. Otherwise onnxruntime multiplies in 8 bits.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))


@pytest.fixture(scope="session")
def expected(exported, reference):
    """The caption of the page's example, and the answer to a question about it."""
    example = str(exported / PATH / "example.jpg")
    return [written.text for written in reference.answer(example, [None, QUESTION])]


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


@pytest.fixture
def page(browser, host):
    """The page, from which no request went elsewhere, and which logged no error."""
    opened = Page(browser, host.address)
    yield opened
    entries = browser.execute_script("return performance.getEntriesByType('resource')")
    assert entries
    allowed = (host.address, f"blob:{host.address}", host.address.replace(PATH + "/", ""))
    assert [e["name"] for e in entries if not e["name"].startswith((*allowed, "data:"))] == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
