import keras
import numpy as np
import pytest
from keras import ops

from captioner.attention import AdditiveAttention, attend
from captioner.cells import CELLS, recurrent_cell, top_output
from captioner.decoder import AttentionDecoder


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(x):
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def test_additive_attention_follows_its_equation():
    attention = AdditiveAttention(4)
    annotations, query = numbers(2, 5, 3), numbers(6, 7, seed=1)
    attention.build(annotations.shape, query.shape)
    weights = ops.convert_to_numpy(attention(query, attention.keys(annotations)))

    w_key, b_key = attention.key.get_weights()
    (w_query,), (v,) = attention.query.get_weights(), attention.score.get_weights()
    for n in range(6):  # three queries for each of two memories
        scores = np.tanh(annotations[n // 3] @ w_key + b_key + query[n] @ w_query) @ v[:, 0]
        np.testing.assert_allclose(weights[n], softmax(scores), rtol=1e-4)


def test_context_is_the_weighted_mean_of_its_own_photograph():
    annotations, weights = numbers(2, 5, 3), softmax(numbers(4, 5, seed=1))
    context = ops.convert_to_numpy(attend(weights, annotations))
    for n in range(4):
        np.testing.assert_allclose(context[n], weights[n] @ annotations[n // 2], rtol=1e-4)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_every_cell_trains_decodes_and_starts_from_its_photograph(cell, layers):
    decoder = AttentionDecoder(10, 4, 6, 5, cell, layers, dropout=0.0)
    tokens, annotations = np.array([[1, 4, 5], [1, 6, 7]]), numbers(2, 5, 3)
    decoder.build(tokens.shape, annotations.shape)
    logits, attention = decoder(tokens, annotations)
    assert logits.shape == (2, 3, 10)
    np.testing.assert_allclose(ops.sum(attention, -1), np.ones((2, 3)), rtol=1e-5)

    states = decoder.initial_states(decoder.memory(annotations), 1)
    mean = annotations.mean(1)
    kernel, bias = decoder.initial[0].get_weights()
    np.testing.assert_allclose(states[0], np.tanh(mean @ kernel + bias), rtol=1e-4)


def test_the_teacher_forced_pass_is_the_step_repeated():
    decoder = AttentionDecoder(10, 4, 6, 5, dropout=0.5)
    tokens, annotations = np.array([[1, 4, 5], [1, 6, 7]]), numbers(1, 5, 3)
    decoder.build(tokens.shape, annotations.shape)
    logits, attention = decoder(tokens, annotations)
    memory = decoder.memory(annotations)
    states = decoder.initial_states(memory, 2)
    for t in range(3):
        words = decoder.embedding(tokens[:, t])
        output, context, weights, states = decoder.step(words, states, memory)
        np.testing.assert_allclose(attention[:, t], weights, rtol=1e-4)
        step_logits = decoder.logits(words, output, context)
        np.testing.assert_allclose(logits[:, t], step_logits, rtol=1e-3, atol=1e-5)


def test_an_output_never_depends_on_later_words():
    decoder = AttentionDecoder(10, 4, 6, 5)
    annotations = numbers(1, 5, 3)
    decoder.build((1, 3), annotations.shape)
    one, _ = decoder(np.array([[1, 4, 5]]), annotations)
    other, _ = decoder(np.array([[1, 4, 9]]), annotations)
    np.testing.assert_allclose(one[:, :2], other[:, :2], rtol=1e-5)
    assert np.abs(one[:, 2] - other[:, 2]).max() > 1e-3


def test_the_attention_asks_with_the_topmost_output():
    cell = recurrent_cell("lstm", 3, layers=2)
    states = [numbers(1, 3, seed=i) for i in range(4)]
    np.testing.assert_array_equal(top_output(cell, states), states[2])


def test_an_unknown_cell_is_named():
    with pytest.raises(ValueError, match="gru2.*gru, lstm, rnn"):
        recurrent_cell("gru2", 3)


def test_dropout_acts_in_training_only():
    decoder = AttentionDecoder(10, 4, 6, 5, dropout=0.5)
    tokens, annotations = np.array([[1, 4, 5]]), numbers(1, 5, 3)
    decoder.build(tokens.shape, annotations.shape)
    plain = [ops.convert_to_numpy(decoder(tokens, annotations)[0]) for _ in range(2)]
    np.testing.assert_array_equal(*plain)
    noisy = ops.convert_to_numpy(decoder(tokens, annotations, training=True)[0])
    assert np.abs(noisy - plain[0]).max() > 1e-3


def test_a_decoder_is_rebuilt_from_its_configuration():
    decoder = AttentionDecoder(10, 4, 6, 5, "gru", 2, 0.1, name="decoder")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(decoder))
    assert again.get_config() == decoder.get_config()
