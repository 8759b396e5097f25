"""Data parallel training with `keras.distribution` on JAX.

Every worker is a device with a copy of the model and a part of each batch. JAX compiles one step
for all devices. So the loss is that of the whole batch, and dropout has the same random numbers as
on one device.
"""

import contextlib

import keras

from captioner.training.run import TrainingError


def data_parallel(workers: int, batch_size: int) -> contextlib.AbstractContextManager[None]:
    """A context that builds and trains models on several devices.

    Raises:
        TrainingError: there are fewer devices, Keras runs on another backend than JAX, or a batch
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
        auto_shard_dataset=False,  # for tf.data only
    )
    return distribution.scope()
