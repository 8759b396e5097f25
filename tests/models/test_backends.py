"""The same weights must say the same on TensorFlow and on JAX."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras import ops
from searches import candidates_of

from captioner.generation.samplers import Beam, Sampling
from examples.character_model import CharacterModel, CharacterModelConfig
from examples.translator import Translator, TranslatorConfig

OTHER_BACKEND = """
import json, sys
import keras, numpy as np
import captioner.models.captioner
from captioner.models.captioner import Captioner
from examples.character_model import CharacterModel
from captioner.generation.samplers import Beam, Sampling
from examples.translator import Translator
from searches import candidates_of
assert keras.backend.backend() == "jax"
from conftest import with_toy_encoder
captioner.models.captioner.build_encoder = with_toy_encoder(None)
folder, arrays = sys.argv[1:]
model = Captioner.from_preset(folder)
data = dict(np.load(arrays))
inputs = {"features": data["features"]}
logits = model({**inputs, "captions": data["captions"]})["captions"]
found = candidates_of(model, inputs, Beam(3))
answers = candidates_of(model, inputs, Beam(3), questions=[["a the dog", "cat"]] * 3)
sampled = candidates_of(model, inputs, Sampling(width=2), seed=1)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0))
model.encoder.trainable = False
given = {name: data[name] for name in ("features", "captions", "questions", "answers")}
targets = {name: data[name] for name in ("captions", "answers")}
loss = model.train_on_batch(given, targets, return_dict=True)["loss"]
translator, characters = (
    keras.saving.load_model(f"{folder}/{name}.keras") for name in ("translator", "characters")
)
print(json.dumps({
    "translated": np.asarray(translator({k: data[k] for k in ("sources", "tokens")})).tolist(),
    "windows": [np.asarray(characters(window)).tolist() for window in data["windows"]],
    "logits": np.asarray(logits).tolist(),
    "captions": [[c.text for c in row] for row in found],
    "scores": [[c.score for c in row] for row in found],
    "answers": [[c.text for c in row] for row in answers],
    "samples": [[c.text for c in row] for row in sampled],
    "loss": float(loss),
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["recurrent", "transformer"])
def test_tensorflow_and_jax_agree(decoder, toy, features, tmp_path):
    model = toy(decoder=decoder, dropout=0.0, question_units=8, max_question_words=4)
    model.save_to_preset(tmp_path / "toy")
    model = type(model).from_preset(tmp_path / "toy")  # both read the same rounded weights
    x = features(model)
    tokens = np.random.default_rng(0).integers(4, len(model.vocabulary), (3, 2, model.steps))
    questions = np.array([[[4, 5, 6, 0], [7, 0, 0, 0]]] * 3)
    arrays = {"features": x, "captions": tokens, "questions": questions, "answers": tokens}
    # The rest of the family, not compiled.
    family = {"cell": "peephole_lstm", "layers": 2, "attention": "dot"}
    sizes = {"embedding_size": 8, "units": 8}
    translator = Translator(
        model.vocabulary,
        TranslatorConfig(**sizes, attention_size=8, **family, max_source_words=3, max_words=3),
    )
    characters = CharacterModel(
        model.vocabulary, CharacterModelConfig(**sizes, cell="gru", layers=4, streams=3)
    )
    translator.save(tmp_path / "toy" / "translator.keras")
    characters.save(tmp_path / "toy" / "characters.keras")
    arrays["sources"] = np.array([[4, 5, 6], [7, 8, 0], [9, 0, 0]])
    arrays["tokens"] = tokens[:, 0, :4]
    arrays["windows"] = np.stack([tokens[:, 0, :2], tokens[:, 0, 2:4]])
    np.savez(tmp_path / "arrays.npz", **arrays)
    run = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND, str(tmp_path / "toy"), str(tmp_path / "arrays.npz")],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compilation takes longer than the search
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    jax = json.loads(run.stdout.splitlines()[-1])
    logits = ops.convert_to_numpy(model({"features": x, "captions": tokens})["captions"])
    np.testing.assert_allclose(jax["logits"], logits, rtol=1e-3, atol=1e-4)
    translated = translator({"sources": arrays["sources"], "tokens": arrays["tokens"]})
    np.testing.assert_allclose(jax["translated"], translated, rtol=1e-3, atol=1e-4)
    for window, expected in zip(arrays["windows"], jax["windows"], strict=True):
        np.testing.assert_allclose(characters(window), expected, rtol=1e-3, atol=1e-4)
    found = candidates_of(model, {"features": x}, Beam(3))
    assert jax["captions"] == [[c.text for c in row] for row in found]
    np.testing.assert_allclose(jax["scores"], [[c.score for c in row] for row in found], rtol=1e-3)
    answers = candidates_of(model, {"features": x}, Beam(3), questions=[["a the dog", "cat"]] * 3)
    assert len(answers) == 6
    assert jax["answers"] == [[c.text for c in row] for row in answers]
    samples = candidates_of(model, {"features": x}, Sampling(width=2), seed=1)
    assert jax["samples"] == [[c.text for c in row] for row in samples]
    assert np.isfinite(jax["loss"])
