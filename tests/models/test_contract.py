"""The contract of every model: its configuration, its files, and its search."""

import json
from dataclasses import asdict

import keras
import numpy as np
import pytest
from keras import ops
from searches import candidates_of

from captioner import presets
from captioner.data.vocabulary import PAD, START
from captioner.generation.samplers import Beam
from captioner.models.captioner import Captioner
from captioner.models.config import FORMAT, CaptionerConfig
from captioner.presets import PresetError
from examples.character_model import CharacterModel, CharacterModelConfig
from examples.translator import Translator, TranslatorConfig

SIZES = {"embedding_size": 8, "units": 8, "cell": "gru", "layers": 2}
ASKED = {"question_units": 4, "max_question_words": 3}

QUESTIONS = [["the dog"], ["a red cat"]]


def rows(*shape):
    """Token ids `int32[shape]` of words, the first of which is the start token."""
    tokens = np.random.default_rng(0).integers(4, 12, shape).astype("int32")
    tokens[..., 0] = START
    return tokens


def captioner(vocabulary, **more):
    settings = {**SIZES, **ASKED, "annotation_size": 8, "attention_size": 8, "max_words": 3}
    settings |= more
    model = Captioner(vocabulary, CaptionerConfig(encoder="toy", image_size=64, **settings))
    features = np.random.default_rng(1).normal(size=(2, model.regions, 12)).astype("float32")
    questions = rows(2, 1, 3)
    inputs = {"features": features, "questions": questions, "answers": rows(2, 1, 4)}
    return model, inputs, {"features": features}


def translator(vocabulary, **more):
    settings = {**SIZES, **ASKED, "attention_size": 8, "max_source_words": 5, "max_words": 3}
    settings |= more
    model = Translator(vocabulary, TranslatorConfig(**settings))
    sources = rows(2, 5)
    sources[0, 3:] = PAD
    read = {"sources": sources, "questions": rows(2, 1, 3)}
    return model, {**read, "tokens": rows(2, 4)}, {"sources": sources}


def captioning_transformer(vocabulary):
    concepts = tuple(vocabulary.words[4:9])
    return captioner(vocabulary, decoder="transformer", concepts=concepts, concept_slots=3)


def translating_transformer(vocabulary):
    return translator(vocabulary, decoder="transformer")


def character_model(vocabulary):
    model = CharacterModel(vocabulary, CharacterModelConfig(**SIZES, streams=2, max_characters=3))
    return model, rows(2, 4), {"annotations": np.zeros((2, 1, 1), "float32")}


MODELS = [
    captioner,
    captioning_transformer,
    translator,
    translating_transformer,
    character_model,
]


@pytest.fixture(params=MODELS, ids=lambda make: make.__name__)
def made(request, vocabulary, toy_encoder):
    """A model, what it is called with for training, and what it writes about."""
    keras.utils.set_random_seed(0)
    return request.param(vocabulary)


def logits_of(model, inputs):
    logits = model(inputs)
    return ops.convert_to_numpy(logits["answers"] if isinstance(logits, dict) else logits)


def assert_same(model, again, inputs, **tolerance):
    assert type(again) is type(model) and again.config == model.config
    assert again.vocabulary == model.vocabulary
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    np.testing.assert_allclose(logits_of(again, inputs), logits_of(model, inputs), **tolerance)


def test_the_configuration_is_the_schema_of_its_file(made):
    model, _, _ = made
    content = json.loads(json.dumps(model.config.to_json()))
    assert content == {
        "format": FORMAT,
        "model": type(model).__name__,
        **json.loads(json.dumps(asdict(model.config))),
    }
    assert type(model.config).from_json(content) == model.config
    del content["units"]
    assert type(model.config).from_json(content).units == type(model.config)().units


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 0}, f"its format is 0, not {FORMAT}"),
        ({"format": None}, f"its format is None, not {FORMAT}"),
        ({"model": "Parrot"}, "holds a Parrot, not a"),
        ({"feathers": 3, "beak": 1}, "has no setting beak, feathers"),
    ],
)
def test_a_configuration_of_something_else_is_refused(made, change, message):
    config = made[0].config
    with pytest.raises(ValueError, match=message):
        config.from_json({**config.to_json(), **change})


def test_the_configuration_cannot_be_changed(made):
    with pytest.raises(AttributeError):
        made[0].config.units = 9


def test_its_configuration_rebuilds_it(made):
    model, inputs, _ = made
    again = type(model).from_config(json.loads(json.dumps(model.get_config())))
    again.set_weights(model.get_weights())
    assert_same(model, again, inputs, rtol=1e-6)


def test_it_comes_back_from_a_file_of_keras(made, tmp_path):
    model, inputs, _ = made
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(model, again, inputs, rtol=1e-5, atol=1e-7)


def test_it_is_a_preset_like_any_other(made, tmp_path):
    model, inputs, _ = made
    model.save_to_preset(tmp_path / "mine", {"training": {"seed": 0}})
    again = type(model).from_preset(tmp_path / "mine")
    assert_same(model, again, inputs, rtol=1e-2, atol=1e-2)  # of half precision
    assert presets.read_metadata(tmp_path / "mine")["training"] == {"seed": 0}
    other = Translator if isinstance(model, Captioner) else Captioner
    with pytest.raises(PresetError, match=f"config.json: holds a {type(model).__name__}, not a"):
        other.from_preset(tmp_path / "mine")


def test_it_writes_words_with_their_attention(made):
    model, _, asked = made
    found = candidates_of(model, asked, Beam(2), questions=QUESTIONS if model.answers else None)
    assert len(found) == 2
    for candidates in found:
        assert len(candidates) == 2
        for candidate in candidates:
            assert 0 < len(candidate.words) <= model.steps and candidate.score < 0
            for word in candidate.words:
                assert word.attention.shape == model.grid
                assert word.attention.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_it_runs_in_other_precisions(made, policy):
    model, inputs, asked = made
    config = {**model.get_config(), "dtype": policy}
    keras.config.set_dtype_policy(policy)
    try:
        again = type(model).from_config(config)
    finally:
        keras.config.set_dtype_policy("float32")
    again.set_weights(model.get_weights())
    expected = logits_of(model, inputs)
    tolerance = {"mixed_float16": 1e-2, "mixed_bfloat16": 0.1}[policy]
    np.testing.assert_allclose(
        logits_of(again, inputs).astype("float64"), expected, rtol=tolerance, atol=tolerance
    )
    assert all(candidates[0].words for candidates in candidates_of(again, asked, Beam(2)))
