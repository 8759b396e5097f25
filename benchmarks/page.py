"""What the static page weighs, and how long it takes: `python benchmarks/page.py`."""

import argparse
import gzip
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from selenium import webdriver

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from pages import PATH, Host, Page
from speed import photographs

from captioner.export.web import export_site

DIFFERENT = 4  # photographs, of 1600 x 1200 pixels
# Drops a photograph on the page, and waits until its caption is there.
DROP = """
const blob = await (await fetch(values[0])).blob();
const dataTransfer = new DataTransfer();
dataTransfer.items.add(new File([blob], "a.jpg", { type: "image/jpeg" }));
const begun = values[1] ? 0 : performance.now();  // 0 is when the page was asked for
document.dispatchEvent(new DragEvent("drop", { dataTransfer }));
while (!document.querySelector("#caption h2")) await new Promise(requestAnimationFrame);
return performance.now() - begun;
"""


def sizes(site: Path) -> dict[str, float]:
    """Megabytes that each part takes over the wire, compressed by gzip."""
    parts = {"page": 0.0, "onnxruntime-web": 0.0, "weights": 0.0}
    for path in filter(Path.is_file, site.rglob("*")):
        runtime = path.parent.name == "onnxruntime"
        part = "weights" if path.suffix == ".onnx" else "onnxruntime-web" if runtime else "page"
        parts[part] += len(gzip.compress(path.read_bytes())) / 1e6
    return parts


def chromium(profile: str) -> webdriver.Chrome:
    """Chromium without a window, with an empty cache."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("headless", "no-sandbox", "disable-gpu", f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(300)
    return driver


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="everyday", help="a preset with graphs")
    parser.add_argument("--photographs", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as profile:
        export_site(args.weights, Path(folder, PATH))
        parts = sizes(Path(folder, PATH))
        paths = [f"/{Path(path).name}" for path in photographs(Path(folder), DIFFERENT)]
        host, driver = Host(folder), chromium(profile)
        try:
            page = Page(driver, host.address)
            first = page.call(DROP, paths[0], True)
            page.wait("#offline")  # what is kept for use offline is fetched by then
            later = [page.call(DROP, paths[i % DIFFERENT], False) for i in range(args.photographs)]
            memory = page.memory()
        finally:
            driver.quit()
            host.stop()
    for name, megabytes in parts.items():
        print(f"{name:24} {megabytes:6.1f} MB, compressed by gzip")
    print(f"{'together':24} {sum(parts.values()):6.1f} MB")
    print(f"first caption            {first / 1000:6.2f} s, loading included")
    print(f"next ones, the median    {statistics.median(later) / 1000:6.2f} s")
    print(f"memory of the page       {memory / 1e6:6.0f} MB after {args.photographs} photographs")


if __name__ == "__main__":
    main()
