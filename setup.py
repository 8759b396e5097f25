"""What pyproject.toml cannot say: the packages are those that are found, and so are the presets."""

from pathlib import Path

from setuptools import find_packages, setup

# The weights lie beside the package in a checkout and within it where it is installed.
presets = {
    f"captioner.weights.{metadata.parent.name}": str(metadata.parent)
    for metadata in Path("weights").glob("*/metadata.json")
}
setup(
    packages=[*find_packages(include=["captioner", "captioner.*"]), *presets],
    package_dir=presets,
    package_data={"captioner.overlay": ["page.html"], **dict.fromkeys(presets, ["*"])},
)
