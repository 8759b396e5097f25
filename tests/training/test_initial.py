"""Models that start from the weights of others."""

import numpy as np
import pytest

from captioner.data.vocabulary import Vocabulary
from captioner.models.captioner import Captioner
from captioner.training.initial import NEW_CONCEPT, copy_weights
from captioner.training.run import TrainingError


@pytest.fixture
def source(toy):
    return toy(concepts=("dog", "grass"), concept_slots=2, question_units=8)


def other(source, words, concepts, **settings):
    """A new model with other words, concepts and settings than a source."""
    config = {**vars(source.config), "concepts": concepts, **settings}
    return Captioner(Vocabulary(words), type(source.config)(**config))


def test_words_and_concepts_are_matched_and_all_else_is_copied(source):
    words = [*source.vocabulary.words[:4], "grass", "zebra", "dog"]
    target = other(source, words, ("zebra", "dog"))
    fresh = np.array(target.decoder.embedding.embeddings)
    copy_weights(source, target, "toy")
    old, new = (np.array(model.decoder.embedding.embeddings) for model in (source, target))
    for word in (*words[:5], "dog"):
        np.testing.assert_array_equal(
            new[words.index(word)], old[source.vocabulary.words.index(word)]
        )
    np.testing.assert_array_equal(new[5], fresh[5])  # "zebra" is new
    kernel, bias = target.concept_head.get_weights()
    old_kernel, old_bias = source.concept_head.get_weights()
    np.testing.assert_array_equal(kernel[:, 1], old_kernel[:, 0])
    assert bias.tolist() == [NEW_CONCEPT, old_bias[0]] and not kernel[:, 0].any()
    for one, copied in zip(source.encoder.get_weights(), target.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, copied)
    np.testing.assert_array_equal(
        source.decoder.recurrent.get_weights()[0], target.decoder.recurrent.get_weights()[0]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"units": 4},
            r"toy: its .* has the shape .*, the recipe needs .*leave out the settings",
        ),
        ({"question_units": 0}, "toy: has other layers than the recipe; leave out the settings"),
    ],
)
def test_other_layers_are_refused(source, settings, message):
    target = other(source, source.vocabulary.words, ("dog",), **settings)
    with pytest.raises(TrainingError, match=message):
        copy_weights(source, target, "toy")


def test_layers_that_multiply_can_be_added_to_a_trained_model(source, features):
    target = other(source, source.vocabulary.words, ("dog", "grass"), question_fusion="product")
    copy_weights(source, target, "toy")
    inputs = {
        "features": features(source, 2),
        "questions": np.array([[[4, 5, 0]], [[6, 7, 8]]]),
        "answers": np.array([[[1, 9]], [[1, 10]]]),
    }
    np.testing.assert_allclose(source(inputs)["answers"], target(inputs)["answers"], atol=1e-6)
