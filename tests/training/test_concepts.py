import numpy as np
import pytest

from captioner.training.concepts import (
    ABSENCE,
    LABEL,
    average_precision,
    choose,
    detector,
    fit_head,
    targets,
    weighted_cross_entropy,
)


def test_concepts_are_the_words_said_of_most_photographs():
    said = [("A dog and a dog .", "A dog"), ("The tv is on a cat .",), ("A cat , a dog .", "3 xs")]
    assert choose(said, 2) == ("cat", "dog")
    assert choose(said, 9) == ("cat", "dog", "tv")  # no "and", nothing shorter but "tv", no "3"


def test_targets_are_shares_of_captions_and_labels():
    concepts = ["dog", "cat", "cats", "bed"]
    captions = [("a dog", "a dog on a bed", "a bed", "a dog"), ("a cat",), ()]
    objects = [("cat",), (), ("cat", "hot dog")]
    wanted = targets(captions, objects, concepts)
    np.testing.assert_allclose(wanted[0, :, 0], [0.75, 0.5, 0, 0.5])
    np.testing.assert_allclose(wanted[0, :, 1], 1)
    np.testing.assert_allclose(wanted[1, :, 0], [0, 1, 0, 0])
    np.testing.assert_allclose(wanted[1, :, 1], [ABSENCE[1], 1, ABSENCE[1], ABSENCE[1]])
    # A label does not show whether there are several cats.
    np.testing.assert_allclose(wanted[2, :, 0], [LABEL, LABEL, 0, 0])
    np.testing.assert_allclose(wanted[2, :, 1], [1, 1, 0, ABSENCE[0]])


def test_the_loss_is_a_weighted_cross_entropy():
    wanted = np.array([[[1, 1], [0.5, 0.5], [0, 0]]], "float32")
    logits = np.array([[2.0, -1.0, 7.0]], "float32")
    p = 1 / (1 + np.exp(-logits[0]))
    expected = -np.log(p[0]) - 0.5 * (0.5 * np.log(p[1]) + 0.5 * np.log(1 - p[1]))
    np.testing.assert_allclose(weighted_cross_entropy(wanted, logits), [expected], rtol=1e-5)


def test_average_precision_by_hand():
    wanted = np.array([[1.0, 1], [0, 0], [1, 0], [0, 0]])
    logits = np.array([[3.0, 0], [2, 0], [1, 0], [0, 0]])
    # Ranks 1 and 3 of the first concept; the second one is too rare to count.
    assert average_precision(wanted, logits, least=2) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision(wanted, logits, least=3) == 0


def test_the_detector_finds_what_the_captioner_does(toy):
    model = toy(concepts=("dog", "cat", "grass"), concept_slots=3)
    photographs = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    ids, logits, _ = (np.asarray(x) for x in model.concepts(model.features(photographs)))
    found = np.asarray(detector(model)(photographs))
    np.testing.assert_allclose(np.take_along_axis(found, ids, axis=1), logits, rtol=1e-4, atol=1e-5)


def test_the_head_learns_from_mean_features(toy):
    model = toy(concepts=("dog", "cat"), concept_slots=2)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(256, 12)).astype("float32")
    wanted = np.ones((256, 2, 2), "float32")
    wanted[..., 0] = features[:, :2] > 0
    # By chance a class would be ranked at 0.5.
    fit_head(model, features * 10, wanted, seed=0)
    logits = np.asarray(model.concept_head(features))
    assert average_precision(wanted[..., 0], logits) > 0.8
