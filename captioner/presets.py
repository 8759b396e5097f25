"""Presets: a model as a folder of JSON and weights. Nothing in it is ever unpickled.

config.json         all that rebuilds the model
vocabulary.json     the words, in the order of their ids
model.weights.h5    the weights, as float16
metadata.json       the SHA-256 of the other files, their training, their scores
calibration.json    the calibration of the confidence, if it was measured

and, where it has been exported, graphs that `captioner.runtime` runs without Keras:

encoder.onnx        from photographs to features
search.onnx         from features to captions and answers
graphs.json         where in model.weights.h5 the weights of both lie, for they hold none
"""

import contextlib
import errno
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import h5py
import numpy as np

from captioner.data.vocabulary import Vocabulary
from captioner.generation.confidence import Calibration

if TYPE_CHECKING:
    from captioner.generation.model import CaptionModel

DEFAULT_PRESET = "everyday"
CONFIG, VOCABULARY, WEIGHTS, METADATA = (
    "config.json",
    "vocabulary.json",
    "model.weights.h5",
    "metadata.json",
)
UNFINISHED, COMPLETE = ".unfinished", ".complete"  # folders of files that will be moved
FILES = (CONFIG, VOCABULARY, WEIGHTS)
CALIBRATION = "calibration.json"  # of the confidence, where it was measured
ENCODER_GRAPH, SEARCH_GRAPH, GRAPHS = GRAPH_FILES = ("encoder.onnx", "search.onnx", "graphs.json")

Settings = TypeVar("Settings")


class PresetError(ValueError):
    """A preset that is missing, or whose files are not those it lists."""


def find(preset: str | PathLike[str]) -> Path:
    """The folder of a preset, given its name or the folder itself.

    Raises:
        PresetError: there is none of that name.
    """
    package = Path(__file__).parent
    # Beside the package in a checkout, within it where the package is installed. A folder of the
    # current directory does not take the place of a preset that ships.
    shipped = [place / "weights" / preset for place in (package.parent, package)]
    for folder in (*(shipped if Path(preset).name == str(preset) else []), Path(preset)):
        finish_replacement(folder)
        if (folder / METADATA).is_file():
            return folder
    raise PresetError(
        f"{preset}: neither the name of a preset nor a folder with a {METADATA}; "
        f"the shipped preset is {DEFAULT_PRESET}"
    )


def read_metadata(preset: str | PathLike[str]) -> dict[str, Any]:
    """The `metadata.json` of a preset as a dict.

    Raises:
        PresetError: the preset is missing, or its metadata cannot be read.
    """
    path = find(preset) / METADATA
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except (RecursionError, ValueError) as error:
        raise PresetError(f"{path}: not valid JSON ({error}); fetch the preset again") from error
    if not (isinstance(metadata, dict) and isinstance(metadata.get("sha256", {}), dict)):
        raise PresetError(f"{path}: no metadata of a preset; fetch the preset again")
    return metadata


def has_graphs(preset: str | PathLike[str]) -> bool:
    """Whether a preset lists the graphs that run without Keras.

    Raises:
        PresetError: the preset is missing, or its metadata cannot be read.
    """
    return set(GRAPH_FILES) <= set(read_metadata(preset).get("sha256", {}))


def verified(preset: str | PathLike[str], names: Iterable[str] = FILES) -> Path:
    """The folder of a preset, some of whose files are those that it lists.

    Raises:
        PresetError: the preset is missing, or one of the files is missing, damaged or changed.
    """
    folder = find(preset)
    recorded = read_metadata(preset).get("sha256", {})
    for name in names:
        path = folder / name
        if not path.is_file():
            raise PresetError(f"{path}: missing; fetch the preset again")
        if sha256(path) != recorded.get(name):
            raise PresetError(
                f"{path}: damaged or changed, its SHA-256 is not the one in {METADATA}; "
                "fetch the preset again"
            )
        if name == WEIGHTS:
            check_weights(path)
    return folder


def check_weights(path: Path) -> None:
    """Refuse an HDF5 file with anything but arrays: hashes do not protect against its author.

    Raises:
        PresetError: it cannot be read, points to other places or files, or announces more numbers
            than it holds.
    """
    size = path.stat().st_size

    def check(group: h5py.Group) -> None:
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise PresetError(f"{path}: {name} is a link to another place; do not use it")
            item = group[name]
            if isinstance(item, h5py.Group):
                check(item)
            elif item.external or item.is_virtual:
                raise PresetError(f"{path}: {name} is stored in another file; do not use it")
            elif item.nbytes > size:
                raise PresetError(
                    f"{path}: {name} claims to be larger than the file; do not use it"
                )

    try:
        with h5py.File(path) as file:
            check(file)
    except PresetError:
        raise
    except Exception as error:  # HDF5 has many
        raise PresetError(f"{path}: no weights file, or damaged; fetch it again") from error


