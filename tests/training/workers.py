"""One loss curve on one device, on four, and on two processes: `python tests/training/workers.py`.

A toy is trained on JAX with the same batches each time. "Devices" are made out of the processor by
XLA, and two processes, of two devices each, add their gradients over the network of the machine.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS, BATCH, EPOCHS = 44, 8, 3  # the last batch of an epoch is not full
CHILD = """
import json, os, sys
sys.path[:0] = sys.argv[3:]
workers, process = int(sys.argv[1]), sys.argv[2]
import keras
if process:
    keras.distribution.initialize()
import numpy as np
import captioner.models.captioner as module
from conftest import WORDS, with_toy_encoder
from captioner.data.vocabulary import SPECIAL
from captioner.models.config import CaptionerConfig
from captioner.training.batches import Batches, Photograph
from captioner.training.distribution import data_parallel
from captioner.training.fit import compile_model
from captioner.training.recipe import Phase
from training.workers import BATCH, EPOCHS, PHOTOGRAPHS

module.build_encoder = with_toy_encoder(module.build_encoder)
sizes = {"annotation_size": 8, "embedding_size": 8, "units": 8, "attention_size": 8}
config = CaptionerConfig(encoder="toy", image_size=64, max_words=6, **sizes)
rng = np.random.default_rng(0)
photographs = [
    Photograph(None, tuple(" ".join(rng.choice(WORDS, rng.integers(2, 6))) for _ in range(2)), ())
    for _ in range(PHOTOGRAPHS)
]
features = rng.normal(size=(PHOTOGRAPHS, 4, 12)).astype("float16")
curve = []

class Shared(Batches):
    # A process gives JAX the rows of its own devices.
    def __getitem__(self, index):
        share = BATCH // int(os.environ["KERAS_DISTRIBUTION_NUM_PROCESSES"])
        rows = slice(int(process) * share, (int(process) + 1) * share)
        batch = super().__getitem__(index)
        return tuple({name: array[rows] for name, array in part.items()} for part in batch)

with data_parallel(workers, BATCH):
    keras.utils.set_random_seed(0)
    model = module.Captioner([*SPECIAL, *WORDS], config)
    model.encoder.trainable = False
    kind = Shared if process else Batches
    data = kind(photographs, lambda i, *_: features[i], "features", model, BATCH, 0)
    compile_model(model, data, Phase(name="frozen", epochs=EPOCHS, learning_rate=0.02))
    watch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(data, "epoch", epoch),
        on_train_batch_end=lambda batch, logs: curve.append(float(logs["loss"])),
    )
    model.fit(data, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[watch])
print(json.dumps(curve))
"""


def start(workers: int, devices: int, process: str = "", **more: str) -> "subprocess.Popen[str]":
    """A training on so many workers, in a process that has so many devices."""
    paths = [str(ROOT), str(ROOT / "tests")]
    flags = f"--xla_force_host_platform_device_count={devices}"
    settings = {"KERAS_BACKEND": "jax", "XLA_FLAGS": flags, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(workers), process, *paths],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings, **more},
    )


def curve(child: "subprocess.Popen[str]") -> list[float]:
    """The loss after every step: the mean of its epoch so far."""
    output, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"a training ended with {child.returncode}")
    return json.loads(output.splitlines()[-1])


def in_one_process(workers: int) -> list[float]:
    """The curve on so many devices."""
    return curve(start(workers, workers))


def in_two_processes() -> list[float]:
    """The curve on two devices in each of two processes."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    children = [
        start(
            *(4, 2, number),
            KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
            KERAS_DISTRIBUTION_NUM_PROCESSES="2",
            KERAS_DISTRIBUTION_PROCESS_ID=number,
        )
        for number in ("0", "1")
    ]
    one, other = map(curve, children)
    assert one == other, "two processes of one training tell of different losses"
    return one


def difference(one: list[float], other: list[float]) -> float:
    """The greatest difference of two curves, relative to the loss."""
    return max(abs(a - b) / a for a, b in zip(one, other, strict=True))


def main() -> None:
    """Print the table."""
    whole = in_one_process(1)
    print(
        f"1 device: loss {whole[0]:.4f} at first, {whole[-1]:.4f} after {len(whole)} steps",
        flush=True,
    )
    print(f"4 devices: differs by {difference(whole, in_one_process(4)):.1g} at most", flush=True)
    print(f"2 processes of 2 devices: by {difference(whole, in_two_processes()):.1g}", flush=True)


if __name__ == "__main__":
    main()
