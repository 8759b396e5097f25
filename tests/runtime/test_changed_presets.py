"""Presets whose files were changed and signed again: what does not go together ends in one line."""

import json

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from captioner import presets
from captioner.cli import main
from captioner.data.vocabulary import SPECIAL
from captioner.models.config import CaptionerConfig
from captioner.presets import PresetError
from captioner.runtime.onnx_captioner import OnnxCaptioner

CONFIG = CaptionerConfig(image_size=32, max_words=4, question_units=8, max_question_words=3)
WORDS = [*SPECIAL, "dog", "cat"]
GRAPHS = {"grid": [2, 3], "weights": {presets.ENCODER_GRAPH: {}, presets.SEARCH_GRAPH: {}}}


def graph(path, inputs, output, shape):
    """An ONNX model of these inputs, of types and shapes, whose one output is always zero."""
    zeros = helper.make_tensor("zeros", TensorProto.FLOAT, shape, np.zeros(shape, "float32"))
    described = [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)]
    node = helper.make_node("Constant", [], [output], value=zeros)
    model = helper.make_model(
        helper.make_graph([node], "toy", described, outputs),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.save(model, path)


@pytest.fixture
def preset(tmp_path):
    """The folder of a preset with graphs, and a function that changes one of its files."""
    files = {presets.CONFIG: CONFIG.to_json(), presets.VOCABULARY: WORDS, presets.GRAPHS: GRAPHS}
    with h5py.File(tmp_path / presets.WEIGHTS, "w") as file:
        file["decoder/embedding/vars/0"] = np.zeros((len(WORDS), 2))
    photographs = {"photographs": (TensorProto.UINT8, ["n", 32, 32, 3])}
    graph(tmp_path / presets.ENCODER_GRAPH, photographs, "features", [1, 6, 5])
    inputs = {
        "features": (TensorProto.FLOAT, ["n", 6, 5]),
        "uniform": (TensorProto.FLOAT, [5, "m", "k"]),
        "questions": (TensorProto.INT32, ["n", "m", 3]),
    }
    graph(tmp_path / presets.SEARCH_GRAPH, inputs, "attention", [1, 1, 5, 6])

    def sign(name=presets.CONFIG, value=CONFIG.to_json()):  # noqa: B008
        for file, content in {**files, name: value}.items():
            presets.write_json(tmp_path / file, content)
        names = (*presets.FILES, *presets.GRAPH_FILES)
        hashes = {name: presets.sha256(tmp_path / name) for name in names}
        presets.write_json(tmp_path / presets.METADATA, {"sha256": hashes})

    sign()
    return tmp_path, sign


def test_a_preset_whose_files_go_together_is_loaded(preset):
    model = OnnxCaptioner.from_preset(preset[0])
    assert (model.grid, model.steps, model.answers) == ((2, 3), 5, True)


@pytest.mark.parametrize(
    ("setting", "value", "found"),
    [
        ("image_size", 300, 32),
        ("max_words", 2, 4),
        ("max_question_words", 4, 3),
        ("question_units", 0, None),
    ],
)
def test_other_settings_than_those_of_the_graphs(preset, setting, value, found):
    folder, sign = preset
    sign(presets.CONFIG, CONFIG.to_json() | {setting: value})
    says = f"{setting}: the preset says {value}, its graphs {found}"
    if setting == "question_units":
        says = "questions: the preset says False, its graphs True"
    with pytest.raises(PresetError, match=says) as error:
        OnnxCaptioner.from_preset(folder)
    assert str(error.value).startswith(f"{folder}: its graphs do not fit (")


def test_a_calibration_for_another_encoder(preset):
    folder, sign = preset
    sign(presets.CALIBRATION, {"photograph": [0.5] * 4})
    metadata = presets.read_metadata(folder)
    metadata["sha256"][presets.CALIBRATION] = presets.sha256(folder / presets.CALIBRATION)
    presets.write_json(folder / presets.METADATA, metadata)
    with pytest.raises(PresetError, match="calibration: the preset says 3, its graphs 5"):
        OnnxCaptioner.from_preset(folder)


@pytest.mark.parametrize("grid", [[2, 2], [6], [-2, -3], [2.0, 3.0], ["2", "3"], 6, None])
def test_another_grid(preset, grid):
    folder, sign = preset
    sign(presets.GRAPHS, GRAPHS | {"grid": grid})
    with pytest.raises(PresetError, match="its graphs do not fit"):
        OnnxCaptioner.from_preset(folder)


@pytest.mark.parametrize("words", [WORDS[:-1], [*WORDS, "man"]])
def test_another_number_of_words(preset, words):
    folder, sign = preset
    sign(presets.VOCABULARY, words)
    says = f"words: the preset says {len(words)}, its graphs {len(WORDS)}"
    with pytest.raises(PresetError, match=says):
        OnnxCaptioner.from_preset(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (presets.CONFIG, CONFIG.to_json() | {"image_size": 300}),
        (presets.CONFIG, CONFIG.to_json() | {"image_size": "32"}),
        (presets.GRAPHS, [1]),
        (presets.GRAPHS, GRAPHS | {"weights": {presets.ENCODER_GRAPH: {"x": 3}}}),
        (presets.VOCABULARY, [*WORDS[:-1], 7]),
    ],
    ids=json.dumps,
)
def test_the_command_says_it_in_one_line(preset, capsys, name, value):
    folder, sign = preset
    sign(name, value)
    assert main(["caption", "a.png", "--weights", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"captioner: {folder}")
