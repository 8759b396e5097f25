"""A captioner as two functions of tensors: the encoder and the search."""

from typing import Any

import tensorflow as tf

from captioner.models.captioner import Captioner

ENDPOINTS = ("encoder", "search")


def functions_of(model: Captioner) -> tuple[Any, Any]:
    """The `tf.function`s of `ENDPOINTS`, each with its signature."""
    return encoder_of(model), search_of(model)


def encoder_of(model: Captioner) -> Any:
    """A `tf.function` of "photographs" `uint8[B, S, S, 3]`: a dict of "features"
    `float[B, R, C]`."""
    size = model.config.image_size

    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.uint8, "photographs")])
    def encoder(photographs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"features": model.features(photographs)}

    return encoder


def search_of(model: Captioner) -> Any:
    """A `tf.function` of the inputs of `captioner.generation.loop.Generator`, by name. It has
    "questions" only if the model answers questions."""
    generator = model.compiled_functions.generator
    channels = model.encoder.output_shape[-1]
    signature = [
        tf.TensorSpec((None, model.regions, channels), tf.float32, "features"),
        tf.TensorSpec((model.steps, None, None), tf.float32, "uniform"),
        tf.TensorSpec((), tf.float32, "temperature"),
        tf.TensorSpec((), tf.float32, "top_p"),
    ]
    if model.answers:
        shape = (None, None, model.config.max_question_words)
        signature.append(tf.TensorSpec(shape, tf.int32, "questions"))
    names = [spec.name for spec in signature]

    @tf.function(input_signature=signature)
    def search(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return generator(dict(zip(names, tensors, strict=True)))

    return search
