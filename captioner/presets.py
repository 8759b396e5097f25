"""Presets: a model as a folder of JSON and weights, without pickles.

config.json         the settings of the model
vocabulary.json     the words, in the order of their ids
model.weights.h5    the weights, as float16
metadata.json       the SHA-256 of the other files, the training, the scores
calibration.json    the calibration of the confidence, if it was measured

and, after an export, graphs that `captioner.runtime` runs without Keras:

encoder.onnx        from photographs to features
search.onnx         from features to captions and answers
graphs.json         the places of the weights of both graphs in model.weights.h5
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
from captioner.errors import UserError
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
CALIBRATION = "calibration.json"
ENCODER_GRAPH, SEARCH_GRAPH, GRAPHS = GRAPH_FILES = ("encoder.onnx", "search.onnx", "graphs.json")

Settings = TypeVar("Settings")


class PresetError(UserError):
    """A preset is missing, damaged or changed."""


def find(preset: str | PathLike[str]) -> Path:
    """The folder of a preset, from its name or the folder itself.

    Raises:
        PresetError: the preset does not exist.
    """
    package = Path(__file__).parent
    # Beside the package in a checkout, inside it in an installation. Shipped presets come before
    # folders of the current directory.
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
    """The folder of a preset, after a check of the hashes of some files.

    Raises:
        PresetError: the preset or one of the files is missing, damaged or changed.
    """
    folder = find(preset)
    recorded = read_metadata(preset).get("sha256", {})
    for name in names:
        path = folder / name
        if not path.is_file():
            raise PresetError(f"{path}: missing; fetch the preset again")
        if sha256(path) != recorded.get(name):
            reason = f"its SHA-256 is not the one in {METADATA}"
            raise PresetError(f"{path}: damaged or changed, {reason}; fetch the preset again")
        if name == WEIGHTS:
            check_weights(path)
    return folder


def check_weights(path: Path) -> None:
    """Refuse an HDF5 file with anything but arrays: hashes do not protect against its author.

    Raises:
        PresetError: the file cannot be read, has links, or claims to be larger than it is.
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
                raise PresetError(f"{path}: {name} claims more bytes than the file; do not use it")

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
        PresetError: the settings belong to another model or release.
    """
    try:
        return parse(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
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
    """Add a calibration to a preset, and its measured quality to the metadata."""
    folder = find(preset)
    with replacement(folder) as new:
        write_json(new / CALIBRATION, vars(calibration))
        metadata = read_metadata(preset)
        metadata["sha256"][CALIBRATION] = sha256(new / CALIBRATION)
        metadata["calibration"] = measured
        write_json(new / METADATA, metadata)


def check_answers(model: "CaptionModel", preset: str | PathLike[str]) -> None:
    """Refuse a model that cannot answer questions.

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
    """A temporary folder for new files. They replace the files of a preset together.

    After all files are written, one rename marks the folder as complete, and the files move. An
    interruption before the rename leaves the old preset. After it, `find` moves the rest.
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
        OSError: less than `size` bytes and 1 MiB are free.
    """
    if shutil.disk_usage(folder).free < size + 2**20:
        raise OSError(errno.ENOSPC, f"no space for {size / 1e6:.0f} MB; free some", str(folder))


def write_half(source: Path, target: Path) -> None:
    """Copy a Keras weights file with its floats as float16, and without its optimizer.

    Vectors keep their type. They are few, and some, such as the variances of batch normalisation,
    are too large or too small for float16. Arrays with a number beyond float16 keep theirs too.
    """
    # In memory first: HDF5 ends the process if the disk is full.
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
