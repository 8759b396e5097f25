import os
import shutil

import numpy as np
import pytest
from PIL import Image

from captioner.training.batches import Photograph
from captioner.training.features import cache_features, fingerprint


@pytest.fixture
def records(tmp_path):
    rng = np.random.default_rng(0)
    found = []
    for i in range(3):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), "uint8")).save(path)
        found.append(Photograph(path, ("a dog",), ()))
    return found


def test_cached_features_are_those_of_the_encoder_and_its_mirror(toy, tmp_path, records):
    model = toy()
    cache = cache_features(model, records, tmp_path / "cache", "toy", 2)
    assert cache.shape == (2, 3, model.regions, 12) and cache.dtype == "float16"
    photograph = np.asarray(Image.open(records[2].image))[None]
    for side, view in enumerate((photograph, photograph[:, :, ::-1])):
        np.testing.assert_allclose(cache[side, 2], model.features(view)[0], rtol=1e-2, atol=1e-3)


def test_features_of_other_photographs_are_never_taken_for_these(toy, tmp_path, records):
    """A photograph gone, the order turned, one replaced: each is encoded anew, one file is left."""
    model, folder = toy(), tmp_path / "cache"
    first = np.array(cache_features(model, records, folder, "train", 2))
    for changed in (records[1:], records[::-1]):
        cache = cache_features(model, changed, folder, "train", 2)
        for i, record in enumerate(changed):
            np.testing.assert_array_equal(cache[:, i], first[:, records.index(record)])
        assert len(list(folder.iterdir())) == 1
    Image.new("RGB", (64, 64), "red").save(records[0].image)
    assert np.abs(cache_features(model, records, folder, "train", 2)[0, 0] - first[0, 0]).max() > 0


def test_an_unchanged_cache_is_kept(toy, tmp_path, records, monkeypatch):
    model, folder = toy(), tmp_path / "cache"
    first = np.array(cache_features(model, records, folder, "train", 2))
    monkeypatch.setattr(type(model), "encode", None)  # not encoded again
    np.testing.assert_array_equal(cache_features(model, records, folder, "train", 2), first)


def test_the_fingerprint_tells_encoders_sizes_and_files_apart(toy, records):
    marks = {fingerprint(toy(), records), fingerprint(toy(seed=1), records)}
    marks.add(fingerprint(toy(image_size=96), records))
    os.utime(records[0].image, ns=(1, 1))
    marks.add(fingerprint(toy(), records))
    assert len(marks) == 4
    assert fingerprint(toy(), records) in marks


def test_a_cache_that_the_disk_has_no_room_for_is_not_begun(toy, tmp_path, records, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 0, 10**3))
    with pytest.raises(OSError, match="no space for"):
        cache_features(toy(), records, tmp_path / "cache", "train", 2)
    assert list((tmp_path / "cache").iterdir()) == []
