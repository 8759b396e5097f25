"""Recurrent cells behind one interface.

A cell maps an input `float[N, I]` and its states to an output `float[N, H]` and the new states.
The first state tensor of every cell is its hidden state h (Keras's convention).
"""

from typing import Any

import keras
from keras import ops

from captioner.layers.tensor import Shape, Tensor

RESIDUAL_LAYERS = 4  # stacks as deep as this do not train well without residual connections


@keras.saving.register_keras_serializable("captioner")
class PeepholeLSTMCell(keras.layers.LSTMCell):
    """An LSTM whose gates see the cell state (Gers and Schmidhuber, 2000).

    `i = s(W_i x + U_i h + p_i c + b_i)` and `f` alike read the cell state c[t-1] before the step,
    `o` the state c[t] after it. The peephole weights p are vectors: a gate sees its own cell only.

    Args:
        units: H, the size of both states; other arguments are those of `keras.layers.LSTMCell`,
            of whose dropouts this cell makes no use.
    """

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        # At 0 the cell begins as a plain LSTM.
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
    """A cell that adds what it reads to what it writes (Wu et al., 2016, section 3.1).

    Args:
        layer: the cell; it reads as many numbers as it writes.
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
    """The cell of the given kind, or a stack of `layers` of them.

    In a stack of four or more, all cells but the first have residual connections.

    Args:
        cell: "rnn" (Elman, 1990), "lstm" (Hochreiter and Schmidhuber, 1997, with the forget gate
            of Gers et al., 2000), "gru" (Cho et al., 2014) or "peephole_lstm" (Gers and
            Schmidhuber, 2000).
        units: size H of the output and of every state.
        layers: number of cells, each reading the output of the one below.
        name: of the layer.
        kernel_initializer: of the weights with which the lowest cell reads its input.

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
    """The states as a flat list of `float[N, H]`, the form that loops carry."""
    return keras.tree.flatten(states)


def nested_states(cell: keras.layers.Layer, states: list[Tensor]) -> Any:
    """The flat list of states as `cell` expects it."""
    return keras.tree.pack_sequence_as(cell.state_size, states)
