"""Measures the times that a user waits: `python benchmarks/speed.py`; see README.md beside it."""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[1]
SIZE = (1600, 1200)
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
KERAS = "from captioner import Captioner as Model"
ONNX = "from captioner import OnnxCaptioner as Model"
WARM = """
import sys, time
{model}
model = Model.from_preset("everyday")
look = model.look(sys.argv[1])
for _ in range(3):
    {call}
start = time.perf_counter()
for _ in range({times}):
    {call}
print((time.perf_counter() - start) / {times})
"""
ANSWER = "model.answer(sys.argv[1], 'what color is it?')"
AFTER_CAPTION = "look.answer('what color is it?')"
DECODE = """
import sys, time
from captioner.data.images import load_images
start = time.perf_counter()
for image in load_images(sys.argv[1:], 256):
    pass
print(time.perf_counter() - start)
"""


def photographs(folder: Path, count: int) -> list[str]:
    """As many JPEG files of different photographs, some of them turned over."""
    sources = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    paths = []
    for i in range(count):
        image = Image.fromarray(sources[i % len(sources)]).resize(SIZE, Image.Resampling.BICUBIC)
        image = image.rotate(i // len(sources) % 4 * 90)
        paths.append(str(folder / f"{i}.jpg"))
        image.save(paths[-1], quality=90)
    return paths


def process(*command: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a command from its start to its end."""
    start = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT, cwd=ROOT
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)[:200]}: exit status {child.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def printed(code: str, *arguments: str) -> float:
    """The number that a program prints."""
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        check=True,
        text=True,
        env=ENVIRONMENT,
    )
    return float(run.stdout)


def median(measure: Callable[[], float], repeats: int) -> float:
    """The median of some measurements."""
    return statistics.median(measure() for _ in range(repeats))


def rows(paths: list[str], repeats: int) -> Iterator[tuple[str, str]]:
    """Names and figures, as they are measured."""
    python, caption = sys.executable, str(ROOT / "caption.py")
    one = paths[0]
    yield (
        "import tensorflow",
        f"{median(lambda: process(python, '-c', 'import tensorflow')[0], repeats):.2f} s",
    )
    runs = [process(python, caption, one) for _ in range(repeats)]
    yield "one caption, whole process", f"{statistics.median(run[0] for run in runs):.2f} s"
    yield "its peak memory", f"{max(run[1] for run in runs):.0f} MB"
    asked = ("--question", "what color is it?")
    seconds = median(lambda: process(python, caption, one, *asked)[0], repeats)
    yield "one answer, whole process", f"{seconds:.2f} s"
    code = f"{KERAS}; print(Model.from_preset('everyday').caption({one!r}).text)"
    yield "one caption, whole process, Keras", f"{process(python, '-c', code)[0]:.2f} s"
    calls = {
        "one caption, warm": "model.caption(sys.argv[1])",
        "one answer, warm": ANSWER,
        "one answer after a caption": AFTER_CAPTION,
    }
    for name, model in (("", ONNX), (", Keras", KERAS)):
        for what, call in calls.items():
            code = WARM.format(model=model, call=call, times=20)
            seconds = median(lambda code=code: printed(code, one), repeats)
            yield f"{what}{name}", f"{1000 * seconds:.1f} ms"
    count = len(paths)
    rate = count / median(lambda: printed(DECODE, *paths), repeats)
    yield "decoding alone", f"{rate:.0f} photographs/s"
    for name, model in (("", ONNX), (", Keras", KERAS)):
        code = WARM.format(model=model, call="model.caption(sys.argv[1:])", times=1)
        code = code.replace("range(3)", "range(1)")
        rate = count / median(lambda code=code: printed(code, *paths), 1)
        yield f"many captions{name}", f"{rate:.0f} photographs/s"
    seconds, memory = process(python, caption, *paths)
    yield (
        f"{count} captions, whole process",
        f"{count / seconds:.0f} photographs/s, {memory:.0f} MB",
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=200, help="for the rates (default: 200)")
    parser.add_argument("--repeats", type=int, default=3, help="the median is printed")
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        for name, figure in rows(photographs(Path(folder), args.photographs), args.repeats):
            print(f"{name:36}{figure:>28}", flush=True)


if __name__ == "__main__":
    main()
