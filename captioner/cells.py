"""Recurrent cells behind one interface.

A cell maps an input `float[N, I]` and its states to an output `float[N, H]` and the new states.
The first state tensor of every cell is its output (Keras's convention), which is what the
attention asks with.
"""

import keras

CELLS = {
    "rnn": keras.layers.SimpleRNNCell,
    "lstm": keras.layers.LSTMCell,
    "gru": keras.layers.GRUCell,
}


def recurrent_cell(cell, units, layers=1, name=None):
    """The cell of the given kind, or a stack of `layers` of them.

    Args:
        cell: "rnn" (Elman, 1990), "lstm" (Hochreiter and Schmidhuber, 1997, with the forget gate
            of Gers et al., 2000) or "gru" (Cho et al., 2014).
        units: size H of the output and of every state.
        layers: number of cells, each reading the output of the one below.

    Raises:
        ValueError: an unknown kind of cell.
    """
    if cell not in CELLS:
        raise ValueError(f"unknown cell {cell!r}; there are {', '.join(sorted(CELLS))}")
    if layers == 1:
        return CELLS[cell](units, name=name)
    return keras.layers.StackedRNNCells([CELLS[cell](units) for _ in range(layers)], name=name)


def flat_states(states):
    """The states as a flat list of `float[N, H]`, the form that loops carry."""
    return keras.tree.flatten(states)


def nested_states(cell, states):
    """The flat list of states as `cell` expects it."""
    return keras.tree.pack_sequence_as(cell.state_size, states)


def top_output(cell, states):
    """`float[N, H]`: the output of the topmost cell at the step that left these states."""
    if isinstance(cell, keras.layers.StackedRNNCells):
        states = nested_states(cell, states)[-1]
    return flat_states(states)[0]
