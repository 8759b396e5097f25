import numpy as np
import pytest

from captioner.generation.reranking import FEATURES, UNSEEN, features, order
from captioner.generation.results import Candidate, Concept, Word


def candidate(text, score, probability=0.5):
    words = [Word(word, probability, np.zeros((1, 1))) for word in text.split()]
    return Candidate(text, score, words)


def column(found, name):
    return found[:, FEATURES.index(name)]


def test_features_of_candidates():
    candidates = [
        candidate("a dog on grass", -0.5, 0.25),
        candidate("a dog sits", -0.7),
        candidate("the cat", -0.9),
    ]
    found = features(candidates, [Concept("dog", 0.9), Concept("grass", 0.4)])
    assert found.shape == (3, len(FEATURES))
    np.testing.assert_allclose(column(found, "score"), [-0.5, -0.7, -0.9])
    np.testing.assert_allclose(column(found, "words"), [4, 3, 2])
    np.testing.assert_allclose(column(found, "least likely word"), np.log([0.25, 0.5, 0.5]))
    np.testing.assert_allclose(column(found, "mean concept"), [0.65, (0.9 + UNSEEN) / 2, UNSEEN])
    np.testing.assert_allclose(column(found, "least concept"), [0.4, UNSEEN, UNSEEN])
    np.testing.assert_allclose(column(found, "concepts named"), [1.3, 0.9, 0])
    np.testing.assert_allclose(column(found, "concepts left out"), [0, 0.4, 1.3])
    # "a" and "dog" of four words are in the second candidate, none is in the third.
    a, b = np.exp([-0.7, -0.9])
    assert column(found, "shared 1-grams")[0] == pytest.approx(0.5 * a / (a + b))
    assert column(found, "shared 2-grams")[0] == pytest.approx(a / (a + b) / 3)
    assert column(found, "shared 3-grams").tolist() == [0, 0, 0]


def test_one_candidate_shares_nothing():
    found = features([candidate("a dog", -0.5)], [])
    assert found[0, -3:].tolist() == [0, 0, 0]


def test_equal_candidates_keep_their_order():
    assert order([1.0, 0.0], np.array([[1, 5], [2, 0], [2, 9]])).tolist() == [1, 2, 0]
