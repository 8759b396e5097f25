import keras
import numpy as np
import pytest
from keras import ops

from captioner.layers.attention import ATTENTIONS, attend, attention_layer
from captioner.layers.cells import CELLS, nested_states, recurrent_cell
from captioner.layers.decoder import AttentionDecoder


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(x):
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def built_attention(kind):
    attention = attention_layer(kind, 4)
    annotations, query = numbers(2, 5, 3), numbers(6, 7, seed=1)  # three queries for each memory
    attention.build(annotations.shape, query.shape)
    return attention, annotations, query


def test_additive_attention_follows_its_equation():
    attention, annotations, query = built_attention("additive")
    weights = ops.convert_to_numpy(attention(query, attention.keys(annotations)))

    w_key, b_key = attention.key.get_weights()
    (w_query,), (v,) = attention.query.get_weights(), attention.score.get_weights()
    for n in range(6):
        scores = np.tanh(annotations[n // 3] @ w_key + b_key + query[n] @ w_query) @ v[:, 0]
        np.testing.assert_allclose(weights[n], softmax(scores), rtol=1e-4)


def test_dot_attention_follows_its_equation():
    attention, annotations, query = built_attention("dot")
    weights = ops.convert_to_numpy(attention(query, attention.keys(annotations)))
    (w_key,), (w_query,) = attention.key.get_weights(), attention.query.get_weights()
    for n in range(6):
        scores = (annotations[n // 3] @ w_key) @ (query[n] @ w_query) / np.sqrt(4)
        np.testing.assert_allclose(weights[n], softmax(scores), rtol=1e-4)


@pytest.mark.parametrize("kind", sorted(ATTENTIONS))
def test_attention_ignores_padding(kind):
    attention, annotations, query = built_attention(kind)
    written = np.array([[True] * 5, [True, True, False, False, False]])
    weights = ops.convert_to_numpy(attention(query, attention.keys(annotations), written))
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    assert (weights[3:, 2:] == 0).all() and (weights[:3] > 0).all()
    alone = attention(query[3:], attention.keys(annotations[1:, :2]))
    np.testing.assert_allclose(weights[3:, :2], alone, rtol=1e-4)
    if kind == "mean":
        np.testing.assert_allclose(weights[3:, :2], 1 / 2)
        np.testing.assert_allclose(weights[:3], 1 / 5)


def test_an_unknown_attention_is_named():
    with pytest.raises(ValueError, match="'hard'; choose additive, dot, mean"):
        attention_layer("hard", 4)


def test_context_is_the_weighted_mean_of_its_own_photograph():
    annotations, weights = numbers(2, 5, 3), softmax(numbers(4, 5, seed=1))
    context = ops.convert_to_numpy(attend(weights, annotations))
    for n in range(4):
        np.testing.assert_allclose(context[n], weights[n] @ annotations[n // 2], rtol=1e-4)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_every_cell_starts_from_its_memory_and_reads_it(cell, layers):
    decoder = AttentionDecoder(10, 4, 6, 5, cell, layers, dropout=0.0)
    tokens, annotations = np.array([[1, 4, 5], [1, 6, 7]]), numbers(2, 5, 3)
    decoder.build(tokens.shape, annotations.shape)
    logits, weights = decoder(tokens, decoder.memory(annotations))
    assert logits.shape == (2, 3, 10)
    np.testing.assert_allclose(ops.sum(weights, -1), np.ones((2, 3)), rtol=1e-5)
    other, _ = decoder(tokens, decoder.memory(annotations + 1))
    assert np.abs(logits - other).max() > 1e-3

    states = decoder.initial_states(decoder.memory(annotations), 1)
    mean = annotations.mean(1)
    kernel, bias = decoder.initial[0].get_weights()
    np.testing.assert_allclose(states[0], np.tanh(mean @ kernel + bias), rtol=1e-4)


@pytest.mark.parametrize("attention", sorted(ATTENTIONS))
def test_padding_of_the_memory_changes_nothing(attention):
    decoder = AttentionDecoder(10, 4, 6, 5, dropout=0.0, attention=attention)
    tokens, annotations = np.array([[1, 4, 5], [1, 6, 7]]), numbers(2, 5, 3)
    decoder.build(tokens.shape, annotations.shape)
    written = np.arange(5) < np.array([[5], [2]])
    logits, _ = decoder(tokens, decoder.memory(annotations, written))
    alone, _ = decoder(tokens[1:], decoder.memory(annotations[1:, :2]))
    np.testing.assert_allclose(logits[1:], alone, rtol=1e-3, atol=1e-5)


def test_a_window_goes_on_where_the_one_before_ended():
    decoder = AttentionDecoder(10, 4, 6, 5, dropout=0.0)
    tokens, annotations = np.array([[1, 4, 5, 6]]), numbers(1, 5, 3)
    decoder.build(tokens.shape, annotations.shape)
    memory = decoder.memory(annotations)
    whole, _ = decoder(tokens, decoder.memory(annotations))
    first, _, states = decoder.unroll(tokens[:, :2], decoder.initial_states(memory, 1), memory)
    second, _, _ = decoder.unroll(tokens[:, 2:], states, memory)
    np.testing.assert_allclose(whole, np.concatenate([first, second], 1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("condition_size", [0, 4])
@pytest.mark.parametrize("concepts", [False, True])
def test_the_teacher_forced_pass_is_the_step_repeated(condition_size, concepts):
    decoder = AttentionDecoder(
        10, 4, 6, 5, dropout=0.5, condition_size=condition_size, concepts=concepts
    )
    tokens, annotations = np.array([[1, 4, 5], [1, 6, 7]]), numbers(1, 5, 3)
    condition = numbers(2, condition_size) if condition_size else None
    decoder.build(tokens.shape, annotations.shape)
    slots = None
    if concepts:
        regions = softmax(numbers(1, 2, 5, seed=3))
        slots = decoder.concept_slots(
            np.array([[4, 7]]), numbers(1, 2), np.ones((1, 2), bool), regions
        )
    memory = decoder.memory(annotations, concepts=slots)
    logits, attention = decoder(tokens, memory, condition)
    states = decoder.initial_states(memory, 2, condition)
    for t in range(3):
        words = decoder.embedding(tokens[:, t])
        output, context, weights, states = decoder.step(words, states, memory, condition)
        np.testing.assert_allclose(attention[:, t], weights, rtol=1e-4)
        step_logits = decoder.logits(words, output, context, condition)
        np.testing.assert_allclose(logits[:, t], step_logits, rtol=1e-3, atol=1e-5)


def test_the_product_of_condition_and_memory_follows_its_equation():
    decoder = AttentionDecoder(7, 4, 5, 3, condition_size=6, fusion="product")
    decoder.build((None, 2), (None, 3, 8))
    decoder.fusion_output.kernel.assign(numbers(5, 4))
    words, outputs, regions, condition = (
        numbers(2, size, seed=i) for i, size in enumerate((4, 5, 8, 6))
    )
    got = decoder.logits(words, outputs, (regions, None), condition)
    evidence = words + decoder.output_hidden(outputs) + decoder.output_context(regions)
    product = np.tanh(evidence @ decoder.fusion_memory.kernel) * np.tanh(
        condition @ decoder.fusion_condition.kernel
    )
    deep = evidence + decoder.output_condition(condition) + product @ decoder.fusion_output.kernel
    expected = decoder.output_norm(deep) @ np.array(decoder.embedding.embeddings).T
    np.testing.assert_allclose(got, expected, atol=1e-5)
    # A caption has the condition zero, so the product does not change it.
    caption = decoder.logits(words, outputs, (regions, None), np.zeros_like(condition))
    decoder.fusion_output.kernel.assign(numbers(5, 4, seed=1))
    np.testing.assert_array_equal(
        caption, decoder.logits(words, outputs, (regions, None), np.zeros_like(condition))
    )


def test_an_output_never_depends_on_later_words():
    decoder = AttentionDecoder(10, 4, 6, 5)
    annotations = numbers(1, 5, 3)
    decoder.build((1, 3), annotations.shape)
    one, _ = decoder(np.array([[1, 4, 5]]), decoder.memory(annotations))
    other, _ = decoder(np.array([[1, 4, 9]]), decoder.memory(annotations))
    np.testing.assert_allclose(one[:, :2], other[:, :2], rtol=1e-5)
    assert np.abs(one[:, 2] - other[:, 2]).max() > 1e-3


def test_at_first_a_word_is_heard_as_well_as_what_is_read_beside_it():
    keras.utils.set_random_seed(0)
    decoder = AttentionDecoder(50, 64, 32, layers=2)
    annotations = numbers(8, 5, 16)
    decoder.build((8, 3), annotations.shape)
    words = decoder.embedding(np.arange(50))
    overview = decoder.memory(annotations).overview
    kernel = decoder.recurrent.cells[0].kernel
    heard, beside = (np.std(np.array(x) @ np.array(kernel)) for x in (words, overview))
    # 64 numbers from -0.05 to 0.05, as loud as if each were 8 times as large.
    assert heard == pytest.approx(64 * 0.05 / 3**0.5 * (2 / (64 + 4 * 32)) ** 0.5, rel=0.1)
    assert 1 / 4 < heard / beside < 4
    above = np.std(np.array(decoder.recurrent.cells[1].kernel))
    assert above == pytest.approx((2 / (32 + 4 * 32)) ** 0.5, rel=0.1)  # as Keras would


def test_the_state_that_has_read_the_word_before_is_what_looks():
    keras.utils.set_random_seed(0)
    decoder = AttentionDecoder(10, 4, 6, 5, layers=2)
    annotations = numbers(1, 5, 3)
    decoder.build((1, 3), annotations.shape)
    memory = decoder.memory(annotations)
    states = decoder.initial_states(memory, 1)
    looked = [
        decoder.step(decoder.embedding(np.array([word])), states, memory)[2] for word in (4, 7)
    ]
    assert np.abs(looked[0] - looked[1]).max() > 1e-5  # another word, another look


def concept_decoder(embedding_size=4):
    decoder = AttentionDecoder(
        10, embedding_size, 6, 5, dropout=0.5, attention="dot", concepts=True
    )
    decoder.build((None, 3), (None, 5, 3))
    return decoder


def slots_of(decoder, regions=None):
    present = np.array([[True, True, False], [True, True, True]])
    return decoder.concept_slots(np.array([[4, 7, 0], [5, 6, 8]]), numbers(2, 3), present, regions)


def test_to_look_at_a_concept_is_to_look_where_its_evidence_lies():
    decoder, annotations, outputs = concept_decoder(), numbers(2, 5, 3), numbers(4, 6, seed=2)
    regions = softmax(numbers(2, 3, 5, seed=1))
    memory = decoder.memory(annotations, concepts=slots_of(decoder, regions))
    _, weights = decoder.look(outputs, memory)
    seen = np.array(decoder.attention(outputs, memory.keys))
    named = np.array(
        decoder.concept_attention(outputs, memory.concepts.keys, memory.concepts.present)
    )
    np.testing.assert_allclose(named[:2, 2], 0, atol=1e-6)  # an empty slot is not looked at
    gates = np.array(decoder.gate(outputs)), np.array(decoder.concept_gate(outputs))
    for n in range(4):
        mixed = gates[0][n] * seen[n] + gates[1][n] * (named[n] @ regions[n // 2])
        np.testing.assert_allclose(weights[n], mixed / (gates[0][n] + gates[1][n]), rtol=1e-4)
    np.testing.assert_allclose(np.sum(weights, axis=-1), 1, rtol=1e-5)


def test_sentences_without_a_photograph_are_written_from_concepts_alone():
    decoder, tokens = concept_decoder(), np.array([[1, 4, 5], [1, 6, 7]])
    slots = slots_of(decoder)
    logits, attention = decoder(tokens, decoder.memory(None, concepts=slots))
    assert attention is None
    # Empty slots say nothing, whatever word they hold.
    other = decoder.concept_slots(
        np.array([[4, 7, 9], [5, 6, 8]]), numbers(2, 3), slots.present, None
    )
    same, _ = decoder(tokens, decoder.memory(None, concepts=other))
    np.testing.assert_allclose(logits, same, rtol=1e-4, atol=1e-5)
    swapped = decoder.concept_slots(
        np.array([[4, 3, 0], [5, 6, 8]]), numbers(2, 3), slots.present, None
    )
    changed, _ = decoder(tokens, decoder.memory(None, concepts=swapped))
    assert np.abs(logits[0] - changed[0]).max() > 1e-4
    np.testing.assert_allclose(logits[1], changed[1], rtol=1e-4, atol=1e-5)


def test_at_first_to_look_at_a_concept_is_to_say_it():
    decoder = concept_decoder(embedding_size=64)
    slots = decoder.concept_slots(np.array([[4, 7]]), numbers(1, 2), np.ones((1, 2), bool))
    nothing = ops.zeros((1, 64)), ops.zeros((1, 6))
    for slot, word in enumerate((4, 7)):
        logits = decoder.logits(*nothing, (None, 10 * slots.vectors[:, slot]))
        assert np.argmax(logits[0]) == word


def test_deep_stacks_have_residual_connections():
    for layers in (3, 4):
        cell = recurrent_cell("rnn", 3, layers)
        cell.build((None, 2))
        for cell_weights in cell.weights[3:]:  # all cells but the first write nothing
            cell_weights.assign(ops.zeros_like(cell_weights))
        output, states = cell(numbers(1, 2), nested_states(cell, [np.zeros((1, 3))] * layers))
        passed_on = np.abs(output - states[0]).max() < 1e-6
        assert passed_on == (layers == 4)
        np.testing.assert_array_equal(states[-1], np.zeros((1, 3)))


def test_an_unknown_cell_is_named():
    with pytest.raises(ValueError, match="gru2.*gru, lstm, peephole_lstm, rnn"):
        recurrent_cell("gru2", 3)


def test_dropout_acts_in_training_only():
    decoder = AttentionDecoder(10, 4, 6, 5, dropout=0.5)
    tokens, annotations = np.array([[1, 4, 5]]), numbers(1, 5, 3)
    decoder.build(tokens.shape, annotations.shape)
    memory = decoder.memory(annotations)
    plain = [ops.convert_to_numpy(decoder(tokens, memory)[0]) for _ in range(2)]
    np.testing.assert_array_equal(*plain)
    noisy = ops.convert_to_numpy(decoder(tokens, memory, training=True)[0])
    assert np.abs(noisy - plain[0]).max() > 1e-3


def test_a_decoder_is_rebuilt_from_its_configuration():
    decoder = AttentionDecoder(10, 4, 6, 5, "gru", 4, 0.1, 3, "dot", True, name="decoder")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(decoder))
    assert again.get_config() == decoder.get_config()
