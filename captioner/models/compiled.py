"""The compiled functions of a model."""

import functools

import keras

from captioner.generation.loop import Generator, jit_compile


class CompiledFunctions:
    """Compiles functions at first use, because compilation takes longer than captioning.

    The functions are not attributes of the model, because Keras would treat them as its layers.

    Args:
        model: a `ConditionalLanguageModel`.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    @functools.cached_property
    def generator(self) -> Generator:
        """The search, from a dict of inputs."""
        return Generator(self.model)

    @functools.cached_property
    def encoder(self) -> keras.Model:
        """The CNN of a captioner, from photographs in 0..255."""
        compiled = keras.Sequential([self.model.encoder])
        compiled.jit_compile = jit_compile()
        return compiled
