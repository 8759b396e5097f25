"""The compiled functions of a model, which live as long as it does."""

import functools

import keras

from captioner.generation.loop import Generator, jit_compile


class CompiledFunctions:
    """Compiles at first use, because that takes longer than captioning, and keeps what it made.

    No attribute of the model itself: Keras would take the compiled functions for its layers.

    Args:
        model: a `ConditionalLanguageModel`.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    @functools.cached_property
    def generator(self) -> Generator:
        """The search, of a dict of inputs."""
        return Generator(self.model)

    @functools.cached_property
    def encoder(self) -> keras.Model:
        """The CNN of a captioner, of photographs in 0..255."""
        compiled = keras.Sequential([self.model.encoder])
        compiled.jit_compile = jit_compile()
        return compiled