def read_config(folder: Path, parse: Callable[[Any], Settings]) -> Settings:
    """The settings of the model in the folder of a preset.

    Args:
        folder: of the preset.
        parse: the `from_json` of a `captioner.models.config.Config`.

    Raises:
        PresetError: they are those of another model or release.
    """
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return parse(content)
    except (RecursionError, TypeError, ValueError) as error:
        raise PresetError(f"{folder / CONFIG}: {error}") from error


def read_vocabulary(folder: Path) -> Vocabulary:
    """The words of the model in the folder of a preset.

    Raises:
        PresetError: the file is no list of words.
    """
    try:
        return Vocabulary.load(folder / VOCABULARY)
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise PresetError(
            f"{folder / VOCABULARY}: no vocabulary ({error}); fetch the preset again"
        ) from error


def read_calibration(preset: str | PathLike[str]) -> Calibration | None:
    """The calibration of the confidence of a preset. None if it was not measured.

    Raises:
        PresetError: the file is damaged or changed.
    """
    if CALIBRATION not in read_metadata(preset).get("sha256", {}):
        return None
    path = verified(preset, [CALIBRATION]) / CALIBRATION
    try:
        return Calibration.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (RecursionError, TypeError, ValueError) as error:
        raise PresetError(f"{path}: {error}; use weights and a captioner of one release") from error


def write_calibration(
    preset: str | PathLike[str], calibration: Calibration, measured: dict[str, Any]
) -> None:
    """Add to a preset how its confidence is calculated, and to its metadata how good that is."""
    folder = find(preset)
    with replacement(folder) as new:
        write_json(new / CALIBRATION, vars(calibration))
        metadata = read_metadata(preset)
        metadata["sha256"][CALIBRATION] = sha256(new / CALIBRATION)
        metadata["calibration"] = measured
        write_json(new / METADATA, metadata)


def check_answers(model: "CaptionModel", preset: str | PathLike[str]) -> None:
    """Refuse a model that cannot be asked.

    Raises:
        PresetError: the model of the preset was trained without questions.
    """
    if not model.answers:
        raise PresetError(
            f"{preset}: cannot answer questions, because it was trained without them; "
            "choose a preset that answers them"
        )


@contextlib.contextmanager
def replacement(folder: Path) -> Iterator[Path]:
    """A folder for new files, which take the place of those of a preset all together.

    When they are written the folder gets another name, in one step; then they are moved. Whoever is
    interrupted before leaves the old preset, and after it the new one: `find` moves the rest.
    """
    finish_replacement(folder)
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        yield unfinished
        unfinished.replace(folder / COMPLETE)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    finish_replacement(folder)


def finish_replacement(folder: Path) -> None:
    """Finish an interrupted `replacement`, if there is one."""
    if not (folder / COMPLETE).is_dir():
        return
    for path in sorted((folder / COMPLETE).iterdir()):
        with contextlib.suppress(FileNotFoundError):  # another process is doing the same
            path.replace(folder / path.name)
    with contextlib.suppress(FileNotFoundError):
        (folder / COMPLETE).rmdir()


def require_space(folder: Path, size: int) -> None:
    """Refuse to write without enough space: HDF5 may end the process when a disk is full.

    Raises:
        OSError: there is less than `size` bytes, and a little.
    """
    if shutil.disk_usage(folder).free < size + 2**20:
        raise OSError(errno.ENOSPC, f"no space for {size / 1e6:.0f} MB; free some", str(folder))


def write_half(source: Path, target: Path) -> None:
    """Copy a Keras weights file with its floats as float16, and without its optimizer.

    Vectors stay as they are, for they are few, and among them are biases and the variances of batch
    normalisation, which may be too large for float16 or so small that it makes them zero. So does
    whatever else holds a number beyond float16.
    """
    # In memory first: where a disk is full, HDF5 ends the process.
    image = io.BytesIO()
    with h5py.File(source) as full, h5py.File(image, "w") as half:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if name.split("/")[0] == "optimizer":
                return
            if isinstance(item, h5py.Group):
                copied = half.require_group(name)
            else:
                value = item[()]
                if np.issubdtype(value.dtype, np.floating) and value.ndim > 1:
                    with np.errstate(over="ignore"):
                        rounded = value.astype("float16")
                    value = rounded if np.isfinite(rounded).all() else value
                copied = half.create_dataset(name, data=value)
            copied.attrs.update(item.attrs)

        full.visititems(copy)
    target.write_bytes(image.getbuffer())


def sha256(path: str | PathLike[str]) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: str | PathLike[str], value: Any) -> None:
    """Write a value as indented JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    Path(path).write_text(text + "\n", encoding="utf-8")
