"""Recurrent cells behind one interface.

A cell maps an input `float[N, I]` and its states to an output `float[N, H]` and the new states.
The first state tensor of every cell is its hidden state h (Keras's convention).
"""

from typing import Any

import keras
from keras import ops

from captioner.layers.tensor import Shape, Tensor

RESIDUAL_LAYERS = 4  # from this depth on, stacks get residual connections (Wu et al., 2016)


@keras.saving.register_keras_serializable("captioner")
class PeepholeLSTMCell(keras.layers.LSTMCell):
    """An LSTM whose gates see the cell state (Gers and Schmidhuber, 2000).

    `i = s(W_i x + U_i h + p_i c + b_i)` and `f` read the cell state c[t-1], `o` reads c[t]. The
    peephole weights p are vectors: each gate reads only its own cell.

    Args:
        units: H, the size of both states. The other arguments are those of
            `keras.layers.LSTMCell`; dropout is not supported.
    """

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        # With zeros the cell starts as a plain LSTM.
        self.peephole = self.add_weight((3, self.units), "zeros", name="peephole")

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        hidden, carry = states
        gates = ops.matmul(inputs, self.kernel) + ops.matmul(hidden, self.recurrent_kernel)
        i, f, g, o = ops.split(gates + self.bias, 4, axis=-1)
        i = self.recurrent_activation(i + self.peephole[0] * carry)
        f = self.recurrent_activation(f + self.peephole[1] * carry)
        carry = f * carry + i * self.activation(g)
        hidden = self.recurrent_activation(o + self.peephole[2] * carry) * self.activation(carry)
        return hidden, [hidden, carry]


@keras.saving.register_keras_serializable("captioner")
class ResidualCell(keras.layers.Wrapper):
    """A cell with a residual connection (Wu et al., 2016, section 3.1).

    Args:
        layer: the cell. Its inputs and outputs have the same size.
    """

    @property
    def state_size(self) -> Any:
        return self.layer.state_size

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        output, states = self.layer(inputs, states, training=training)
        return inputs + output, states


CELLS = {
    "rnn": keras.layers.SimpleRNNCell,
    "lstm": keras.layers.LSTMCell,
    "gru": keras.layers.GRUCell,
    "peephole_lstm": PeepholeLSTMCell,
}


def recurrent_cell(
    cell: str,
    units: int,
    layers: int = 1,
    name: str | None = None,
    kernel_initializer: Any = "glorot_uniform",
) -> keras.layers.Layer:
    """Create a cell of the given kind, or a stack of `layers` cells.

    In a stack of four or more, all cells except the first have residual connections.

    Args:
        cell: "rnn" (Elman, 1990), "lstm" (Hochreiter and Schmidhuber, 1997, with the forget gate
            of Gers et al., 2000), "gru" (Cho et al., 2014) or "peephole_lstm" (Gers and
            Schmidhuber, 2000).
        units: size H of the output and of every state.
        layers: number of cells, each reading the output of the one below.
        name: of the layer.
        kernel_initializer: of the input weights of the lowest cell.

    Raises:
        ValueError: an unknown kind of cell.
    """
    if cell not in CELLS:
        raise ValueError(f"unknown cell {cell!r}; there are {', '.join(sorted(CELLS))}")
    if layers == 1:
        return CELLS[cell](units, name=name, kernel_initializer=kernel_initializer)
    cells = [CELLS[cell](units, kernel_initializer=kernel_initializer)]
    cells += [CELLS[cell](units) for _ in range(layers - 1)]
    if layers >= RESIDUAL_LAYERS:
        cells[1:] = map(ResidualCell, cells[1:])
    return keras.layers.StackedRNNCells(cells, name=name)


def flat_states(states: Any) -> list[Tensor]:
    """Flatten states to a list of `float[N, H]`, the form that loops use."""
    return keras.tree.flatten(states)


def nested_states(cell: keras.layers.Layer, states: list[Tensor]) -> Any:
    """Undo `flat_states`: the states in the structure that `cell` expects."""
    return keras.tree.pack_sequence_as(cell.state_size, states)
