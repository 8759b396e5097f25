"""Packages of npm for the tests of the static page: `python tests/npm_packages.py` fetches them.

The tests themselves take them from npm's cache, and use no network.
"""

import tempfile
from pathlib import Path

from captioner.export.npm import Package
from captioner.export.web import RUNTIME, RUNTIME_FILES

AXE = Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        RUNTIME.extract(RUNTIME_FILES, Path(folder))
        AXE.extract(["axe.min.js"], Path(folder))
