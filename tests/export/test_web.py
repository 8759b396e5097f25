"""The static page as files: what is written, and what is refused."""

import json
import shutil

import pytest

from captioner import __version__, presets
from captioner.cli import main
from captioner.export import web
from captioner.export.equality import ExportError
from captioner.export.web import export_site, settings
from captioner.presets import PresetError
from captioner.runtime.onnx_captioner import OnnxCaptioner


@pytest.fixture(scope="module")
def model():
    return OnnxCaptioner.from_preset("everyday")


def test_the_page_is_told_what_the_model_is(model):
    told = json.loads(json.dumps(settings(model)))
    assert told["vocabulary"] == model.vocabulary.words
    assert told["vocabulary"][told["tokens"]["end"]] == "<end>"
    assert told["about"]["version"] == __version__
    assert told["about"]["grid"] == list(model.grid)
    assert told["about"]["answers"] and told["questionWords"] == model.config.max_question_words
    assert told["calibration"]["captions"] == list(model.calibration.captions)
    assert len(told["about"]["colours"]) == 256


def test_a_model_that_only_captions_says_so(model, monkeypatch):
    monkeypatch.setattr(OnnxCaptioner, "answers", False)
    monkeypatch.setattr(model, "calibration", None)
    told = settings(model)
    assert (told["about"]["answers"], told["questionWords"]) == (False, 0)
    assert told["calibration"]["captions"] is None


def service_worker(folder):
    """The cached files and the release of the service worker in a copy of a folder."""
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    web._finish_service_worker(copy)
    lines = (copy / web.SERVICE_WORKER).read_text().splitlines()
    shutil.rmtree(copy)
    values = [line.partition(" = ")[2].rstrip(";") for line in lines if line.startswith("const ")]
    return json.loads(values[0]), json.loads(values[1])


def test_the_service_worker_keeps_all_files_and_sees_each_change(tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(web.SITE, folder)
    (folder / "onnxruntime").mkdir()
    (folder / "onnxruntime/ort.js").write_text("run()")
    release, files = service_worker(folder)
    assert {"index.html", "captioner.js", "onnxruntime/ort.js"} < set(files)
    assert web.SERVICE_WORKER not in files and len(files) == len(set(files))
    assert service_worker(folder)[0] == release
    (folder / "onnxruntime/ort.js").write_text("run(1)")
    changed, _ = service_worker(folder)
    assert changed != release
    script = folder / web.SERVICE_WORKER
    script.write_text(script.read_text() + "\n")
    assert service_worker(folder)[0] not in (release, changed)


def test_all_modules_that_are_imported_are_there():
    """A page that lacks a file of its own works nowhere."""
    added = {"look.js", "look.css", "onnxruntime/ort.wasm.bundle.min.js"}
    there = {path.name for path in web.SITE.iterdir()} | added
    for path in web.SITE.glob("*.js"):
        for line in path.read_text().splitlines():
            if line.startswith("import "):
                assert line.split('"')[1].removeprefix("./") in there, f"{path.name}: {line}"


def test_a_folder_that_is_there_is_left_alone(tmp_path, capsys):
    call = ["export", "--format", "web", "--output", str(tmp_path)]
    assert main(call) == 1
    expected = f"captioner: {tmp_path}: already exists; choose a new folder\n"
    assert capsys.readouterr().err == expected
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_rounding_that_costs_too_much_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "TOLERANCE", 0.001)
    with pytest.raises(ExportError, match=r"its features differ by \d+%; nothing is written"):
        export_site("everyday", tmp_path / "site")
    assert not list(tmp_path.iterdir())


def test_a_preset_without_graphs_is_refused(tmp_path):
    folder = tmp_path / "preset"
    folder.mkdir()
    presets.write_json(folder / presets.METADATA, {"sha256": {}})
    with pytest.raises(PresetError, match="has no graphs; `captioner export` adds them"):
        export_site(folder, tmp_path / "site")
    assert not (tmp_path / "site").exists()
