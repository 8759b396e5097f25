"""Training that is killed and goes on: `python tests/training/kills.py`.

A small run over both phases is killed at random moments, each time in a new folder, and started
again until it ends. What it has learned and logged is compared with a run that nobody killed.
"""

import argparse
import csv
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
from PIL import Image

ROOT = Path(__file__).parents[2]
CHILD = """
import sys
sys.path[:0] = sys.argv[3:]
import tensorflow as tf
# Several threads add in another order on a busy machine: differences of 2e-7 were seen.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
from dataclasses import replace
from pathlib import Path
from conftest import with_toy_encoder
import captioner.models.captioner as module
from captioner.models.config import CaptionerConfig
from captioner.training.recipe import FINE_TUNE, FROZEN, Recipe, Source
from captioner.training.train import carry_out

module.build_encoder = with_toy_encoder(module.build_encoder)
sizes = {"annotation_size": 16, "embedding_size": 16, "units": 16, "max_words": 5}
data, output = map(Path, sys.argv[1:3])
recipe = Recipe(
    data={"captions-csv": Source(format="captions-csv", root=data)},
    phases=(replace(FROZEN, epochs=4), replace(FINE_TUNE, epochs=3)),
    model=CaptionerConfig(encoder="toy", image_size=64, **sizes),
    encoder_weights=str(data / "encoder.h5"),
    batch_size=8,
)
print("begun", flush=True)
carry_out(recipe, output)
"""


def make_data(folder: Path) -> None:
    """Pictures in four colours, with captions."""
    (folder / "Images").mkdir(parents=True)
    h5py.File(folder / "encoder.h5", "w").close()
    colours = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (20, 180, 40)}
    with open(folder / "captions.txt", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption", "split"])
        for i in range(48):
            name = list(colours)[i % 3]
            Image.new("RGB", (70, 50), colours[name]).save(folder / "Images" / f"{i}.jpg")
            split = "dev" if i >= 32 else "train"
            rows.writerows([(f"{i}.jpg", f"a picture all {name}", split)] * 2)


def start(data: Path, output: Path) -> "subprocess.Popen[str]":
    """The training, once it has begun."""
    paths = [str(ROOT), str(ROOT / "tests")]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(data), str(output), *paths],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    while child.stdout.readline() not in ("begun\n", ""):
        pass
    return child


def finish(child: "subprocess.Popen[str]") -> None:
    """Wait for the end of the training."""
    child.communicate()
    if child.returncode:
        raise SystemExit(f"a training ended with {child.returncode}")


def curve(output: Path) -> list[dict[str, float]]:
    """The rows of both logs."""
    rows = []
    for phase in ("frozen", "fine-tune"):
        with open(output / "logs" / f"{phase}.csv", newline="") as file:
            rows += [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    return rows


def difference(one: list[dict[str, float]], other: list[dict[str, float]]) -> float:
    """The greatest difference of a number of the logs; infinite if they are of other epochs."""
    if [row["epoch"] for row in one] != [row["epoch"] for row in other]:
        return float("inf")
    pairs = zip(one, other, strict=True)
    return max(abs(a[name] - b[name]) for a, b in pairs for name in a)


def kills(count: int, folder: Path, seed: int = 0) -> Iterator[tuple[float, float]]:
    """Of each killed run the moment, in seconds, and how far it ended from the run that nobody
    killed."""
    data, whole = folder / "data", folder / "whole"
    make_data(data)
    began = time.monotonic()
    child = start(data, whole)
    imports = time.monotonic() - began
    finish(child)
    lasted = time.monotonic() - began - imports
    expected, rng = curve(whole), random.Random(seed)
    for i in range(count):
        output, moment = folder / str(i), rng.uniform(0, lasted)
        child = start(data, output)
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        finish(start(data, output))
        yield moment, difference(expected, curve(output))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("killed after   greatest difference of losses and dev scores")
        for moment, worst in kills(args.kills, Path(folder)):
            print(f"{moment:>10.1f} s   {worst:.2g}", flush=True)


if __name__ == "__main__":
    main()
