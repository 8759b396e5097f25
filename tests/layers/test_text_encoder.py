import keras
import numpy as np
import pytest
from keras import ops

from captioner.layers.cells import CELLS
from captioner.layers.text_encoder import TextEncoder

WRITTEN = np.array([[True, True, True], [True, False, False], [False, False, False]])


def words(seed=0):
    return np.random.default_rng(seed).normal(size=(3, 3, 4)).astype("float32")


def built(**settings):
    keras.utils.set_random_seed(0)
    encoder = TextEncoder(6, **settings)
    encoder.build((None, 3, 4))
    return encoder


@pytest.mark.parametrize("layers", [1, 4])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_padding_changes_nothing_and_no_words_are_zero(cell, bidirectional, layers):
    encoder = built(cell=cell, layers=layers, bidirectional=bidirectional)
    sentences, other = words(), words(seed=1)
    other[WRITTEN] = sentences[WRITTEN]
    vectors = ops.convert_to_numpy(encoder(sentences, WRITTEN))
    assert vectors.shape == (3, 6)
    np.testing.assert_allclose(vectors, encoder(other, WRITTEN), rtol=1e-5)
    np.testing.assert_array_equal(vectors[2], 0)
    assert np.abs(vectors[:2]).min() > 0


def test_all_outputs_end_with_the_one_that_stands_for_the_sentence():
    encoder = built(return_sequences=True)
    last = built()
    last.set_weights(encoder.get_weights())
    outputs = ops.convert_to_numpy(encoder(words(), WRITTEN))
    vectors = ops.convert_to_numpy(last(words(), WRITTEN))
    assert outputs.shape == (3, 3, 6)
    np.testing.assert_allclose(outputs[0, 2], vectors[0], rtol=1e-5)
    np.testing.assert_allclose(outputs[1, 0], vectors[1], rtol=1e-5)


def test_a_word_knows_the_words_after_it_only_if_read_backwards_as_well():
    sentences, other = words(), words()
    other[:, 2] += 1
    for bidirectional in (False, True):
        encoder = built(bidirectional=bidirectional, return_sequences=True)
        changed = np.abs(encoder(sentences, WRITTEN) - encoder(other, WRITTEN))[0, 0]
        assert (changed.max() > 1e-4) == bidirectional
        assert changed[:3].max() < 1e-6  # what reads forwards


def test_two_directions_share_an_even_number_of_units():
    with pytest.raises(ValueError, match="even number of units, not 5"):
        TextEncoder(5, bidirectional=True)


def test_an_encoder_is_rebuilt_from_its_configuration():
    encoder = TextEncoder(6, "gru", 2, True, True, name="encoder")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(encoder))
    assert again.get_config() == encoder.get_config()
