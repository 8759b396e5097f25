import itertools
import json
import os
import shutil

import h5py
import numpy as np
import pytest
from searches import candidates_of

from captioner import presets
from captioner.generation.samplers import Beam
from captioner.models.captioner import Captioner
from captioner.presets import PresetError


@pytest.fixture
def saved(toy, tmp_path):
    model = toy()
    folder = tmp_path / "toy"
    model.save_to_preset(folder, {"training": {"seed": 0}})
    return model, folder


def test_a_preset_writes_the_same_captions(saved, features):
    model, folder = saved
    again = Captioner.from_preset(folder)
    x = {"features": features(model)}
    for one, other in zip(
        candidates_of(model, x, Beam()), candidates_of(again, x, Beam()), strict=True
    ):
        assert one[0].text == other[0].text
        assert one[0].score == pytest.approx(other[0].score, abs=1e-2)
    assert again.config == model.config
    assert presets.read_metadata(folder)["training"] == {"seed": 0}


def test_weights_are_half_precision_without_the_optimizer(saved):
    model, folder = saved
    model.compile("adam", "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    model.save_to_preset(folder)
    kinds, stored = set(), 0

    def visit(name, item):
        nonlocal stored
        assert not name.startswith("optimizer")
        if isinstance(item, h5py.Dataset):
            kinds.add((item.ndim > 1, item.dtype.name))
            stored += item.size

    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(visit)
    # Vectors, such as biases, stay as they are: they are few, and may be tiny or huge.
    assert (True, "float16") in kinds and (True, "float32") not in kinds
    assert (False, "float32") in kinds and (False, "float16") not in kinds
    assert stored >= model.count_params()
    for one, other in zip(model.weights, Captioner.from_preset(folder).weights, strict=True):
        if one.dtype == "float32":
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.weights.h5"])
def test_a_changed_file_is_refused_before_it_is_read(saved, name, monkeypatch):
    _, folder = saved
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    monkeypatch.setattr(h5py, "File", None)  # whoever parses now fails otherwise
    with pytest.raises(PresetError, match=f"{name}: damaged or changed"):
        Captioner.from_preset(folder)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.weights.h5"])
def test_a_missing_file_is_named(saved, name):
    _, folder = saved
    (folder / name).unlink()
    with pytest.raises(PresetError, match=f"{name}: missing"):
        Captioner.from_preset(folder)


def test_a_missing_preset_is_named(tmp_path):
    with pytest.raises(PresetError, match="no-such-preset: neither the name of a preset"):
        Captioner.from_preset("no-such-preset")


def test_broken_metadata_is_named(saved):
    _, folder = saved
    (folder / "metadata.json").write_text("{")
    with pytest.raises(PresetError, match="metadata.json: not valid JSON"):
        Captioner.from_preset(folder)


def test_nothing_is_pickled(saved):
    _, folder = saved
    assert sorted(os.listdir(folder)) == [
        "config.json",
        "metadata.json",
        "model.weights.h5",
        "vocabulary.json",
    ]
    for name in ("config.json", "vocabulary.json", "metadata.json"):
        json.loads((folder / name).read_text())
    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(lambda name, item: None if isinstance(item, h5py.Group) else item[()])


def test_an_interrupted_save_leaves_the_preset_whole(saved, monkeypatch):
    model, folder = saved

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(presets, "write_half", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.save_to_preset(folder)
    assert sorted(path.name for path in folder.iterdir())[0] == "config.json"
    Captioner.from_preset(folder)


def test_a_model_without_questions_is_not_to_be_asked(toy):
    presets.check_answers(toy(question_units=4), "mine")
    with pytest.raises(PresetError, match="mine: cannot answer questions"):
        presets.check_answers(toy(), "mine")


def test_numbers_beyond_half_precision_survive(toy, tmp_path):
    """The batch normalisation of some published networks holds variances above 65,504, and others
    that float16 makes zero."""
    model = toy(seed=3)
    kernel = np.array(model.project.kernel)
    kernel[0, 0] = 1e5
    model.project.kernel.assign(kernel)
    tiny = np.full(model.project.bias.shape, 1e-9, "float32")
    model.project.bias.assign(tiny)
    model.save_to_preset(tmp_path / "preset")
    again = Captioner.from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(again.project.kernel, kernel)
    np.testing.assert_array_equal(again.project.bias, tiny)


def test_a_folder_here_does_not_take_the_place_of_a_preset_that_ships(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / presets.DEFAULT_PRESET
    folder.mkdir()
    (folder / presets.METADATA).write_text("{}")
    assert presets.find(presets.DEFAULT_PRESET).resolve() != folder.resolve()
    assert presets.find(f"./{presets.DEFAULT_PRESET}").resolve() == folder.resolve()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / presets.METADATA).write_text("{}")
    assert presets.find("mine").resolve() == (tmp_path / "mine").resolve()


class Interrupted(BaseException):
    """As an interrupt is no Exception."""


@pytest.mark.parametrize("moment", range(8))
def test_a_preset_is_replaced_as_a_whole_or_not_at_all(saved, toy, tmp_path, monkeypatch, moment):
    """Interrupted before any step of the replacement, it is the old one or the new one."""
    model, folder = saved
    new, steps = toy(seed=1), itertools.count()
    rename, unlink = type(folder).replace, type(folder).unlink

    def interrupted(act):
        def acting(*args, **kwargs):
            if next(steps) == moment:
                raise Interrupted
            return act(*args, **kwargs)

        return acting

    with monkeypatch.context() as patch:
        patch.setattr(type(folder), "replace", interrupted(rename))
        patch.setattr(type(folder), "unlink", interrupted(unlink))
        patch.setattr(type(folder), "rmdir", interrupted(type(folder).rmdir))
        done = False
        try:
            new.save_to_preset(folder, {"training": {"seed": 1}})
            done = True
        except Interrupted:
            pass
    again = Captioner.from_preset(folder)
    seed = presets.read_metadata(folder)["training"]["seed"]
    expected = (model, new)[seed]
    assert seed == 1 or not done
    np.testing.assert_allclose(
        again.project.kernel, expected.project.kernel, atol=1e-3
    )  # of half precision
    assert {path.name for path in folder.iterdir()} == {*presets.FILES, presets.METADATA}


def test_a_full_disk_leaves_the_old_preset(saved, toy, monkeypatch):
    _, folder = saved
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 10**3, 10**3)
    )
    with pytest.raises(OSError, match="no space for") as error:
        toy(seed=1).save_to_preset(folder)
    assert error.value.filename == str(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_first_preset_may_be_interrupted_as_well(toy, tmp_path, monkeypatch):
    """Between its name and its files: whoever saves or loads next finishes it."""
    folder = tmp_path / "toy"
    with monkeypatch.context() as patch:
        patch.setattr(presets, "finish_replacement", lambda folder: None)
        toy().save_to_preset(folder, {"training": {"seed": 0}})
    assert not (folder / presets.METADATA).exists()
    toy(seed=1).save_to_preset(folder, {"training": {"seed": 1}})
    assert presets.read_metadata(folder)["training"]["seed"] == 1
    assert {path.name for path in folder.iterdir()} == {*presets.FILES, presets.METADATA}
