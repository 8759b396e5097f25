"""Training on features that do not fit into memory: `python benchmarks/features.py`.

Data sets are generated: photographs that are links to a few, with five captions each, and a cache
whose shards are links to 32 of random numbers (2 GB), since those of COCO would take 30 GB. First
the ways to read them are compared, on files that are not in the page cache; then `train` is started
on 6,000 and on 118,000 photographs, and stopped after some steps.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from captioner import presets
from captioner.training import features, train

REGIONS, CHANNELS = 49, 1280  # of EfficientNetLite2 at 224 pixels
DISTINCT = 32  # shards, and photographs
DEV = 32  # photographs
BATCH, STEPS = 32, 20
Row = dict[str, Any]


def memory() -> Row:
    """Megabytes of this process: private, and of mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = dict(line.split(":") for line in lines)
    return {
        name: int(sizes[key].split()[0]) // 1024
        for name, key in (("own MB", "RssAnon"), ("mapped MB", "RssFile"))
    }


def make_shards(folder: Path) -> list[Path]:
    """Random numbers in the size of features."""
    folder.mkdir()
    rng, paths = np.random.default_rng(0), []
    for i in range(DISTINCT):
        numbers = rng.standard_normal((2, features.SHARD, REGIONS, CHANNELS), "float32")
        paths.append(folder / f"{i}.f16")
        paths[-1].write_bytes(numbers.astype("float16").data)
    os.sync()
    return paths


def make_data(folder: Path, count: int) -> None:
    """Links to photographs, and a table of captions."""
    (folder / "Images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(DISTINCT):
        pixels = rng.integers(0, 255, (64, 64, 3), "uint8")
        Image.fromarray(pixels).save(folder / f"{i}.jpg")
    words = np.array(presets.read_vocabulary(presets.find("everyday")).words[10:3000])
    with (folder / "captions.txt").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption", "split"])
        for i in range(count + DEV):
            name, split = f"{i}.jpg", "train" if i < count else "dev"
            (folder / "Images" / name).hardlink_to(folder / f"{i % DISTINCT}.jpg")
            for _ in range(5):
                rows.writerow([name, " ".join(words[rng.integers(0, len(words), 11)]), split])


def link_cache(shards: Sequence[Path]) -> None:
    """Run `train` until it knows the missing features, without a step."""
    compute = features.cache_features

    def linked(
        model: Any, photographs: Any, folder: Path, name: str, size: int, mirrored: bool = True
    ) -> features.Features:
        sides = 2 if mirrored else 1
        found = features.expected_features(model, photographs, folder, name, sides)
        folder.mkdir(exist_ok=True)
        for i, path in enumerate(found.shards):
            length = sides * found.size(i) * REGIONS * CHANNELS * 2
            source = shards[i % DISTINCT]
            if length == source.stat().st_size:
                path.hardlink_to(source)
            else:
                path.write_bytes(source.read_bytes()[:length])
        if name == "dev":
            os._exit(0)
        return compute(model, photographs, folder, name, size, mirrored)

    features.cache_features = linked


class Watch(keras.callbacks.Callback):
    """Writes the time and the memory after the first step, later the memory again, and stops."""

    def __init__(self, began: float) -> None:
        super().__init__()
        self.began = began

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 0:
            self.first = {"first step after s": round(time.time() - self.began)} | memory()
        if batch == STEPS:
            later = {f"{name} after {STEPS} steps": size for name, size in memory().items()}
            print(json.dumps(self.first | later), flush=True)
            os._exit(0)


def start(folder: Path, shards: Sequence[Path], began: float) -> None:
    """`captioner train` with a callback that measures."""
    fit = keras.Model.fit

    def watched(self: Any, *args: Any, callbacks: Sequence[Any] = (), **settings: Any) -> Any:
        return fit(self, *args, callbacks=[*callbacks, Watch(began)], verbose=0, **settings)

    keras.Model.fit = watched
    if shards:
        link_cache(shards)
    train.train(
        [("captions-csv", folder)],
        folder / "run",
        encoder="EfficientNetLite2",
        encoder_weights="everyday",
        batch_size=BATCH,
        changes=["model.image_size=224"],
    )


def started(folder: Path, shards: Sequence[Path] = ()) -> str:
    """The output of a process that starts training."""
    command = [sys.executable, __file__, "--began", str(time.time()), "--start", str(folder)]
    command += map(str, shards)
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def reading(shards: Sequence[Path]) -> Iterator[Row]:
    """Photographs per second of each way to read shards from the disk."""
    cache = features.Features(shards, (2, DISTINCT * features.SHARD, REGIONS, CHANNELS))
    rng = np.random.default_rng(0)
    order, sides = rng.permutation(cache.shape[1]), rng.integers(0, 2, cache.shape[1])

    def at_random() -> Iterator[Any]:
        for i, side in zip(order, sides, strict=True):
            yield cache.one(i, side)

    def mapped() -> Iterator[Any]:
        shape = (2, features.SHARD, REGIONS, CHANNELS)
        maps = [np.memmap(path, "float16", "r", shape=shape) for path in shards]
        for i, side in zip(order, sides, strict=True):
            shard, row = divmod(int(i), features.SHARD)
            yield np.array(maps[shard][side, row])

    def in_order() -> Iterator[Any]:
        names = [str(shards[i]) for i in rng.permutation(len(shards))]
        data = tf.data.FixedLengthRecordDataset(names, REGIONS * CHANNELS * 2)
        data = data.shuffle(2048, seed=0).map(lambda record: tf.io.decode_raw(record, tf.float16))
        # Half of them: one side of each photograph is used.
        for record in data.take(cache.shape[1]):
            yield record.numpy()

    ways: dict[str, Callable[[], Iterator[Any]]] = {
        "at random, read": at_random,
        "shards in order, tf.data, a shuffle buffer of 2,048": in_order,
        "at random, mapped": mapped,
    }
    for name, way in ways.items():
        for path in shards:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        before, began, count = memory(), time.perf_counter(), 0
        for record in way():
            count += len(record) > 0
            if count == cache.shape[1]:  # before the files are closed
                more = {f"more {key}": size - before[key] for key, size in memory().items()}
        speed = round(count / (time.perf_counter() - began))
        yield {"reading": name, "photographs/s": speed, **more}


def report(row: Row) -> None:
    """Print a row of a table."""
    print(", ".join(f"{name}: {value}" for name, value in row.items()), flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[6000, 118000])
    parser.add_argument("--start", type=Path, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.start:
        start(args.start[0], args.start[1:], args.began)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = make_shards(folder / "shards")
        for row in reading(shards):
            report(row)
        for count in args.records:
            data = folder / str(count)
            make_data(data, count)
            started(data, shards)  # it checks the photographs and finds the computed features
            report({"photographs": count} | json.loads(started(data).splitlines()[-1]))


if __name__ == "__main__":
    main()
