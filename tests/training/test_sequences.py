"""Groups of sequences: the same gradients as one padded batch, and less padding."""

import keras
import numpy as np
import pytest

from captioner.data.records import Example
from captioner.data.vocabulary import PAD, START
from captioner.training import sequences
from captioner.training.batches import Batches, Photograph
from captioner.training.sequences import TokenSequence, grouped
from captioner.training.trainer import Trainer

CAPTIONS = ("a dog", "a cat sits on grass", "the man runs", "the red cat sits on the grass")


def tokens(*ids):
    return np.array([START, *ids], "int32")


def test_groups_are_cut_to_their_steps_and_keep_rows_and_questions():
    asked = np.array([7, 8], "int32")
    written = [
        TokenSequence(tokens(5, 2, PAD, PAD), 1, question=asked),
        TokenSequence(tokens(5, 6, 4, 2), 0, weight=0.5, question=asked + 1),
        TokenSequence(tokens(6, 2), 2, question=asked),
    ]
    inputs, targets, weights = grouped("answers", written, steps=4, count=9)
    assert list(targets) == ["answers_2", "answers_4"]
    np.testing.assert_array_equal(inputs["answers_2"], [[START, 5], [START, 6]])
    np.testing.assert_array_equal(inputs["answers_2_rows"], [1, 2])
    np.testing.assert_array_equal(inputs["answers_4_questions"], [asked + 1])
    np.testing.assert_array_equal(targets["answers_4"], [[5, 6, 4, 2]])
    assert sum(w.sum() for w in weights.values()) == pytest.approx(1)
    np.testing.assert_allclose(weights["answers_4"] / weights["answers_2"][0, 0], 0.5)


def test_padding_weighs_nothing_and_advantages_do_not_change_the_mean():
    written = [
        TokenSequence(tokens(5, 2), 0, advantage=3.0),
        TokenSequence(tokens(5, 6, 2), 0, advantage=-2.0),
    ]
    (_, targets, weights) = grouped("captions", written, steps=8, count=2)
    np.testing.assert_allclose(weights["captions_2"], [[0.6, 0.6]])
    np.testing.assert_allclose(weights["captions_5"], [[-0.4, -0.4, -0.4, 0, 0]])
    assert (targets["captions_5"][weights["captions_5"] == 0] == PAD).all()
    assert (targets["captions_8"] == [[PAD] * 8]).all()


def test_on_jax_there_is_one_group_of_a_fixed_size(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    inputs, _, weights = grouped("captions", [TokenSequence(tokens(5, 2), 1)], steps=4, count=3)
    assert inputs["captions_4"].shape == (3, 4)
    np.testing.assert_allclose(weights["captions_4"], [[0.5, 0.5, 0, 0], [0] * 4, [0] * 4])


def gradients(model, batch):
    """The change of each weight by a step of gradient descent."""
    inputs, targets, weights = batch
    before = [np.array(w) for w in model.trainable_weights]
    trainer = Trainer(model, targets, keras.optimizers.SGD(1.0))
    trainer.run_eagerly = True  # for one step, compilation takes longer
    logs = trainer.train_on_batch(inputs, targets, weights, return_dict=True)
    assert set(logs) == {"loss", "captions_loss", "answers_loss"}
    moved = [np.array(w) - b for w, b in zip(model.trainable_weights, before, strict=True)]
    for weight, value in zip(model.trainable_weights, before, strict=True):
        weight.assign(value)
    return moved


def test_gradients_are_those_of_one_padded_batch(toy, monkeypatch):
    model = toy(dropout=0.0, question_units=8, max_words=8, attention_penalty=0.5)
    model.encoder.trainable = False
    questions = [("what runs ?", "dog"), ("who sits ?", "red cat")]
    asked = tuple(Example("", "", (answer,), question) for question, answer in questions)
    records = [Photograph(f"{i}.jpg", CAPTIONS[i:], asked[: i + 1]) for i in range(3)]
    shape = (model.regions, model.encoder.output_shape[-1])
    features = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    data = Batches(records, lambda i, *_: features[i], "features", model, 3, seed=0)
    monkeypatch.setattr(sequences, "STEPS", (2, 4, 6))
    groups = data[0]
    assert sum(name.startswith("captions") for name in groups[1]) == 4
    monkeypatch.setattr(sequences, "STEPS", ())
    padded = data[0]
    assert sum(name.startswith("captions") for name in padded[1]) == 1
    for one, other in zip(gradients(model, groups), gradients(model, padded), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
