"""A captioner whose memory offers concepts beside the regions."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from captioner.data.vocabulary import SPECIAL
from captioner.models.captioner import Captioner
from captioner.models.config import CaptionerConfig

WORDS = [*SPECIAL, "a", "dog", "cat", "ball", "runs"]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return Captioner(
        WORDS,
        CaptionerConfig(
            encoder="MobileNetV3Small",
            image_size=64,
            annotation_size=12,
            embedding_size=8,
            units=10,
            attention_size=6,
            attention="dot",
            attention_penalty=0.0,
            max_words=5,
            concepts=("dog", "cat", "ball"),
            concept_slots=2,
        ),
    )


@pytest.fixture(scope="module")
def features(model):
    shape = (3, model.regions, model.encoder.output_shape[-1])
    return np.random.default_rng(0).normal(0, 0.5, shape).astype("float32")


def test_the_likeliest_concepts_with_the_regions_that_speak_for_them(model, features):
    ids, logits, regions = map(np.array, model.concepts(features))
    kernel, bias = model.concept_head.get_weights()
    scores = features @ kernel + bias  # [B, R, N]
    pooled = np.log(np.exp(scores).mean(axis=1))
    np.testing.assert_array_equal(ids, np.argsort(-pooled, axis=1)[:, :2])
    np.testing.assert_allclose(logits, -np.sort(-pooled, axis=1)[:, :2], rtol=1e-4)
    for b in range(3):
        for k in range(2):
            shares = np.exp(scores[b, :, ids[b, k]])
            np.testing.assert_allclose(regions[b, k], shares / shares.sum(), rtol=1e-4)


def test_the_head_does_not_learn_from_captions(model, features):
    captions = np.random.default_rng(1).integers(4, 9, (3, 2, 5))
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(True))
    before = model.concept_head.get_weights()
    words = model.decoder.embedding.get_weights()[0]
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        model.train_on_batch({"features": features, "captions": captions}, {"captions": captions})
    for weights, expected in zip(model.concept_head.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, expected)
    assert np.abs(model.decoder.embedding.get_weights()[0] - words).max() > 0


def test_texts_are_learned_beside_captions(model, features):
    inputs = {
        "features": features,
        "captions": np.full((3, 2, 5), 5),
        "concepts": np.array([[5, 0], [6, 7]]),
        "logits": np.zeros((2, 2), "float32"),
        "texts": np.full((2, 3, 5), 6),
    }
    logits = model(inputs)
    assert logits["captions"].shape == (3, 2, 5, 9)
    assert logits["texts"].shape == (2, 3, 5, 9)
    other = model({**inputs, "features": features + 1})
    np.testing.assert_allclose(logits["texts"], other["texts"], rtol=1e-5)  # they see no photograph
    assert np.abs(np.array(logits["captions"]) - np.array(other["captions"])).max() > 1e-4


def test_a_preset_keeps_its_concepts(model, features, tmp_path):
    model.save_to_preset(tmp_path / "preset")
    again = Captioner.from_preset(tmp_path / "preset")
    assert again.config == model.config
    for given, kept in zip(model.concepts(features), again.concepts(features), strict=True):
        np.testing.assert_allclose(given, kept, rtol=0.02, atol=0.01)


def test_attention_of_a_caption_adds_up_to_one(model):
    photograph = np.random.default_rng(2).integers(0, 255, (64, 64, 3), "uint8")
    for word in model.caption(photograph).words:
        assert word.attention.shape == model.grid
        assert word.attention.sum() == pytest.approx(1, rel=1e-3)


def test_a_question_reads_the_logits_of_its_concepts(model, features):
    config = replace(
        model.config, concepts=("dog", "cat"), question_units=8, question_fusion="product"
    )
    model = Captioner(WORDS, config)
    dog, cat, runs = map(WORDS.index, ("dog", "cat", "runs"))
    memory = model.memory({"features": features[:2]})
    kernel = np.array([[1.0] * 8, [0.0] * 8])
    model.question_concept.kernel.assign(kernel)
    questions = np.array([[runs, dog], [cat, runs]])
    words = np.array(model.question_words(questions, memory))
    added = words - np.array(model.decoder.embedding(questions))
    logits = {
        (row, int(i)): float(logit)
        for row in range(2)
        for i, logit in zip(memory.concepts.ids[row], memory.concepts.logits[row], strict=True)
    }
    np.testing.assert_allclose(added[0, 1], np.clip(logits[0, dog], -8, 8) / 4, atol=1e-5)
    np.testing.assert_allclose(added[1, 0], np.clip(logits[1, cat], -8, 8) / 4, atol=1e-5)
    assert not added[0, 0].any() and not added[1, 1].any()
    empty = memory._replace(concepts=memory.concepts._replace(present=np.zeros((2, 2), "bool")))
    np.testing.assert_array_equal(
        model.question_words(questions, empty), model.decoder.embedding(questions)
    )
