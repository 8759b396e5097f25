"""Measures the losses and the speed of `captioner bulk`; see README.md beside it."""

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageDraw
from pyarrow import parquet
from skimage import data
from speed import ENVIRONMENT, photographs

from captioner.bulk.parts import Output
from captioner.bulk.sources import parts_of
from captioner.bulk.worker import Job, Worker
from captioner.data.images import load_image
from captioner.generation.batching import BATCH, stream
from captioner.generation.samplers import Beam
from captioner.runtime.onnx_captioner import OnnxCaptioner

BULK = [sys.executable, "-m", "captioner", "bulk"]
# Otherwise its workers would have a lower priority than other programs.
RAY_ENVIRONMENT = {**ENVIRONMENT, "RAY_worker_niceness": "0"}
# Ray on a subset of the cores, its own processes included.
RAY = """
import os, sys, ray
cores = int(sys.argv.pop(1))
os.sched_setaffinity(0, range(cores))
ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level=40)
from captioner.cli import main
main(["bulk", *sys.argv[1:], "--engine", "ray"])
"""


def draw(rng: np.random.Generator) -> Image.Image:
    """A scene of coloured shapes."""
    image = Image.new("RGB", (800, 600), tuple(map(int, rng.integers(0, 256, 3))))
    for _ in range(20):
        left, top = map(int, rng.integers(0, 600, 2))
        box = (left, top, left + int(rng.integers(20, 200)), top + int(rng.integers(20, 200)))
        colour = tuple(map(int, rng.integers(0, 256, 3)))
        ImageDraw.Draw(image).ellipse(box, fill=colour)
    return image


