"""Exported graphs write the same captions as the Keras model, or the export fails."""

import json

import conftest
import numpy as np
import pytest

from captioner import presets
from captioner.cli import main
from captioner.data.vocabulary import SPECIAL, Vocabulary
from captioner.export import equality
from captioner.export.equality import ExportError, agree
from captioner.export.formats import FORMATS, export
from captioner.export.preset import add_graphs
from captioner.generation.confidence import Calibration
from captioner.models.captioner import Captioner
from captioner.models.config import CaptionerConfig
from captioner.presets import PresetError
from captioner.runtime.onnx_captioner import OnnxCaptioner

SIZES = {
    **{"image_size": 64, "annotation_size": 16, "embedding_size": 16, "units": 16},
    **{"attention_size": 16, "max_words": 6, "question_units": 8, "max_question_words": 4},
    **{"concepts": ("dog", "cat", "man", "red"), "concept_slots": 3, "attention": "dot"},
}


pytestmark = pytest.mark.slow  # a preset is exported first


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A preset with graphs: a toy with all parts of the one that ships."""
    import keras

    folder = tmp_path_factory.mktemp("export") / "toy"
    with pytest.MonkeyPatch.context() as patch:
        import captioner.models.captioner as module

        patch.setattr(module, "build_encoder", conftest.with_toy_encoder(module.build_encoder))
        keras.utils.set_random_seed(0)
        vocabulary = Vocabulary([*SPECIAL, *conftest.WORDS])
        config = CaptionerConfig(encoder="toy", caption_words=12, **SIZES)
        Captioner(vocabulary, config).save_to_preset(folder, {"training": {"seed": 0}})
        assert add_graphs(folder) < equality.TOLERANCE
        yield folder


def test_a_preset_keeps_its_story_and_lists_its_graphs(preset):
    metadata = presets.read_metadata(preset)
    assert metadata["training"] == {"seed": 0}
    assert set(metadata["sha256"]) == {*presets.FILES, *presets.GRAPH_FILES}
    assert {path.name for path in preset.iterdir()} == {
        *presets.FILES,
        *presets.GRAPH_FILES,
        presets.METADATA,
    }


def test_the_graphs_hold_no_weights_of_their_own(preset):
    weights = json.loads((preset / presets.GRAPHS).read_text())["weights"]
    shapes = [place["shape"] for graph in weights.values() for place in graph.values()]
    assert [32, 32, 3, 12] in shapes or [12, 3, 32, 32] in shapes  # the toy's convolution
    assert (preset / presets.ENCODER_GRAPH).stat().st_size < 4 * 32 * 32 * 3 * 12


@pytest.fixture(scope="module")
def both(preset):
    return Captioner.from_preset(preset), OnnxCaptioner.from_preset(preset)


PHOTOGRAPHS = list(np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), "uint8"))


def assert_alike(one, other):
    assert [c.text for c in one.candidates] == [c.text for c in other.candidates]
    for expected, found in zip(one.candidates, other.candidates, strict=True):
        assert found.score == pytest.approx(expected.score, abs=1e-4)
        for word, again in zip(expected.words, found.words, strict=True):
            assert again.probability == pytest.approx(word.probability, abs=1e-4)
            np.testing.assert_allclose(again.attention, word.attention, atol=1e-4)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_captions_are_those_of_keras(both, width):
    found = [model.caption(PHOTOGRAPHS, beam_width=width, top=width) for model in both]
    for one, other in zip(*found, strict=True):
        assert_alike(one, other)


def test_answers_are_those_of_keras(both):
    questions = ["a dog", "the red cat", None]
    found = [model.answer(PHOTOGRAPHS, questions, top=2) for model in both]
    for rows in zip(*found, strict=True):
        for one, other in zip(*rows, strict=True):
            assert_alike(one, other)


def test_samples_are_those_of_keras(both):
    settings = {"temperature": 1.5, "top_p": 0.9, "samples": 3, "seed": 4}
    for one, other in zip(*(model.sample(PHOTOGRAPHS, **settings) for model in both), strict=True):
        assert_alike(one, other)


def test_confidences_are_those_of_keras(both, monkeypatch):
    means = both[0].encode(np.stack(PHOTOGRAPHS)).mean(axis=1, dtype=float)
    apart = means[0] - means[1]
    weights = 2 * apart / (apart @ apart)  # logits that differ by 2
    photograph = (float(-weights @ means.mean(axis=0)), *weights.tolist())
    calibration = Calibration((0.5, 1.0, 0.2, 3.0, 1.0), (0.1, 1.0, 0.2, -1.0, 2.0), photograph)
    for model in both:
        monkeypatch.setattr(model, "calibration", calibration)
    found = [model.answer(PHOTOGRAPHS, [None, "a dog"]) for model in both]
    confidences = [[[c.confidence for c in row] for row in rows] for rows in found]
    np.testing.assert_allclose(*confidences, atol=1e-3)
    likely = calibration.is_photograph(both[0].encode(np.stack(PHOTOGRAPHS)))
    assert np.ptp(likely) > 0.2
    for row, share in zip(found[0], likely, strict=True):
        caption, answer = row
        bare = calibration.confidence(caption, False), calibration.confidence(answer, True)
        assert [c.confidence for c in row] == pytest.approx([share * c for c in bare], rel=1e-4)


def test_a_graph_that_differs_is_refused(both):
    model, _ = both

    def tampered(inputs):
        outputs = dict(model.search(inputs))
        outputs["log_probs"] = outputs["log_probs"] - 0.01
        return outputs

    with pytest.raises(ExportError, match="its log_probs differ by 0.01"):
        agree(model, model.encode, tampered)


@pytest.mark.parametrize("name", presets.GRAPH_FILES)
def test_a_damaged_graph_is_refused(preset, name):
    content = (preset / name).read_bytes()
    try:
        (preset / name).write_bytes(content[:-1])
        with pytest.raises(PresetError, match=f"{name}: damaged or changed"):
            OnnxCaptioner.from_preset(preset)
    finally:
        (preset / name).write_bytes(content)


def test_new_weights_leave_no_graph_behind(both, preset, tmp_path):
    model, _ = both
    model.save_to_preset(tmp_path / "copy")
    assert add_graphs(tmp_path / "copy") < equality.TOLERANCE
    assert presets.has_graphs(tmp_path / "copy")
    model.save_to_preset(tmp_path / "copy")  # as training does after a better epoch
    assert not presets.has_graphs(tmp_path / "copy")
    with pytest.raises(PresetError, match="no graphs"):
        OnnxCaptioner.from_preset(tmp_path / "copy")


def test_the_command_writes_a_folder_once(preset, tmp_path, capsys):
    call = ["export", "--weights", str(preset), "--output", str(tmp_path / "out")]
    assert main(call) == 0
    assert capsys.readouterr().out.startswith("the same words; log-probabilities within ")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"encoder.onnx", "search.onnx"}
    assert main(call) == 1
    assert capsys.readouterr().err.endswith("out: already exists; choose a new folder\n")


def test_other_formats_need_a_folder(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["export", "--format", "litert"])
    assert exit.value.code == 2
    assert capsys.readouterr().err.endswith("--format litert needs --output DIR\n")


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"onnx"}))
def test_every_format_agrees(preset, tmp_path, name):
    assert export(preset, name, tmp_path / "out") < equality.TOLERANCE
    assert any((tmp_path / "out").iterdir())


def test_a_transformer_is_exported_too(tmp_path, toy_encoder):
    config = CaptionerConfig(encoder="toy", decoder="transformer", layers=2, **SIZES)
    model = Captioner(Vocabulary([*SPECIAL, *conftest.WORDS]), config)
    model.save_to_preset(tmp_path / "toy")
    assert export(tmp_path / "toy", "onnx", tmp_path / "out") < equality.TOLERANCE
