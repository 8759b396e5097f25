"""Data parallel training, by Keras's own distribution on JAX.

Every worker is a device that holds the whole model. A batch is divided among them, and JAX compiles
one step for all: the loss is the mean over the words of the whole batch, wherever they lie, and
dropout draws what it would draw on one device.
"""

import contextlib

import keras

from captioner.training.run import TrainingError


def data_parallel(workers: int, batch_size: int) -> contextlib.AbstractContextManager[None]:
    """A context in which models are made, and trained, on so many devices.

    Raises:
        TrainingError: there are not as many, Keras runs on another backend than JAX, or a batch
            cannot be divided evenly.
    """
    if workers == 1:
        return contextlib.nullcontext()
    if keras.backend.backend() != "jax":
        raise TrainingError(
            f"{workers} workers need Keras on JAX: pip install jax, and set KERAS_BACKEND=jax"
        )
    if batch_size % workers:
        raise TrainingError(
            f"{workers} workers cannot share batches of {batch_size} evenly; change one of them"
        )
    devices = keras.distribution.list_devices()
    if len(devices) < workers:
        raise TrainingError(
            f"{workers} workers, but JAX sees only {', '.join(devices)}; to try it on a processor, "
            f"set XLA_FLAGS=--xla_force_host_platform_device_count={workers}"
        )
    distribution = keras.distribution.DataParallel(
        devices=devices[:workers],
        auto_shard_dataset=False,  # that is of tf.data
    )
    return distribution.scope()
