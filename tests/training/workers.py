"""One loss curve on one device, on four, on two processes, and on one and then two devices:
`python tests/training/workers.py`.

A toy is trained on JAX with the same batches each time. "Devices" are made out of the processor by
XLA, and two processes, of two devices each, add their gradients over the network of the machine. A
run that ends within an epoch goes on, on other devices, from where the epoch before left it.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS, BATCH, EPOCHS = 44, 8, 3  # the last batch of an epoch is not full
CHILD = """
import json, os, sys
from pathlib import Path
sys.path[:0] = sys.argv[5:]
workers, process, backup, last = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
import keras
if process:
    keras.distribution.initialize()
import numpy as np
import captioner.models.captioner as module
from conftest import WORDS, with_toy_encoder
from captioner.data.vocabulary import SPECIAL
from captioner.models.config import CaptionerConfig
from captioner.training.backup import Backup
from captioner.training.batches import Batches, Photograph
from captioner.training.distribution import data_parallel
from captioner.training.recipe import Phase
from captioner.training.trainer import Trainer, new_optimizer
from training.workers import BATCH, EPOCHS, PHOTOGRAPHS

module.build_encoder = with_toy_encoder(module.build_encoder)
sizes = {"annotation_size": 8, "embedding_size": 8, "units": 8, "attention_size": 8}
concepts = {"concepts": ("dog", "cat", "man"), "concept_slots": 2}
config = CaptionerConfig(encoder="toy", image_size=64, max_words=6, **sizes, **concepts)
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

def after_step(batch, logs):
    curve.append(float(logs["loss"]))
    if len(curve) == last:  # no more is done, least of all is anything put in order
        print(json.dumps(curve), flush=True)
        os._exit(0)

with data_parallel(workers, BATCH):
    keras.utils.set_random_seed(0)
    model = module.Captioner([*SPECIAL, *WORDS], config)
    model.encoder.trainable = model.concept_head.trainable = False
    kind = Shared if process else Batches
    data = kind(photographs, lambda i, *_: features[i], "features", model, BATCH, 0)
    phase = Phase(name="frozen", epochs=EPOCHS, learning_rate=0.02)
    trainer = Trainer(model, data[0][1], new_optimizer(phase, len(data)))
    watch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(data, "epoch", epoch),
        on_train_batch_end=after_step,
    )
    keeps = [Backup(Path(backup))] if backup else []
    done = len(keeps[0].history) if backup else 0
    trainer.fit(
        data, epochs=EPOCHS, initial_epoch=done, shuffle=False, verbose=0, callbacks=[watch, *keeps]
    )
print(json.dumps(curve))
"""


def start(
    workers: int,
    devices: int,
    process: str = "",
    backup: str | Path = "",
    last: int = 0,
    **more: str,
) -> "subprocess.Popen[str]":
    """A training on so many workers, in a process that has so many devices.

    Args:
        workers: how many devices share a batch.
        devices: how many there are.
        process: its number, where there are several.
        backup: the file that keeps what is done, and from which it goes on if it is there.
        last: the step after which the process ends; 0 to train to the end.
        more: of the environment.
    """
    paths = [str(ROOT), str(ROOT / "tests")]
    flags = f"--xla_force_host_platform_device_count={devices}"
    settings = {"KERAS_BACKEND": "jax", "XLA_FLAGS": flags, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(workers), process, str(backup), str(last), *paths],
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


def on_one_then_two(folder: Path) -> list[float]:
    """The curve of a run that ends on one device, in the middle of its second epoch, and is started
    again on two."""
    epoch, backup = -(-PHOTOGRAPHS // BATCH), folder / "frozen.npz"
    first = curve(start(1, 2, backup=backup, last=epoch + epoch // 2))
    assert len(first) == epoch + epoch // 2
    return first[:epoch] + curve(start(2, 2, backup=backup))


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
    with tempfile.TemporaryDirectory() as folder:
        resumed = on_one_then_two(Path(folder))
    print(f"1 device, interrupted, then 2: by {difference(whole, resumed):.1g}", flush=True)


if __name__ == "__main__":
    main()
