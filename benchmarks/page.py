"""Measures the size and the speed of the static page: `python benchmarks/page.py`."""

import argparse
import gzip
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import chromium
from pages import PATH, Host, Page
from speed import photographs

from captioner import OnnxCaptioner
from captioner.export.web import export_site

DIFFERENT = 4  # photographs, of 1600 x 1200 pixels


def sizes(site: Path) -> dict[str, float]:
    """Megabytes that each part takes over the wire, compressed by gzip."""
    parts = {"page": 0.0, "onnxruntime-web": 0.0, "weights": 0.0}
    for path in filter(Path.is_file, site.rglob("*")):
        runtime = path.parent.name == "onnxruntime"
        part = "weights" if path.suffix == ".onnx" else "onnxruntime-web" if runtime else "page"
        parts[part] += len(gzip.compress(path.read_bytes())) / 1e6
    return parts


def seconds(preset: str, files: list[str]) -> list[float]:
    """The seconds of `OnnxCaptioner` for each photograph, in this process."""
    model = OnnxCaptioner.from_preset(preset)
    taken = []
    for file in files:
        begun = time.perf_counter()
        model.caption(file)
        taken.append(time.perf_counter() - begun)
    return taken


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="everyday", help="a preset with graphs")
    parser.add_argument("--photographs", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as profile:
        export_site(args.weights, Path(folder, PATH))
        parts = sizes(Path(folder, PATH))
        files = photographs(Path(folder), DIFFERENT)
        paths = [f"/{Path(path).name}" for path in files]
        yardstick = statistics.median(seconds(args.weights, files * 5))
        host, driver = Host(folder), chromium.start(profile)
        try:
            page = Page(driver, host.address)
            page.drop(paths[0])
            first = page.call("return performance.now();")  # since the page was asked for
            page.wait("#offline")  # the service worker has cached all files
            next_ones = [page.drop(paths[i % DIFFERENT]) for i in range(2 * DIFFERENT)]
            page = Page(driver, host.address)  # the second visit
            page.drop(paths[0])
            begun = page.cpu_seconds()
            later = [page.drop(paths[i % DIFFERENT]) for i in range(args.photographs)]
            cpu = (page.cpu_seconds() - begun) / args.photographs
            memory = page.memory()
        finally:
            driver.quit()
            host.stop()
    for name, megabytes in parts.items():
        print(f"{name:24} {megabytes:6.1f} MB, compressed by gzip")
    print(f"{'together':24} {sum(parts.values()):6.1f} MB")
    print(f"first caption            {first / 1000:6.2f} s, loading included")
    print(f"next ones, the median    {statistics.median(next_ones) / 1000:6.2f} s")
    print(f"at the second visit      {statistics.median(later) / 1000:6.2f} s")
    print(f"their processor time     {cpu:6.2f} s each")
    print(f"the same in Python       {yardstick:6.2f} s")
    print(f"memory of the page       {memory / 1e6:6.0f} MB after {args.photographs} photographs")


if __name__ == "__main__":
    main()
