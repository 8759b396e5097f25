"""Presets made by strangers: nothing runs, nothing is read from elsewhere, one line says why."""

import json

import h5py
import numpy as np
import pytest

from captioner import presets
from captioner.cli import main
from captioner.models.captioner import Captioner
from captioner.presets import PresetError


@pytest.fixture
def preset(toy, tmp_path):
    """A preset, and a function that signs it again after a change."""
    folder = tmp_path / "toy"
    toy().save_to_preset(folder)

    def sign():
        metadata = {"sha256": {name: presets.sha256(folder / name) for name in presets.FILES}}
        presets.write_json(folder / presets.METADATA, metadata)

    return folder, sign


def link_to_another_file(file, name, outside):
    with h5py.File(outside, "w") as other:
        other["secret"] = np.ones((8, 8))
    file[name] = h5py.ExternalLink(str(outside), "secret")


def link_to_another_place(file, name, outside):
    file[name] = h5py.SoftLink("/layers")


def data_in_another_file(file, name, outside):
    outside.write_bytes(bytes(256))
    file.create_dataset(name, (8, 8), "float32", external=[(str(outside), 0, 256)])


def a_view_of_another_file(file, name, outside):
    with h5py.File(outside, "w") as other:
        other["secret"] = np.ones((8, 8), "float32")
    layout = h5py.VirtualLayout((8, 8), "float32")
    layout[:] = h5py.VirtualSource(str(outside), "secret", (8, 8))
    file.create_virtual_dataset(name, layout)


def a_bomb(file, name, outside):
    file.create_dataset(name, (10**6, 10**6), "float32", chunks=True, compression="gzip")


@pytest.mark.parametrize(
    "trick",
    [
        link_to_another_file,
        link_to_another_place,
        data_in_another_file,
        a_view_of_another_file,
        a_bomb,
    ],
)
def test_weights_are_numbers_in_one_file(preset, tmp_path, trick):
    folder, sign = preset
    with h5py.File(folder / presets.WEIGHTS, "r+") as file:
        name = "decoder/overview/vars/0"
        del file[name]
        trick(file, name, tmp_path / "outside")
    sign()
    with pytest.raises(PresetError, match="model.weights.h5: 0 .*; do not use it"):
        Captioner.from_preset(folder)


CONFIGS = [
    {"class_name": "Lambda", "config": {"function": "os.system"}},
    {"module": "os", "class_name": "system"},
    {"encoder": "https://example.com/net.keras"},
    {"encoder": "/etc/passwd"},
    {"encoder": "__import__"},
    {"encoder": "keras.applications.MobileNetV2"},
    {"units": "512"},
    {"units": -1},
    {"layers": None},
    {"concepts": ["no such word"]},
    {"cell": "Lambda"},
]


@pytest.mark.parametrize("change", CONFIGS, ids=json.dumps)
def test_a_configuration_builds_nothing_but_the_model(preset, change, capsys):
    folder, sign = preset
    path = folder / presets.CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    sign()
    assert main(["caption", "a.png", "--weights", str(folder)]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith(f"captioner: {folder}") and len(err) <= 2  # after a note on Keras


@pytest.mark.parametrize("name", [presets.CONFIG, presets.VOCABULARY])
@pytest.mark.parametrize(
    "content", ["", "[", "null", "3", '"text"', "[1, 2]", "{}", "[" * 100_000, "\xff"]
)
def test_files_that_are_something_else_end_in_one_line(preset, name, content):
    folder, sign = preset
    (folder / name).write_bytes(content.encode("latin-1"))
    sign()
    with pytest.raises(PresetError, match=name) as error:
        Captioner.from_preset(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_weights_that_are_no_hdf5_end_in_one_line(preset, content):
    folder, sign = preset
    (folder / presets.WEIGHTS).write_bytes(content)
    sign()
    with pytest.raises(PresetError, match="model.weights.h5: no weights file"):
        Captioner.from_preset(folder)


@pytest.mark.parametrize("content", ["[]", "null", '{"sha256": 3}', "[" * 100_000, "{"])
def test_metadata_that_are_something_else_end_in_one_line(preset, content):
    folder, _ = preset
    (folder / presets.METADATA).write_text(content)
    with pytest.raises(PresetError, match="metadata.json: no"):
        Captioner.from_preset(folder)


def test_names_in_the_weights_that_are_no_text_end_in_one_line(preset):
    folder, sign = preset
    path = folder / presets.WEIGHTS
    assert b"decoder\0" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"decoder\0", b"\x80ecoder\0"))
    sign()
    with pytest.raises(PresetError, match="model.weights.h5: no weights file"):
        Captioner.from_preset(folder)
