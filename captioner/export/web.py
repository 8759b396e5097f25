"""A static page that captions photographs in the browser, without a server.

The page and its modules lie in `site/`. Added to them are the graphs with 8-bit weights,
onnxruntime-web, the style of overlays, `model.json` with the settings for `model.js`, and
`service-worker.js`, which caches all files for use offline.
"""

import copy
import hashlib
import json
import shutil
import string
import tempfile
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from captioner import presets
from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.vocabulary import END, PAD, UNKNOWN
from captioner.export.equality import ExportError, photographs
from captioner.export.npm import Package
from captioner.export.page_files import SITE, about, shared_files
from captioner.export.quantize import quantize_weights
from captioner.generation import BEAM_WIDTH, prose
from captioner.generation.confidence import Calibration
from captioner.generation.reranking import LONGEST, UNSEEN
from captioner.generation.results import LIKELY
from captioner.runtime.graph import onnxruntime, read_weights  # with its telemetry off
from captioner.runtime.onnx_captioner import OnnxCaptioner

PRIVACY = "It does not leave this device."
FOOTER = """, with <a href="onnxruntime/LICENSE">onnxruntime</a> and its
<a href="onnxruntime/ThirdPartyNotices.txt">third-party notices</a>. <span id="offline"></span>"""
RUNTIME = Package(
    "onnxruntime-web",
    "1.30.0",
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
)
RUNTIME_FILES = ("dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm")
LICENSES = (
    "LICENSE",
    "ThirdPartyNotices.txt",
)  # of the Python package; that of npm has none
SERVICE_WORKER = "service-worker.js"
# Of the features, as a share of their norm. The weights that ship differ by 0.08.
TOLERANCE = 0.15


def export_site(preset: str | PathLike[str], output: str | PathLike[str]) -> float:
    """Write the page, for a preset that has graphs, to a new folder.

    Returns:
        How much the features of the 8-bit weights differ, as a share of their norm.

    Raises:
        PresetError: the preset cannot be read, or has no graphs.
        ExportError: the folder is there already, the runtime cannot be fetched, or the features
            differ by more than `TOLERANCE`.
    """
    output = Path(output)
    if output.exists():
        raise ExportError(f"{output}: already exists; choose a new folder")
    model = OnnxCaptioner.from_preset(preset)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        new = Path(temporary) / "site"
        shutil.copytree(SITE, new)
        add_graphs(preset, new)
        difference = _difference(model, with_graphs(model, new))
        (new / "model.json").write_text(json.dumps(settings(model)), encoding="utf-8")
        for name, content in shared_files(PRIVACY, FOOTER).items():
            (new / name).write_text(content, encoding="utf-8")
        _add_runtime(new / "onnxruntime")
        _finish_service_worker(new)
        new.replace(output)
    return difference


def settings(model: OnnxCaptioner) -> dict[str, Any]:
    """The settings for `model.js`, whose `Settings` describes them."""
    calibration = model.calibration or Calibration()
    return {
        "about": about(model),
        "size": model.config.image_size,
        "steps": model.steps,
        "beams": BEAM_WIDTH,
        "questionWords": model.config.max_question_words if model.answers else 0,
        "vocabulary": model.vocabulary.words,
        "tokens": {"padding": PAD, "end": END, "unknown": UNKNOWN},
        "likely": LIKELY,
        "prose": prose.tables(),
        "calibration": {
            **vars(calibration),
            "unseen": UNSEEN,
            "longest": LONGEST,
            "functionWords": sorted(FUNCTION_WORDS),
        },
    }


def add_graphs(preset: str | PathLike[str], new: Path) -> None:
    """Write the graphs of a preset, with 8-bit weights, to a folder.

    Raises:
        PresetError: the preset cannot be read.
    """
    folder = presets.find(preset)
    places = json.loads((folder / presets.GRAPHS).read_text(encoding="utf-8"))["weights"]
    for name in (presets.ENCODER_GRAPH, presets.SEARCH_GRAPH):
        graph = onnx.load(folder / name, load_external_data=False)
        _fill(graph, read_weights(folder / presets.WEIGHTS, places[name]))
        quantize_weights(graph)
        onnx.save(graph, new / name)


def _fill(graph: onnx.ModelProto, weights: Mapping[str, np.ndarray]) -> None:
    """Give a graph the weights that it shares with its preset."""
    for tensor in graph.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))


def with_graphs(model: OnnxCaptioner, folder: Path) -> OnnxCaptioner:
    """A captioner that runs the graphs which `add_graphs` wrote to a folder, as the page does."""
    changed: Any = copy.copy(model)
    changed._encoder, changed._search = (
        _runnable(folder / name) for name in (presets.ENCODER_GRAPH, presets.SEARCH_GRAPH)
    )
    return changed


def _runnable(path: Path) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as in `captioner.runtime.graph`
    # Float32 arithmetic, as `model.js` has it. Otherwise onnxruntime multiplies in 8 bits.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _difference(model: OnnxCaptioner, rounded: OnnxCaptioner) -> float:
    pictures = photographs(model.config.image_size)
    expected, found = model.encode(pictures), rounded.encode(pictures)
    difference = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    if not difference <= TOLERANCE:
        raise ExportError(
            f"with 8-bit weights its features differ by {difference:.0%}; nothing is written"
        )
    return difference


def _add_runtime(folder: Path) -> None:
    folder.mkdir()
    RUNTIME.extract(RUNTIME_FILES, folder)
    for path in folder.glob("*.mjs"):  # which some hosts do not know for JavaScript
        path.rename(path.with_suffix(".js"))
    for name in LICENSES:
        shutil.copy(Path(onnxruntime.__file__).with_name(name), folder)


def _finish_service_worker(new: Path) -> None:
    """Tell the service worker the files, and a release that changes when one of them does."""
    paths = sorted(path for path in new.rglob("*") if path.is_file())
    files = [path.relative_to(new).as_posix() for path in paths]
    release = hashlib.sha256()
    for name, path in zip(files, paths, strict=True):
        release.update(f"{name} {presets.sha256(path)}\n".encode())
    script = string.Template((new / SERVICE_WORKER).read_text(encoding="utf-8")).substitute(
        release=release.hexdigest()[:16],
        files=json.dumps([name for name in files if name != SERVICE_WORKER]),
    )
    (new / SERVICE_WORKER).write_text(script, encoding="utf-8")
