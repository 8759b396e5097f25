import keras
import numpy as np
import pytest

from captioner.layers.transformer import MultiHeadAttention, position_vectors
from captioner.layers.transformer_decoder import TransformerDecoder
from examples.translator import TransformerEncoder


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def new_decoder(**settings):
    keras.utils.set_random_seed(0)
    sizes = {"embedding_size": 6, "units": 8, "heads": 2, "layers": 2, "dropout": 0.0}
    decoder = TransformerDecoder(12, 5, **{**sizes, **settings})
    decoder.build((None, 5), (None, 4, 7))
    return decoder


TOKENS = np.array([[1, 4, 5, 6, 7], [1, 8, 9, 4, 4], [1, 4, 4, 4, 4], [1, 9, 8, 7, 6]])


def test_positions_are_those_of_the_paper():
    vectors = position_vectors(50, 6)
    assert vectors.shape == (50, 6)
    for position, i in ((0, 0), (3, 0), (3, 1), (49, 2)):
        angle = position / 10000 ** (2 * i / 6)
        expected = [np.sin(angle), np.cos(angle)]
        np.testing.assert_allclose(vectors[position, 2 * i : 2 * i + 2], expected, atol=1e-5)


def test_heads_see_what_those_of_keras_see():
    attention, queries, memory = MultiHeadAttention(8, 2), numbers(3, 5, 8), numbers(3, 4, 7)
    attention.build(7)
    theirs = keras.layers.MultiHeadAttention(2, 4)
    theirs.build((None, 5, 8), (None, 4, 7))
    weights = []
    for layer in (attention.query, attention.key, attention.value):
        kernel, bias = layer.get_weights()
        weights += [kernel.reshape(-1, 2, 4), bias.reshape(2, 4)]
    kernel, bias = attention.output_heads.get_weights()
    theirs.set_weights([*weights, kernel.reshape(2, 4, 8), bias])
    mask = np.array([[True] * 4, [True, True, False, False], [False, True, True, True]])
    expected, scores = theirs(
        queries, memory, attention_mask=mask[:, None], return_attention_scores=True
    )
    found, looked = attention(queries, attention.keys(memory), mask[:, None, None])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(looked, np.transpose(scores, (0, 2, 1, 3)), atol=1e-6)


def test_heads_share_the_units_evenly():
    with pytest.raises(ValueError, match="3 heads share a multiple of 3 units, not 8"):
        MultiHeadAttention(8, 3)


def test_a_word_sees_none_that_follow():
    decoder = new_decoder()
    memory = decoder.memory(numbers(4, 4, 7))
    whole, _ = decoder(TOKENS, memory)
    changed = TOKENS.copy()
    changed[:, 3:] = 11
    other, _ = decoder(changed, memory)
    np.testing.assert_allclose(whole[:, :3], other[:, :3], atol=1e-5)
    assert np.abs(np.array(whole)[:, 3:] - np.array(other)[:, 3:]).min(axis=-1).max() > 1e-3


@pytest.mark.parametrize("concepts", [False, True])
@pytest.mark.parametrize("conditioned", [False, True])
def test_steps_with_kept_keys_are_the_pass_over_all_words(concepts, conditioned):
    """Two sequences about each of two photographs."""
    decoder = new_decoder(concepts=concepts, condition_size=3 if conditioned else 0)
    condition = numbers(4, 3, seed=1) if conditioned else None
    slots = None
    if concepts:
        ids, logits = np.array([[4, 5, 6], [7, 8, 9]]), numbers(2, 3)
        evidence = np.full((2, 3, 4), 0.25, "float32")
        present = np.array([[True, True, False], [True, True, True]])
        slots = decoder.concept_slots(ids, logits, present, evidence)
    memory = decoder.memory(numbers(2, 4, 7), concepts=slots)
    logits, weights = decoder(TOKENS, memory, condition)
    assert logits.shape == (4, 5, 12)
    np.testing.assert_allclose(np.array(weights).sum(-1), 1, rtol=1e-5)
    states = decoder.initial_states(memory, 2, condition)
    for t in range(5):
        words = decoder.embedding(TOKENS[:, t])
        output, contexts, looked, states = decoder.step(words, states, memory, condition)
        found = decoder.logits(words, output, contexts, condition)
        np.testing.assert_allclose(found, logits[:, t], atol=1e-5)
        np.testing.assert_allclose(looked, weights[:, t], atol=1e-5)


def test_concepts_alone_are_a_memory():
    decoder = new_decoder(concepts=True)
    ids = np.array([[4, 5, 6]] * 4)
    found = []
    for present in (np.array([[True, True, False]] * 4), np.array([[False, True, False]] * 4)):
        slots = decoder.concept_slots(ids, numbers(4, 3), present)
        logits, weights = decoder(TOKENS, decoder.memory(None, concepts=slots))
        assert weights is None
        found.append(np.array(logits))
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_what_is_masked_is_not_seen():
    decoder = new_decoder()
    annotations, mask = numbers(4, 4, 7), np.array([[True, True, True, False]] * 4)
    logits, weights = decoder(TOKENS, decoder.memory(annotations, mask))
    assert (np.array(weights)[..., 3] == 0).all()
    annotations[:, 3] = 100
    again, _ = decoder(TOKENS, decoder.memory(annotations, mask))
    np.testing.assert_allclose(logits, again, atol=1e-5)


@pytest.mark.parametrize("positional", [False, True])
def test_without_positions_an_encoder_does_not_know_the_order(positional):
    keras.utils.set_random_seed(0)
    encoder = TransformerEncoder(8, 2, 2, positional=positional)
    encoder.build((None, 5, 6))
    words, order = numbers(3, 5, 6), np.array([3, 0, 4, 1, 2])
    mask = np.ones((3, 5), bool)
    moved = np.array(encoder(words[:, order], mask))
    same = np.allclose(moved, np.array(encoder(words, mask))[:, order], atol=1e-4)
    assert same is not positional


def test_padding_does_not_reach_the_words():
    encoder = TransformerEncoder(8, 2, 2)
    encoder.build((None, 5, 6))
    words, mask = numbers(2, 5, 6), np.array([[True, True, True, False, False]] * 2)
    before = np.array(encoder(words, mask))[:, :3]
    words[:, 3:] = 7
    np.testing.assert_allclose(np.array(encoder(words, mask))[:, :3], before, atol=1e-5)