def many(folder: Path, count: int) -> set[int]:
    """Drawn photographs and samples in many sizes; 1 in 100 is broken."""
    rng = np.random.default_rng(0)
    samples = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    originals = [*map(Image.fromarray, samples), *(draw(rng) for _ in range(4))]
    broken = set(map(int, rng.choice(count, count // 100, replace=False)))
    different = []
    for i in range(200):
        size = tuple(map(int, rng.integers(200, 2000, 2)))
        different.append(folder.parent / f"{i}.jpg")
        originals[i % len(originals)].resize(size).save(different[-1], quality=90)
    for i in range(count):
        path = folder / f"{i:07}.jpg"
        if i in broken:
            path.write_bytes(different[i % 200].read_bytes()[: i % 3 * 1000])
        else:
            path.hardlink_to(different[i % 200])
    return broken


def killed(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """Kill a run with `kill -9` after half of its output, start it again, and count."""
    source, output = folder / "photographs", folder / "captions"
    source.mkdir()
    broken = many(source, count)
    command = [*BULK, str(source), "--output", str(output)]
    start = time.perf_counter()
    process = subprocess.Popen(command, env=ENVIRONMENT)
    while len(list(output.glob("part-*"))) < count // 1000 // 2:
        time.sleep(0.1)
    time.sleep(float(np.random.default_rng().uniform(0, 5)))  # at any time within a part
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = time.perf_counter() - start
    done = parquet.read_table(output).num_rows
    yield f"killed after {first:.0f} s", f"{done:,} of {count:,} written"
    start = time.perf_counter()
    status = subprocess.run(command, env=ENVIRONMENT).returncode
    seconds = time.perf_counter() - start
    yield f"started again, {seconds:.0f} s", f"exit status {status}"
    records = parquet.read_table(output).to_pylist()
    rows = [record["row"] for record in records]
    yield "rows", f"{len(rows):,}"
    yield "photographs lost", str(count - len(set(rows)))
    yield "written twice", str(len(rows) - len(set(rows)))
    named = {record["row"] for record in records if record["error"] is not None}
    yield "broken, and named as such", f"{len(broken)}, {len(named & broken)}"
    yield "sound, and named as broken", f"{count - len(broken):,}, {len(named - broken)}"
    yield "rate of the second run", f"{(count - done) / seconds:.0f} photographs/s"


def costs(folder: Path, repeats: int) -> Iterator[tuple[str, str]]:
    """The processor time of each step of a worker."""
    paths = photographs(folder, 200)
    yield "a photograph", f"{statistics.mean(map(os.path.getsize, paths)) / 1e6:.2f} MB"
    model = OnnxCaptioner.from_preset("everyday", threads=1)
    size, sampler = model.config.image_size, Beam(3)
    images = [load_image(path, size) for path in paths]
    parts = list(parts_of(paths, 50))
    worker = Worker(Job(Output(str(folder), "parquet", "caption"), None, 1), model)

    def write() -> None:
        for _ in stream(model, ((image, [None]) for image in images), sampler=sampler):
            pass

    write()  # warm
    large = folder / "large.jpeg"
    Image.open(paths[0]).resize((4000, 3000)).save(large, quality=90)
    found = {
        "decoding 4000 x 3000": cpu(lambda: [load_image(large, size) for _ in paths], repeats),
        "decoding": cpu(lambda: [load_image(path, size) for path in paths], repeats),
        f"the model, {BATCH} at once": cpu(write, repeats),
        "a worker, all it does": cpu(lambda: list(map(worker, parts)), repeats),
    }
    for name, seconds in found.items():
        yield name, f"{1000 * seconds / len(paths):.1f} ms of processor time"
    *_, model_seconds, all_seconds = found.values()
    yield "share outside the model", f"{1 - model_seconds / all_seconds:.0%}"


def workers(folder: Path, count: int, repeats: int) -> Iterator[tuple[str, str]]:
    """The speed-up by a second worker."""
    paths = photographs(folder, 200)
    listed = folder / "list.txt"
    listed.write_text("\n".join((paths * (count // len(paths) + 1))[:count]))
    runs: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for _ in range(repeats):
        for cores in runs:
            runs[cores].append(on_ray(listed, folder / f"{time.time_ns()}", cores))
    for cores, found in runs.items():
        rate, processor = (statistics.median(column) for column in zip(*found, strict=True))
        figure = f"{rate:.0f} photographs/s, {1000 * processor:.1f} ms of processor time"
        yield f"{cores} on Ray, on as many cores", figure
    ratios = [two[0] / one[0] for one, two in zip(*runs.values(), strict=True)]
    yield "speed-up", f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def cpu(call: Callable[[], object], repeats: int) -> float:
    """The median processor time, which depends little on other programs."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def on_ray(source: Path, output: Path, cores: int) -> tuple[float, float]:
    """Photographs per second, and seconds of processor time per photograph, with all of Ray.

    Of the middle of a run, when all workers work.
    """
    command = [sys.executable, "-c", RAY, str(cores), str(source), "--output", str(output)]
    size, total = 20, len(source.read_text().splitlines())
    process = subprocess.Popen([*command, "--part-size", str(size)], env=RAY_ENVIRONMENT)
    marks = []
    for share in (0.25, 0.9):
        while (done := len(list(output.glob("part-*")))) < share * total / size:
            if process.poll() is not None:
                raise SystemExit(f"exit status {process.returncode}")
            time.sleep(0.02)
        marks.append((done * size, time.perf_counter(), tree_seconds(process.pid)))
    process.wait()
    count, seconds, processor = (after - before for before, after in zip(*marks, strict=True))
    return count / seconds, processor / count


def tree_seconds(pid: int) -> float:
    """Processor time of a process and its descendants."""
    process = psutil.Process(pid)
    seconds = 0.0
    for member in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            seconds += sum(member.cpu_times()[:2])
    return seconds


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("killed", "costs", "workers"))
    parser.add_argument("--photographs", type=int, help="default: 10000, for workers 1000")
    parser.add_argument("--repeats", type=int, default=3, help="the median is printed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.what == "killed":
            rows = killed(Path(folder), args.photographs or 10_000)
        elif args.what == "costs":
            rows = costs(Path(folder), args.repeats)
        else:
            rows = workers(Path(folder), args.photographs or 1000, args.repeats)
        for name, figure in rows:
            print(f"{name:36}{figure:>52}", flush=True)


if __name__ == "__main__":
    main()
