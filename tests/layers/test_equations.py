"""Recurrent networks against their formulas, written out in NumPy.

Matrices act on row vectors from the right, as in Keras; `U` are recurrent, `W` read the input.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from captioner.layers.cells import recurrent_cell

N, T, E, H = 2, 5, 3, 4


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def network(kind):
    """A layer in double precision, no weight of it 0, and its weights."""
    keras.utils.set_random_seed(0)
    cell = recurrent_cell(kind, H)
    cell.dtype_policy = "float64"
    layer = keras.layers.RNN(cell, return_sequences=True, dtype="float64")
    layer.build((N, T, E))
    for i, weight in enumerate(layer.weights):
        weight.assign(0.5 * numbers(*weight.shape, seed=i))
    return layer, [keras.ops.convert_to_numpy(weight) for weight in layer.weights]


def rnn(x, W, U, b):
    h, outputs = np.zeros((N, H)), []
    for t in range(T):
        h = np.tanh(x[:, t] @ W + h @ U + b)
        outputs.append(h)
    return np.stack(outputs, 1)


def lstm(x, W, U, b, p=(0, 0, 0)):
    """With peephole weights p of the gates i, f and o, which are 0 in the plain LSTM."""
    h, c, outputs = np.zeros((N, H)), np.zeros((N, H)), []
    for t in range(T):
        zi, zf, zg, zo = np.split(x[:, t] @ W + h @ U + b, 4, axis=-1)
        i, f = sigmoid(zi + p[0] * c), sigmoid(zf + p[1] * c)
        c = f * c + i * np.tanh(zg)
        h = sigmoid(zo + p[2] * c) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1)


def gru(x, W, U, b):
    """Cho et al. (2014) in the form that cuDNN computes: the reset gate acts after U."""
    (Wz, Wr, Wn), (Uz, Ur, Un) = np.split(W, 3, axis=1), np.split(U, 3, axis=1)
    (bz, br, bn), (dz, dr, dn) = np.split(b[0], 3), np.split(b[1], 3)
    h, outputs = np.zeros((N, H)), []
    for t in range(T):
        z = sigmoid(x[:, t] @ Wz + bz + h @ Uz + dz)
        r = sigmoid(x[:, t] @ Wr + br + h @ Ur + dr)
        n = np.tanh(x[:, t] @ Wn + bn + r * (h @ Un + dn))
        h = z * h + (1 - z) * n
        outputs.append(h)
    return np.stack(outputs, 1)


FORMULAS = {"rnn": rnn, "lstm": lstm, "gru": gru, "peephole_lstm": lstm}


@pytest.mark.parametrize("kind", sorted(FORMULAS))
def test_the_forward_pass_follows_its_formula(kind):
    layer, weights = network(kind)
    x = numbers(N, T, E, seed=9)
    np.testing.assert_allclose(layer(x), FORMULAS[kind](x, *weights), rtol=1e-9)


def test_without_peepholes_the_peephole_cell_is_the_plain_one():
    plain, weights = network("lstm")
    peephole, _ = network("peephole_lstm")
    x = numbers(N, T, E, seed=9)
    peephole.set_weights([*weights, np.zeros((3, H))])
    np.testing.assert_allclose(peephole(x), plain(x), rtol=1e-9)
    peephole.set_weights([*weights, np.ones((3, H))])
    assert np.abs(peephole(x) - plain(x)).max() > 1e-3


def lstm_gradients(x, W, U, b, dh_out, through_cell_state=True):
    """Back-propagation through time by hand.

    The derivative of the loss by c[t] has two terms: through h[t] = o tanh(c[t]), and through
    c[t+1] = f[t+1] c[t] + i[t+1] g[t+1], which is f[t+1] times that by c[t+1]. The second is
    what carries an error over many steps; derivations in print often leave it out, which
    `through_cell_state=False` repeats.

    Args:
        dh_out: `float[N, T, H]`, derivatives of the loss by the outputs themselves.

    Returns:
        The gradients of W, U and b.
    """
    h, c, tape = np.zeros((N, H)), np.zeros((N, H)), []
    for t in range(T):
        zi, zf, zg, zo = np.split(x[:, t] @ W + h @ U + b, 4, axis=-1)
        i, f, g, o = sigmoid(zi), sigmoid(zf), np.tanh(zg), sigmoid(zo)
        new = f * c + i * g
        tape.append((h, c, i, f, g, o, new))
        h, c = o * np.tanh(new), new

    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    dh_next, dc_next = np.zeros((N, H)), np.zeros((N, H))
    for t in reversed(range(T)):
        h, c, i, f, g, o, new = tape[t]
        dh = dh_out[:, t] + dh_next
        dc = dh * o * (1 - np.tanh(new) ** 2) + dc_next
        dz = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c * f * (1 - f),
                dc * i * (1 - g**2),
                dh * np.tanh(new) * o * (1 - o),
            ],
            axis=-1,
        )
        dW, dU, db = dW + x[:, t].T @ dz, dU + h.T @ dz, db + dz.sum(0)
        dh_next = dz @ U.T
        dc_next = dc * f if through_cell_state else dc_next
    return dW, dU, db


def test_back_propagation_through_time_by_hand_and_by_automatic_differentiation():
    layer, weights = network("lstm")
    x, dh_out = numbers(N, T, E, seed=9), numbers(N, T, H, seed=10)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) * dh_out)
    automatic = tape.gradient(loss, [weight.value for weight in layer.weights])
    for by_hand, expected in zip(lstm_gradients(x, *weights, dh_out), automatic, strict=True):
        np.testing.assert_allclose(by_hand, expected, rtol=1e-7)
    forgetful = lstm_gradients(x, *weights, dh_out, through_cell_state=False)
    for wrong, expected in zip(forgetful, automatic, strict=True):
        assert np.abs(wrong - expected).max() > 0.05 * np.abs(expected).max()


def test_without_the_cell_states_path_a_long_memory_gets_no_gradient():
    """Open forget gates, no recurrent weights: the first input reaches the loss through c alone."""
    _, (W, U, b) = network("lstm")
    U, b = 0 * U, np.repeat([0.0, 30.0, 0.0, 0.0], H)
    x, dh_out = numbers(N, T, E, seed=9), np.zeros((N, T, H))
    x[:, 1:], dh_out[:, -1] = 0, 1
    dW, _, _ = lstm_gradients(x, W, U, b, dh_out)
    forgetful, _, _ = lstm_gradients(x, W, U, b, dh_out, through_cell_state=False)
    assert np.abs(dW).max() > 0.1
    np.testing.assert_array_equal(forgetful, 0)


def test_a_network_of_ones_by_hand():
    """All weights 1, no biases, linear: two hidden units that feed back, two output units.

    h = (2, 2), (6, 6), (16, 16): each hidden unit adds up both inputs and both hidden units.
    """
    cell = keras.layers.SimpleRNNCell(
        2,
        activation="linear",
        use_bias=False,
        kernel_initializer="ones",
        recurrent_initializer="ones",
    )
    output = keras.layers.Dense(2, use_bias=False, kernel_initializer="ones")
    x = np.array([[[1, 1], [1, 1], [2, 2]]], "float32")
    outputs = output(keras.layers.RNN(cell, return_sequences=True)(x))
    np.testing.assert_array_equal(outputs[0], [[4, 4], [12, 12], [32, 32]])
